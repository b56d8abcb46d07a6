"""A process that is killed in the middle of a pull: the next one finds its way, and nothing stands in it."""

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import msgspec
import pytest

from connectors import errors
from connectors.connector import HttpDownload
from connectors.ref import HubName, Ref
from hub_ui.demo.hubs.folder import generate_safetensors
from hub_ui.library import lockfile
from hub_ui.library.download.partial_file import DownloadIdentity, PartialFile, PartState, Progress, PullCancelled
from hub_ui.library.library import Library, source_of
from tests.connectors.serving import Answer, Hub, Ranged
from tests.contract.conftest import hubs as hubs
from tests.faulty_hubs import HubEndpoints
from tests.hub_ui.library.building import INK, ONE_TRY, download, entry, files, pull_file, record, sha256, weights
from tests.hub_ui.library.hubs import HUBS, library_in, partial_bytes, pull

FILE = weights()
OTHER = Ref.parse("civitai:7@8#9")
BLOCK = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k"


@pytest.fixture
def ink(hub: Hub) -> HttpDownload:
    hub.answers["/file"] = Answer(body=FILE)
    return download(hub.url + "/file", size=len(FILE), sha256=sha256(FILE))


def test_the_entry_holds_what_the_record_says(library: Library, ink: HttpDownload) -> None:
    got = pull_file(library, ink, record(license="mit"))
    assert got == entry(
        size=len(FILE),
        sha256=sha256(FILE),
        source=ink.url,
        base_model="sd1",
        architecture="sd1",
        trigger_words=("sks style",),
        weight=0.8,
        license="mit",
    )
    assert (files(library), library.entries()) == (["sd1/ada/Ink lines-2001.safetensors"], (got,))
    assert library.path(got).read_bytes() == FILE


@pytest.mark.parametrize(
    ("url", "source"),
    [
        ("https://me:pw@civitai.com/download/2?fileId=3&token=secret&X-Amz-Signature=secret", None),
        ("https://files.example/a?Signature=x", "https://civitai.com/download/2?fileId=3"),
    ],
)
def test_no_token_and_no_signature_is_written_to_the_lock_file(url: str, source: str | None) -> None:
    assert source_of(download(url, source=source)) == "https://civitai.com/download/2?fileId=3"


def test_what_is_there_is_not_asked_for_again(library: Library, ink: HttpDownload, hub: Hub) -> None:
    first = pull_file(library, ink, record())
    # Nor is anything written, since the folder may be another's.
    shutil.rmtree(library.folder / ".hub-ui")
    assert pull_file(library, ink, record()) == first
    assert (len(hub.asked), (library.folder / ".hub-ui").exists()) == (1, False)


def test_a_damaged_file_is_fetched_again(library: Library, ink: HttpDownload) -> None:
    first = pull_file(library, ink, record())
    library.path(first).write_bytes(b"damaged")
    assert pull_file(library, ink, record()) == first
    assert library.path(first).read_bytes() == FILE


def test_a_lost_lock_file_is_written_from_the_files(library: Library, ink: HttpDownload, hub: Hub) -> None:
    first = pull_file(library, ink, record())
    library.lock.unlink()
    assert pull_file(library, ink, record()) == first
    assert len(hub.asked) == 1


def test_a_weight_the_person_set_stays(library: Library, ink: HttpDownload) -> None:
    first = pull_file(library, ink, record())
    library.lock.write_text(lockfile.dumps([replace(first, weight=0.4)]))
    library.path(first).unlink()
    assert pull_file(library, ink, record()).weight == 0.4


def test_a_stranger_at_the_place_is_left_alone(library: Library, ink: HttpDownload) -> None:
    stranger = library.folder / "sd1/ada/Ink lines-2001.safetensors"
    stranger.parent.mkdir(parents=True)
    stranger.write_bytes(b"mine")
    got = pull_file(library, ink, record())
    assert stranger.read_bytes() == b"mine"
    assert library.path(got).read_bytes() == FILE


