import errno
import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from unittest.mock import Mock

import pytest

from connectors.errors import HubDown, HubUiError, NotFound, RateLimited
from connectors.record import Lora
from connectors.ref import Ref, local_ref
from connectors.weights.inspect import inspect_path
from hub_ui.library.download.sync import foreign
from hub_ui.library.library import Library
from hub_ui.library.upkeep.identify import (
    KEPT_SECONDS,
    Digests,
    IdentifiedFile,
    Identifier,
    OwnFiles,
    digests,
    files_in,
)
from tests.hub_ui.library.building import INK, entry, sha256, weights
from tests.hub_ui.stand_ins import lora, version

FILE = weights()


def noted(data: bytes, **metadata: str) -> bytes:
    """The same tensors under other notes."""
    length = int.from_bytes(data[:8], "little")
    header = json.dumps({**json.loads(data[8 : 8 + length]), "__metadata__": metadata}).encode()
    return len(header).to_bytes(8, "little") + header + data[8 + length :]


@pytest.fixture
def ink(tmp_path: Path) -> Path:
    path = tmp_path / "loras" / "ink.safetensors"
    path.parent.mkdir()
    path.write_bytes(FILE)
    return path


def known(sha: str | None = None) -> Lora:
    """A LoRA whose one file is `civitai:1001@2001#3001`."""
    return lora(versions=(version(INK.at("2001"), sha256=sha),))


def answering(answers: dict[str, Lora], asked: list[str] | None = None) -> Callable[[str], tuple[Lora, Ref]]:
    def by_hash(value: str) -> tuple[Lora, Ref]:
        if asked is not None:
            asked.append(value)
        if value not in answers:
            raise NotFound("no such hash")
        return answers[value], INK

    return by_hash


def identify(
    folder: Path,
    by_hash: Callable[[str], tuple[Lora, Ref]] | None = None,
    seen: Iterable[Ref] = (),
    entries: tuple[object, ...] = (),
    remembered: Lora | None = None,
    failures: list[HubUiError] | None = None,
) -> list[IdentifiedFile]:
    errors = failures if failures is not None else []
    identifier = Identifier(
        entries=entries,  # type: ignore[arg-type]
        seen=lambda sha: seen,
        lora=lambda ref: remembered or known(),
        inspect=lambda path, _sha256: inspect_path(path),
        by_hash=by_hash,
        failure=errors.append,
    )
    return list(identifier.run(folder))


def test_both_hashes_are_read_at_once(ink: Path) -> None:
    body = FILE[8 + int.from_bytes(FILE[:8], "little") :]
    read = digests(ink)
    assert read == Digests(size=len(FILE), sha256=sha256(FILE), tensors=sha256(body))
    assert (read.autov2, read.autov3) == (sha256(FILE)[:10].upper(), sha256(body)[:12].upper())


def test_a_file_in_the_lock_file_or_the_catalog_is_identified_without_a_request(ink: Path) -> None:
    asked: list[str] = []
    [found] = identify(ink.parent, answering({}, asked), entries=(entry(sha256=sha256(FILE)),))
    assert (found.state, found.ref, found.how, asked) == ("held", INK, "lock file", [])
    [found] = identify(ink.parent, answering({}, asked), seen=[INK], remembered=known(sha256(FILE)))
    assert (found.state, found.ref, found.how, asked) == ("recognised", INK, "catalog", [])
    assert found.record is not None
    assert found.record.title == "Ink lines"


@pytest.mark.parametrize("how", ["SHA256", "AutoV2", "AutoV3"])
def test_civitai_is_asked_by_each_kind_of_hash(ink: Path, how: str) -> None:
    read = digests(ink)
    value = {"SHA256": read.sha256.upper(), "AutoV2": read.autov2, "AutoV3": str(read.autov3)}[how]
    [found] = identify(ink.parent, answering({value: known(read.sha256)}))
    assert (found.state, found.ref, found.how) == ("recognised", INK, how)


