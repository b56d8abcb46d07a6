import os
import sys
from dataclasses import replace
from typing import Any

import pytest

from connectors.connector import Download
from connectors.errors import Gated, HubDown, HubUiError, NotFound, RegionBlocked, WrongHash
from connectors.record import Access, Lora
from connectors.ref import Ref
from hub_ui.library import lockfile
from hub_ui.library.download.sync import (
    Sync,
    SyncResult,
    best_home,
    check,
    check_all,
    check_still_promised,
    explain,
    foreign,
    open_mirrors,
    set_aside,
)
from hub_ui.library.library import Library
from hub_ui.library.lockfile import Entry
from tests.connectors.serving import Answer
from tests.connectors.serving import Hub as Host
from tests.hub_ui.library.building import INK, entry, put, sha256, weights
from tests.hub_ui.stand_ins import Hub, lora, version

FILE = weights()


@pytest.fixture
def held(library: Library) -> Entry:
    made = entry(sha256=sha256(FILE), size=len(FILE))
    library.lock.write_text(lockfile.dumps([made]))
    return made


def sync(library: Library, civitai: Hub, frozen: bool = False) -> list[tuple[str, str | None]]:
    job = Sync(library=library, connector=lambda hub: civitai, refs_of=lambda sha: (), frozen=frozen)
    return [(done.state, done.error.name if done.error else None) for done in job.run()]


def saying(sha: str | None, file_id: str = "3001") -> Lora:
    return lora(versions=(version(INK.at("2001"), ref=INK.at("2001", file_id), sha256=sha),))


def test_only_what_is_needed_is_asked_of_the_hub(library: Library, held: Entry, hub: Host) -> None:
    hub.answers["/ink.safetensors"] = Answer(body=FILE)
    civitai = Hub(name="civitai", address=hub.url)
    assert sync(library, civitai) == [("fetched", None)]
    assert sync(library, civitai) == [("kept", None)]
    assert (len(hub.asked), civitai.asked) == (1, [])


def test_the_entry_stays_as_it_was(library: Library, held: Entry, hub: Host) -> None:
    kept = replace(held, title="Mine", weight=0.3, extra={"mood": "calm"})
    library.lock.write_text(lockfile.dumps([kept]))
    hub.answers["/ink.safetensors"] = Answer(body=FILE)
    assert sync(library, Hub(name="civitai", address=hub.url)) == [("fetched", None)]
    assert library.entries() == (kept,)


def test_other_bytes_than_the_locks_are_refused(library: Library, held: Entry, hub: Host) -> None:
    hub.answers["/ink.safetensors"] = Answer(body=weights(fill=b"\x02"))
    assert sync(library, Hub(name="civitai", address=hub.url)) == [("failed", "WrongHash")]
    assert not library.path(held).exists()


def test_what_an_earlier_sync_set_aside_goes_once_the_right_file_came(library: Library, held: Entry, hub: Host) -> None:
    path = library.path(held)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"changed")
    assert sync(library, Hub(name="civitai", address="http://127.0.0.1:9")) == [("failed", "HubDown")]
    assert [place.name for place in path.parent.iterdir()] == [f"{path.name}.changed"]
    hub.answers["/ink.safetensors"] = Answer(body=FILE)
    assert sync(library, Hub(name="civitai", address=hub.url)) == [("replaced", None)]
    assert list(path.parent.iterdir()) == [path]


def test_a_failure_is_reported_with_advice(library: Library, held: Entry) -> None:
    gone = Hub(name="civitai", error=NotFound("gone"))
    job = Sync(
        library=library, connector=lambda hub: gone, refs_of=lambda sha: (), frozen=True,
        explain=lambda error, ref: NotFound(f"{error.message}, see {ref}"),
    )  # fmt: skip
    library.path(held).parent.mkdir(parents=True)
    library.path(held).write_bytes(FILE)
    [failed] = job.run()
    assert failed.error is not None
    assert failed.error.message == f"gone, see {INK}"


@pytest.mark.parametrize(("byte", "expected"), [(b"\x01", ("kept", None)), (b"\x02", ("failed", "WrongHash"))])
def test_frozen_reads_the_bytes_of_a_hub_that_states_no_hash(
    library: Library, held: Entry, hub: Host, byte: bytes, expected: tuple[str, str | None]
) -> None:
    hub.answers["/ink.safetensors"] = Answer(body=FILE)
    silent = Hub(name="civitai", address=hub.url, loras=[saying(None)])
    assert sync(library, silent) == [("fetched", None)]
    hub.answers["/ink.safetensors"] = Answer(body=FILE[:-1] + byte)
    assert sync(library, silent, frozen=True) == [expected]
    assert library.path(held).read_bytes() == FILE