def test_other_bytes_under_a_locked_ref_are_refused(library: Library, ink: HttpDownload, hub: Hub) -> None:
    pull_file(library, ink, record())
    with pytest.raises(errors.WrongHash, match="lock file pins"):
        pull_file(library, replace(ink, sha256="b" * 64), record())
    assert len(hub.asked) == 1


def test_the_lock_file_decides_where_the_hub_promises_nothing(library: Library, ink: HttpDownload, hub: Hub) -> None:
    first = pull_file(library, ink, record())
    library.path(first).unlink()
    hub.answers["/file"] = Answer(body=weights(fill=b"\x02"))
    with pytest.raises(errors.WrongHash):
        pull_file(library, replace(ink, size=None, sha256=None), record())
    assert files(library) == []


@pytest.mark.parametrize("body", [b"<html>", FILE[:-1], weights(fill=b"\x02")])
def test_a_failed_pull_leaves_nothing(library: Library, ink: HttpDownload, hub: Hub, body: bytes) -> None:
    hub.answers["/file"] = Answer(body=body)
    with pytest.raises(errors.IntegrityError):
        pull_file(library, ink, record())
    assert files(library) == []
    assert library.entries() == ()


def test_an_unpinned_ref_is_refused(library: Library, ink: HttpDownload) -> None:
    with pytest.raises(errors.BadRef, match="Pin it first"):
        pull_file(library, replace(ink, ref=Ref.parse("civitai:1001")), record())


def test_a_cancelled_pull_keeps_its_part_until_it_is_forgotten(library: Library, hub: Hub) -> None:
    hub.answers["/file"] = Answer(body=weights(3_000_000))
    came: list[Progress] = []
    with pytest.raises(PullCancelled):
        pull_file(
            library, download(hub.url + "/file"), record(), on_progress=came.append, is_cancelled=lambda: bool(came)
        )
    assert files(library) == ["sd1/ada/Ink lines-2001.38fcb4edb5bb.part"]
    assert partial_bytes(library) > 0
    library.forget(INK)
    assert (files(library), partial_bytes(library)) == ([], 0)


@pytest.mark.parametrize("refs", [[INK] * 4, [INK, OTHER]])
def test_what_is_wanted_several_times_at_once_is_fetched_once(
    library: Library, ink: HttpDownload, hub: Hub, refs: list[Ref]
) -> None:
    hub.answers["/file"] = Answer(body=FILE, after=0.3)
    with ThreadPoolExecutor(4) as pool:
        pulls = [pool.submit(pull_file, library, replace(ink, ref=ref), record()) for ref in refs]
    assert ({pull.result().sha256 for pull in pulls}, len(hub.asked)) == ({sha256(FILE)}, 1)
    assert len(library.entries()) == len({*refs})


def test_pulls_of_many_files_at_the_same_time_all_have_entries(library: Library, hub: Hub) -> None:
    hub.answers["/file"] = Answer(body=FILE)
    refs = [Ref.parse(f"civitai:1001@2001#{number}") for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda ref: pull_file(library, download(hub.url + "/file", ref=ref), record()), refs))
    assert {held.ref for held in library.entries()} == set(refs)
    assert len({held.file for held in library.entries()}) == len(files(library)) == 8


@pytest.mark.parametrize("text", ["civitai:1001", "civitai:1001@2001", "civitai:1001@2001#3001", "civitai:@2001"])
def test_an_entry_is_found_by_less_than_its_ref(library: Library, ink: HttpDownload, text: str) -> None:
    got = pull_file(library, ink, record())
    assert library.entry(Ref.parse(text)) == got


@pytest.mark.parametrize("text", ["civitai:1002", "civitai:1001@2002", "civitai:1001@2001#4", "replicate:a/b"])
def test_other_refs_are_not_there(library: Library, ink: HttpDownload, text: str) -> None:
    pull_file(library, ink, record())
    assert not library.holds(Ref.parse(text))
    with pytest.raises(errors.NotFound, match="Pull it first"):
        library.entry(Ref.parse(text))