def test_a_hub_that_states_other_bytes_is_not_believed(ink: Path) -> None:
    [found] = identify(ink.parent, answering({digests(ink).autov2: known("b" * 64)}))
    assert (found.state, found.ref) == ("unknown", None)


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("old.ckpt", b"\x80\x02", "older format, which can run code"),
        ("page.safetensors", b"<html><body>", "web page"),
        ("cut.safetensors", FILE[:-1], "cut off"),
    ],
)
def test_other_formats_and_cut_files_are_never_loaded(tmp_path: Path, name: str, data: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(data)
    [found] = identify(tmp_path, answering({}))
    assert (found.state, found.ref) == ("unread", None)
    assert said in str(found.error)


@pytest.mark.parametrize("error", [HubDown("down"), RateLimited("slow")])
def test_identifier_reports_files_as_not_asked_after_an_error(ink: Path, error: HubUiError) -> None:
    ink.with_name("second.safetensors").write_bytes(weights(32))
    asked: list[str] = []
    failures: list[HubUiError] = []

    def by_hash(value: str) -> tuple[Lora, Ref]:
        asked.append(value)
        raise error

    found = identify(ink.parent, by_hash, failures=failures)
    assert [(each.state, each.error) for each in found] == [("not asked", error), ("not asked", error)]
    assert (len(asked), failures) == (1, [error])


def test_files_come_in_order_and_hidden_folders_hold_none(tmp_path: Path) -> None:
    for name in ("b.safetensors", "a/c.SAFETENSORS", ".hub-ui/d.safetensors", "e.txt", ".f.safetensors", "g.pt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    names = [path.relative_to(tmp_path).as_posix() for path in files_in(tmp_path)]
    assert names == ["a/c.SAFETENSORS", "b.safetensors", "g.pt"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_skipped_and_a_dead_link_is_listed(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.safetensors")
    (tmp_path / "link.safetensors").symlink_to(tmp_path / "gone")
    assert files_in(tmp_path) == [tmp_path / "link.safetensors"]


REF = local_ref("ink", sha256(FILE))
ENTRY = entry(ref=REF, title="ink", file="ink.safetensors", size=len(FILE), sha256=sha256(FILE), source="")


@pytest.fixture
def given(tmp_path: Path) -> Path:
    path = tmp_path / "upload" / "ink.safetensors"
    path.parent.mkdir()
    path.write_bytes(FILE)
    return path


def test_a_file_is_of_use_before_it_is_kept_and_part_of_the_library_only_then(library: Library, given: Path) -> None:
    own = OwnFiles(library)
    assert (own.entries(), library.folder.exists()) == ((), False)
    placed = own.add(given, ENTRY)
    assert (library.path(placed).read_bytes(), given.exists()) == (FILE, False)
    assert (own.entry(REF), library.entries(), foreign(library)) == (placed, (), ())
    kept = own.keep(REF, "sdxl/ink.safetensors")
    assert (kept.file, library.path(kept).read_bytes(), own.entries()) == ("sdxl/ink.safetensors", FILE, ())
    assert library.entries() == (kept,)
    with pytest.raises(NotFound, match="Choose it again"):
        own.keep(REF, "sdxl/ink.safetensors")


def test_what_is_in_its_place_stays_also_on_another_disk(
    library: Library, given: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = OwnFiles(library)
    own.add(given, ENTRY)
    monkeypatch.setattr(os, "rename", Mock(side_effect=OSError(errno.EXDEV, "Invalid cross-device link")))
    (library.folder / "ink.safetensors").write_bytes(b"mine")
    kept = own.keep(REF, "ink.safetensors")
    assert (library.folder / "ink.safetensors").read_bytes() == b"mine"
    assert library.path(kept).read_bytes() == FILE


def test_the_same_file_twice_is_one_and_gone_once_it_is_discarded(library: Library, given: Path) -> None:
    own = OwnFiles(library)
    own.add(given, ENTRY)
    given.write_bytes(FILE)
    own.add(given, entry(ref=REF, file="other.safetensors", size=len(FILE), sha256=sha256(FILE), source=""))
    assert len(own.entries()) == len(list((library.folder / ".own").rglob("*.safetensors"))) == 1
    own.discard(REF)
    own.discard(REF)
    assert (own.entries(), list((library.folder / ".own").rglob("*.safetensors"))) == ((), [])


def test_what_the_library_has_by_now_is_not_kept_twice(library: Library, given: Path) -> None:
    own = OwnFiles(library)
    own.add(given, ENTRY)
    path = library.folder / "a.safetensors"
    path.write_bytes(FILE)
    [known] = library.adopt([entry(ref=REF, file="a.safetensors", size=len(FILE), sha256=sha256(FILE), source="")])
    assert (own.keep(REF, "b.safetensors"), own.entries()) == (known, ())


def test_what_nobody_keeps_for_a_day_goes_with_the_next_file(library: Library, given: Path) -> None:
    now = [0.0]
    own = OwnFiles(library, clock=lambda: now[0])
    own.add(given, ENTRY)
    given.write_bytes(weights(fill=b"\x02"))
    now[0] = KEPT_SECONDS + 1
    ref = Ref(hub="local", id="mist", version=sha256(weights(fill=b"\x02")))
    own.add(given, entry(ref=ref, file="mist.safetensors", sha256=ref.version, source=""))
    assert [one.ref for one in own.entries()] == [ref]
    assert len(list((library.folder / ".own").rglob("*.safetensors"))) == 1