def test_frozen_asks_a_hub_that_is_down_once(library: Library, held: Entry, hub: Host) -> None:
    second = replace(held, ref=Ref.parse("civitai:1@2"), file="b.safetensors")
    library.lock.write_text(lockfile.dumps([held, second]))
    hub.answers["/ink.safetensors"] = Answer(body=FILE)
    sync(library, Hub(name="civitai", address=hub.url))
    down = Hub(name="civitai", error=HubDown("down"))
    assert sync(library, down, frozen=True) == [("failed", "HubDown")] * 2
    assert len(down.asked) == 1


@pytest.mark.parametrize("listed", [saying(sha256(FILE)), saying(sha256(FILE), "9"), saying(None)])
def test_a_promise_that_holds_passes(held: Entry, listed: Lora) -> None:
    check_still_promised(Hub(name="civitai", loras=[listed]), held)


@pytest.mark.parametrize(
    ("listed", "error", "said"),
    [
        (saying("b" * 64), WrongHash, "now promises other bytes"),
        (saying("b" * 64, "9"), WrongHash, "put another in its place"),
        (replace(saying(None), ref=Ref.parse("civitai:7")), NotFound, "no civitai:1001"),
    ],
)
def test_a_broken_promise_is_reported(held: Entry, listed: Lora, error: type[HubUiError], said: str) -> None:
    with pytest.raises(error, match=said):
        check_still_promised(Hub(name="civitai", loras=[listed]), held)


class Gone(Hub):
    def download(self, ref: Ref, lora: Lora | None = None) -> Download:
        raise NotFound(f"no file at {self.name}", hub=self.name)


MIRROR = Ref.parse(f"huggingface:ada/ink-lines@{'a' * 40}#ink.safetensors")


def sync_with_mirror(library: Library, held: Entry, mirror: Hub) -> SyncResult:
    hubs: dict[str, Hub] = {"civitai": Gone(name="civitai"), "huggingface": mirror}
    job = Sync(library=library, connector=lambda name: hubs[name], refs_of=lambda sha: (held.ref, MIRROR))
    [done] = job.run()
    return done


def test_a_file_that_its_hub_took_down_comes_from_a_mirror(library: Library, held: Entry, hub: Host) -> None:
    hub.answers["/ink.safetensors"] = Answer(body=FILE)
    done = sync_with_mirror(library, held, Hub(name="huggingface", address=hub.url))
    assert (done.state, done.source) == ("fetched", MIRROR)
    assert library.path(held).read_bytes() == FILE


@pytest.mark.parametrize(
    ("mirror", "error"),
    [(Gone(name="huggingface"), NotFound), (Hub(name="huggingface"), HubDown)],
    ids=["what its own hub says", "it may have the file later"],
)
def test_without_a_mirror_that_has_the_file_it_fails(
    library: Library, held: Entry, mirror: Hub, error: type[HubUiError]
) -> None:
    done = sync_with_mirror(library, held, mirror)
    assert (done.state, type(done.error)) == ("failed", error)


def test_what_was_set_aside_before_is_not_lost(library: Library, held: Entry) -> None:
    library.path(held).parent.mkdir(parents=True)
    for content in (b"first", b"second"):
        library.path(held).write_bytes(content)
        set_aside(library.path(held))
    names = {path.name: path.read_bytes() for path in library.path(held).parent.iterdir()}
    assert names == {
        "Ink lines-2001.safetensors.changed": b"first",
        "Ink lines-2001.safetensors.changed1": b"second",
    }


@pytest.fixture
def held_file(library: Library) -> Entry:
    made = entry(sha256=sha256(FILE), size=len(FILE))
    put(library, made.file, FILE)
    library.lock.write_text(lockfile.dumps([made]))
    return made


def test_a_folder_in_its_place_is_a_missing_file(library: Library, held_file: Entry) -> None:
    library.path(held_file).unlink()
    library.path(held_file).mkdir()
    assert check(library, held_file).state == "missing"


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="needs a file that may not be read")
def test_a_file_that_cannot_be_read_is_unreadable(library: Library, held_file: Entry) -> None:
    library.path(held_file).chmod(0)
    assert check(library, held_file).state == "unreadable"


def test_all_come_in_order(library: Library, held_file: Entry) -> None:
    second = entry(ref=Ref.parse("civitai:1@2"), file="b.safetensors")
    assert [found.state for found in check_all(library, [held_file, second])] == ["right", "missing"]