def test_a_ref_that_may_mean_two_entries_asks_back(library: Library) -> None:
    second = entry(ref=Ref.parse("civitai:1001@2002#3002"), file="sd1/b.safetensors")
    library.lock.write_text(lockfile.dumps([entry(), second]))
    with pytest.raises(errors.UsageError, match="Choose one: civitai:1001@2001#3001, civitai:1001@2002#3002"):
        library.entry(Ref.parse("civitai:1001"))


@pytest.mark.parametrize(
    ("text", "said"), [(b"version = 1\n[[lora]]\nref = \n", r"loras\.lock.*line 3"), (b"\xff\xfe", "no text in UTF-8")]
)
def test_an_unreadable_lock_is_reported_and_never_overwritten(
    library: Library, ink: HttpDownload, hub: Hub, text: bytes, said: str
) -> None:
    library.lock.write_bytes(text)
    for attempt in (library.entries, lambda: pull_file(library, ink, record()), lambda: library.adopt([entry()])):
        with pytest.raises(lockfile.LockError, match=said):
            attempt()
    assert (library.lock.read_bytes(), hub.asked) == (text, [])


def test_a_folder_that_cannot_be_written_is_reported(tmp_path: Path, ink: HttpDownload) -> None:
    (tmp_path / "loras").write_text("a file where the folder should be")
    with pytest.raises(errors.HubUiError, match="can't be written"):
        pull_file(Library(tmp_path / "loras", tmp_path / "loras.lock"), ink, record())


def test_what_another_version_wrote_into_the_lock_outlives_a_pull(library: Library, ink: HttpDownload) -> None:
    second = entry(ref=Ref.parse("civitai:1@2"), file="sd1/b.safetensors", extra={"mood": "calm"})
    library.lock.write_text(lockfile.write(lockfile.Lock(entries=(second,), version="1.3", extra={"team": ["ink"]})))
    pull_file(library, ink, record())
    kept = lockfile.read(library.lock.read_text())
    assert (kept.version, kept.extra, kept.entries[1].extra) == ("1.3", {"team": ["ink"]}, {"mood": "calm"})


def test_adopting_nothing_writes_nothing(library: Library) -> None:
    before = sorted(library.folder.rglob("*"))
    assert (library.adopt([]), sorted(library.folder.rglob("*"))) == ((), before)


def test_adopting_leaves_refs_and_files_that_have_an_entry(library: Library, ink: HttpDownload) -> None:
    got = pull_file(library, ink, record())
    new = entry(ref=Ref.parse("civitai:1@2"), file="sd1/b.safetensors")
    taken = entry(ref=Ref.parse("civitai:1@3"), file=got.file.upper().replace("SAFETENSORS", "safetensors"))
    assert library.adopt([entry(file="sd1/c.safetensors"), new, taken]) == (new,)
    assert set(library.entries()) == {got, new}


def test_a_path_whose_accents_are_written_in_another_way_has_its_entry(library: Library) -> None:
    library.adopt([entry(file="sd1/\u00e9.safetensors")])
    assert library.adopt([entry(ref=OTHER, file="sd1/e\u0301.safetensors")]) == ()
    assert len(library.entries()) == 1


def break_off(library: Library, hub: Hub) -> None:
    hub.answers["/file"] = Ranged(body=weights(200_000), cut=100_000)
    with pytest.raises(errors.HubDown):
        pull_file(Library(library.folder, library.lock, options=ONE_TRY), download(hub.url + "/file"), record())


def test_a_web_page_in_place_of_the_rest_leaves_the_part(library: Library, hub: Hub) -> None:
    break_off(library, hub)
    hub.answers["/file"] = Answer(body=b"<html>Just a moment", headers={"Content-Type": "text/html"})
    with pytest.raises(errors.NotWeights, match="web page"):
        pull_file(library, download(hub.url + "/file"), record())
    assert partial_bytes(library) == 100_000


def test_a_part_moves_along_when_its_target_has_another_name_now(library: Library, hub: Hub) -> None:
    break_off(library, hub)
    pull_file(library, download(hub.url + "/file"), record(title="Renamed", creator="bob"))
    assert files(library) == ["sd1/bob/Renamed-2001.safetensors"]
    assert hub.asked[1].headers["Range"].startswith("bytes=100000-")


