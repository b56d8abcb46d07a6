"""hub_ui/app/hosting/downloads.py on the local hubs: one cache, and each visitor's own right."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.errors import AccessError, HubUiError, NotFound, UsageError
from connectors.ref import Ref
from hub_ui.access.quotas import LimitReached, Limits
from hub_ui.access.visitor import RIGHT_SECONDS, OwnLoras, Visitor, use_visitor
from hub_ui.app.hosting import downloads as hosting_downloads
from hub_ui.app.hosting.downloads import SessionLibraries, VisitorDownloads, read_shared_lock
from hub_ui.app.services import Services
from hub_ui.library import lockfile
from hub_ui.library.lockfile import Entry
from tests.faulty_hubs import HubEndpoints
from tests.hub_ui.app.hosting.private_data import ADA, BEN, GATED, SECRET
from tests.hub_ui.library.building import entry
from tests.hub_ui.stand_ins import services_of
from tests.recording import Recorder

OPEN = Ref.parse("civitai:1001@2001#3001")


@pytest.fixture
def limits() -> Limits:
    return Limits()


@pytest.fixture
def page(hubs: HubEndpoints, home: Path, limits: Limits) -> Iterator[Services]:
    with services_of(hubs, home, hosted=True, limits=limits) as found:
        yield found


def downloads(page: Services) -> VisitorDownloads:
    found = page.visitor_downloads
    assert found is not None
    return found


def test_what_one_visitor_tried_the_next_gets_into_their_own_list(page: Services, recorder: Recorder) -> None:
    ada, ben = Visitor(id="ada"), Visitor(id="ben")
    with use_visitor(ada):
        entry = page.downloads.pull(OPEN)
        assert page.downloads.path(entry).name == f"{entry.sha256}.safetensors"
    with use_visitor(ben):
        assert (page.downloads.find_installed(OPEN), page.downloads.entries()) == (None, ())
        recorder.forget()
        assert page.downloads.pull(OPEN) == entry
    assert [
        request.target for request in recorder.requests if "/download/" in request.target and request.sent > 5_000
    ] == []
    assert (page.library.entries(), page.queue.tasks()) == ((), ())


def test_a_file_that_is_here_is_still_refused_to_who_may_not_have_it(page: Services) -> None:
    ada, ben = Visitor(id="ada", keys=dict(ADA)), Visitor(id="ben", keys=dict(BEN))
    with use_visitor(ada):
        entry = page.downloads.pull(GATED)
        assert page.downloads.path(entry).is_file()
        assert page.downloads.find_installed(GATED) == entry
    with use_visitor(ben):
        with pytest.raises(AccessError, match="grants access one by one"):
            page.downloads.pull(GATED)
        assert page.downloads.find_installed(GATED) is None
    assert downloads(page).cache.find(entry.sha256) is None
    with use_visitor(ada):
        ada.put_key("huggingface", "")
        assert page.downloads.find_installed(GATED) is None


def test_the_weight_of_what_was_tried_asks_no_hub_for_all_wait_for_it(page: Services, recorder: Recorder) -> None:
    now = [0.0]
    with use_visitor(Visitor(id="ada", keys=dict(ADA), own=OwnLoras(lambda: now[0]))):
        page.downloads.pull(GATED)
        recorder.forget()
        now[0] = RIGHT_SECONDS + 1
        assert (page.generation.default_weight(GATED), recorder.requests) == (1.0, ())
        assert page.downloads.find_installed(GATED) is not None
        assert recorder.requests != ()


def test_a_private_file_leaves_no_name_on_the_disk_and_is_gone_with_the_page(hubs: HubEndpoints, home: Path) -> None:
    ref = Ref.parse(f"huggingface:ada/{SECRET}")
    with services_of(hubs, home, hosted=True) as page, use_visitor(Visitor(id="ada", keys=dict(ADA))):
        entry = page.downloads.pull(ref)
        assert page.downloads.path(entry).is_file()
        names = [str(path) for path in home.rglob("*") if SECRET in str(path)]
        texts = [
            path for path in (home / "lora-cache").rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()
        ]
        assert (names, texts) == ([], [])
    assert [*(home / "lora-cache").rglob("*.safetensors")] == []


def test_what_is_added_has_a_hash_and_no_file(page: Services) -> None:
    with use_visitor(Visitor(id="ada")):
        entry = downloads(page).add(OPEN.lora)
        assert (entry.ref, len(entry.sha256), page.downloads.holds(OPEN)) == (OPEN, 64, True)
        assert page.downloads.find_installed(OPEN) is None
        with pytest.raises(HubUiError):
            downloads(page).add(GATED)


def test_what_its_hub_tells_no_hash_of_is_added_by_a_try_alone(page: Services) -> None:
    private = Ref.parse(f"replicate:ada/{SECRET}")
    with use_visitor(Visitor(id="ada", keys=dict(ADA))):
        with pytest.raises(UsageError, match="tells no hash of the file"):
            downloads(page).add(private)
        assert page.downloads.holds(page.downloads.pull(private).ref)


def test_an_open_file_is_linked_at_its_hub_and_another_here(page: Services, recorder: Recorder) -> None:
    recorder.forget()
    with use_visitor(Visitor(id="ada", keys=dict(ADA))):
        links = [downloads(page).link(OPEN, is_open=is_open) for is_open in (True, False)]
    civitai = page.settings.endpoints["civitai"]
    assert links == [f"{civitai}/api/download/models/2001?fileId=3001", "visit/file?ref=civitai%3A1001%402001%233001"]
    assert recorder.requests == ()


@pytest.mark.parametrize("limits", [Limits(download_bytes_per_hour=1_000_000, lora_bytes=1_000_000)])
def test_the_bytes_of_an_hour_end_with_a_sentence_and_what_is_here_costs_none(page: Services) -> None:
    ada = Visitor(id="ada")
    with use_visitor(ada):
        page.downloads.pull(OPEN)
        page.lookup.quotas.spend("bytes", 1_000_000 - page.downloads.entries()[0].size)
        page.downloads.pull(OPEN)
        with pytest.raises(LimitReached, match=r"1.0 MB downloaded an hour a person\. This one in"):
            page.downloads.pull(Ref.parse("huggingface:maker/red"))
        assert [item.ref.hub for item in page.downloads.entries()] == ["civitai"]


@pytest.mark.parametrize("limits", [Limits(lora_bytes=1_000)])
def test_a_file_over_the_operators_limit_is_refused(page: Services) -> None:
    with use_visitor(Visitor(id="ada")), pytest.raises(UsageError, match="a shared page takes files of at most"):
        page.downloads.pull(OPEN)
    assert [path for path in page.settings.home.rglob("*.part")] == []


EVE, DAN = Visitor(id="eve"), Visitor(id="dan")


def one(number: int, **fields: object) -> Entry:
    return entry(**{"ref": Ref.parse(f"civitai:{number}@{number}#{number}"), **fields})


def titles(libraries: SessionLibraries, visitor: Visitor | None) -> list[str]:
    with use_visitor(visitor):
        return [item.entry.ref.id for item in libraries.entries()]


def test_two_visitors_have_different_libraries_beside_the_operators_lock() -> None:
    libraries = SessionLibraries(shared=(one(9),))
    for visitor, numbers in ((EVE, (1, 2)), (DAN, (3,))):
        with use_visitor(visitor):
            for number in numbers:
                libraries.add(one(number), "anyone")
    assert (titles(libraries, EVE), titles(libraries, DAN), titles(libraries, None)) == (
        ["2", "1", "9"],
        ["3", "9"],
        ["9"],
    )
    with use_visitor(DAN):
        assert (libraries.holds(Ref.parse("civitai:1")), libraries.find(Ref.parse("civitai:1"))) == (False, None)


def test_the_lock_reads_back_with_a_name_for_each_file() -> None:
    libraries = SessionLibraries(shared=(one(9),))
    with use_visitor(EVE):
        libraries.add(one(1), "anyone")
        libraries.add(one(2), "visitor")
        found = lockfile.loads(libraries.lock_text())
    assert [item.ref.id for item in found] == ["1", "2", "9"]
    assert len({item.file for item in found}) == 3


def test_of_too_many_the_oldest_goes_and_the_operators_always_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosting_downloads, "MOST_ENTRIES", 2)
    libraries = SessionLibraries()
    with use_visitor(Visitor(id="eve")):
        for number in (1, 2, 1, 3):
            libraries.add(one(number), "anyone")
        assert [item.entry.ref.id for item in libraries.entries()] == ["3", "1"]
    libraries = SessionLibraries(shared=(one(9),))
    with use_visitor(Visitor(id="eve")):
        libraries.add(one(1), "anyone")
        libraries.remove(one(1).ref)
        with pytest.raises(NotFound, match="not in your library any more"):
            libraries.remove(one(9).ref)
        assert [item.entry.ref.id for item in libraries.entries()] == ["9"]


def test_an_operators_lock_that_can_not_be_shown_ends_the_start_with_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "loras.lock"
    with pytest.raises(UsageError, match=r"HUB_UI_SHARED_LOCK: .* can't be read"):
        read_shared_lock(path)
    path.write_text(lockfile.dumps([entry(ref=Ref.parse(f"local:ink@{'a' * 64}"), source="")]))
    with pytest.raises(UsageError, match=r"no hub has “Ink lines” of loras\.lock"):
        read_shared_lock(path)
    path.write_text(lockfile.dumps([one(1)]))
    assert read_shared_lock(path) == (one(1),)
    assert read_shared_lock(None) == ()