INK_FILE = "sd1/ada/Ink lines-2001"
ONE_FILE = pytest.mark.skipif(sys.platform != "linux", reason="one file")


@pytest.mark.parametrize(
    ("name", "is_foreign"),
    [
        ("other.safetensors", True),
        ("sd1/old.ckpt", True),
        ("notes.txt", True),
        (f"{INK_FILE}.safetensors.changed", True),
        (f"{INK_FILE}.safetensors.changed1", True),
        pytest.param("sd1/ada/INK lines-2001.safetensors", True, marks=ONE_FILE),
        (".hub-ui/x.lock", False),
        ("sd1/ada/INK lines-2001.json", False),
        (f"{INK_FILE}.preview.png", False),
        (f"{INK_FILE}.metadata.json", False),
        (f"{INK_FILE}.abc.part", False),
        (".DS_Store", False),
    ],
)
def test_a_file_that_belongs_to_no_entry_is_foreign(
    library: Library, held_file: Entry, name: str, is_foreign: bool
) -> None:
    put(library, name)
    assert foreign(library) == (name,) * is_foreign


REF = Ref.parse("civitai:1001@2001")
GONE = NotFound("The file is not there. It may have been removed.", hub="civitai")
COPY = Ref.parse("huggingface:ada/ink@" + "a" * 40 + "#ink.safetensors")

BLOCKED = RegionBlocked("The hub does not serve your region.", hub="civitai")
GATED = Gated("Ask for it on the LoRA's own page.", hub="civitai")
VERSIONS = (version(REF), version(Ref.parse("civitai:1001@2002")))
PAGE = "Its page: https://hub.invalid/1001"
KNOWN = "The catalog remembers it as “Ink lines” by ada."
SAME = f"The same bytes are at {COPY}: hub-ui pull {COPY}"


@pytest.mark.parametrize(
    ("error", "mirror", "known", "step"),
    [
        (GONE, COPY, {}, SAME),
        (BLOCKED, COPY, {}, SAME),
        (BLOCKED, Ref.parse("civitai:7@8#9"), {}, PAGE),
        (GATED, None, {}, PAGE),
        (GONE, None, {"versions": VERSIONS}, f"{KNOWN} Another version is there: hub-ui pull civitai:1001@2002"),
        (GONE, None, {"versions": VERSIONS, "access": "archived"}, f"{KNOWN} {PAGE}"),
        (GONE, None, {"versions": VERSIONS, "access": "removed"}, KNOWN),
        # The full stop that a hub's own words lack.
        (NotFound("No model with id 7"), None, {}, KNOWN),
    ],
)
def test_refusals_have_a_next_step(error: HubUiError, mirror: Ref | None, known: dict[str, Any], step: str) -> None:
    told = explain(error, REF, replace(lora(), **known), [mirror] if mirror else []).message
    assert told == f"{error.message.removesuffix('.')}. {step}"


@pytest.mark.parametrize("said", ["See http://a/b", "Gone?"])
def test_an_address_and_a_question_get_no_full_stop(said: str) -> None:
    assert explain(NotFound(said), REF, lora(), []).message == f"{said} {KNOWN}"


@pytest.mark.parametrize(
    ("keys", "seconds", "access", "chosen"),
    [
        ((), {}, "open", COPY),
        (("civitai",), {}, "open", REF),
        (("civitai",), {"huggingface": 0.2, "civitai": 0.5}, "open", COPY),
        (("civitai",), {"huggingface": 0.2, "civitai": 0.5}, "gated", REF),
        (("civitai",), {"huggingface": 0.5, "civitai": 0.2}, "open", REF),
        ((), {"huggingface": 0.5, "civitai": 0.2}, "open", COPY),
    ],
)
def test_the_open_home_without_a_key_is_best_and_then_the_fastest(
    keys: tuple[str, ...], seconds: dict[str, float], access: Access, chosen: Ref
) -> None:
    mirror = replace(lora(), versions=(version(COPY),), access=access)
    homes = {REF: replace(lora(), versions=(version(REF),)), COPY: mirror}
    assert best_home(REF, [COPY], homes.__getitem__, keys, seconds) == chosen


@pytest.mark.parametrize(("access", "is_open"), [("open", True), ("archived", False), ("gated", False)])
def test_only_what_anyone_may_download_is_offered_in_its_place(access: Access, is_open: bool) -> None:
    mirror = replace(lora(), versions=(version(COPY),), access=access)
    assert list(open_mirrors(REF, [REF, COPY], lambda ref: mirror)) == [COPY] * is_open