def test_bytes_of_another_entry_are_linked_and_were_added_then(library: Library, ink: HttpDownload, hub: Hub) -> None:
    first = library.path(pull_file(library, ink, record()))
    os.utime(first, (0, 0))
    second = library.path(pull_file(library, replace(ink, ref=OTHER, url=hub.url + "/gone"), record(title="Twin")))
    assert (first.samefile(second), second.stat().st_mtime > 0, len(hub.asked)) == (True, True, 1)


def test_bytes_that_turn_out_to_be_known_are_stored_once(library: Library, ink: HttpDownload, hub: Hub) -> None:
    first = pull_file(library, ink, record())
    unpromised = replace(ink, ref=OTHER, size=None, sha256=None)
    second = pull_file(library, unpromised, record(title="Twin"))
    assert library.path(first).samefile(library.path(second))
    assert len(hub.asked) == 2


def test_a_damaged_file_of_another_entry_is_not_copied(library: Library, ink: HttpDownload) -> None:
    library.path(pull_file(library, ink, record())).write_bytes(b"damaged")
    second = pull_file(library, replace(ink, ref=OTHER), record(title="Twin"))
    assert library.path(second).read_bytes() == FILE


def test_a_file_renamed_just_before_the_end_gets_its_entry(
    library: Library, ink: HttpDownload, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    unpromised = replace(ink, sha256=None, size=None)
    with monkeypatch.context() as patch:
        patch.setattr(Library, "_entry", Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            pull_file(library, unpromised, record())
    assert library.entries() == ()
    assert pull_file(library, unpromised, record()).sha256 == sha256(FILE)
    assert (len(hub.asked), files(library)) == (1, ["sd1/ada/Ink lines-2001.safetensors"])


@pytest.mark.parametrize("text", [b"", b"{", b'{"purpose":1}', b"\xff"])
def test_a_damaged_state_file_costs_the_part_and_nothing_else(library: Library, ink: HttpDownload, text: bytes) -> None:
    (library.folder / ".hub-ui").mkdir(parents=True)
    (library.folder / ".hub-ui/38fcb4edb5bb.json").write_bytes(text)
    assert pull_file(library, ink, record()).sha256 == sha256(FILE)


def test_a_state_file_cannot_name_what_is_not_a_part(library: Library, ink: HttpDownload) -> None:
    stranger = library.folder.parent / "stranger.part"
    stranger.write_bytes(b"mine")
    state = PartState(purpose=DownloadIdentity(ref=str(INK), address="x"), part="../stranger.part")
    (library.folder / ".hub-ui").mkdir(parents=True)
    (library.folder / ".hub-ui/38fcb4edb5bb.json").write_bytes(msgspec.json.encode(state))
    pull_file(library, ink, record())
    assert stranger.read_bytes() == b"mine"


def test_what_no_hub_says_is_taken_from_the_file(library: Library, hub: Hub) -> None:
    spec = {"tensors": {f"{BLOCK}.lora_down.weight": ["F16", [4, 768]], f"{BLOCK}.lora_up.weight": ["F16", [640, 4]]}}
    content = generate_safetensors({**spec, "metadata": {"modelspec.trigger_phrase": "inkstyle"}})
    hub.answers["/file"] = Answer(body=content.read(0, content.size))
    unsaid = record(architecture=None, base_model=None, trigger_words=())
    got = pull_file(library, download(hub.url + "/file"), unsaid)
    assert (got.architecture, got.trigger_words) == ("sd1", ("inkstyle",))
    assert got.file == "sd1/ada/Ink lines-2001.safetensors"


@pytest.mark.parametrize("hub", HUBS)
def test_leftovers_of_a_pull_that_ended_after_it_wrote_its_entry_are_deleted(
    hubs: HubEndpoints, hub: HubName, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = library_in(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(PartialFile, "remove_state", lambda _: None)
        entry = pull(hubs, hub, library)
    assert len(list(library.folder.glob(".hub-ui/*.json"))) == 1
    assert library.find_installed(entry.ref) == entry == pull(hubs, hub, library)
    assert list(library.folder.glob(".hub-ui/*.json")) == []
