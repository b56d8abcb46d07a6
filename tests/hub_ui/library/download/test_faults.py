"""Every bad day of every hub, with nothing here yet and with a half: the right file in the end, or a clear error."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors import errors
from connectors.http.retry import RetryPolicy
from connectors.ref import HubName
from hub_ui.base.disk import hash_of
from hub_ui.library.download.transfer import DownloadOptions
from hub_ui.library.library import Library
from tests.faults import Fault
from tests.faulty_hubs import HubEndpoints
from tests.hub_ui.library.hubs import DELIVERED, HUBS, SIZE, library_in, partial_bytes, pull, weights_in
from tests.programs import python

# `make chaos` runs it; what each fault does to one request is tested beside the download.
pytestmark = pytest.mark.chaos

OFFSETS = [0, 1, 7, 8, 9, 10, 64, 255, 256, 257, 500, 511, 512, 513, 800, 1024, 1365, 1500, 1602, 1603]
STARTS = ("fresh", "resume")


@pytest.fixture
def hubs(running: HubEndpoints, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubEndpoints]:
    """The hubs, and an empty cache for this test alone. huggingface_hub sleeps between its tries; here it does not."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda _: None)
    running.faults.clear()
    yield running
    running.faults.clear()


@pytest.fixture(scope="module")
def right(running: HubEndpoints, tmp_path_factory: pytest.TempPathFactory) -> dict[HubName, str]:
    """The hash of each hub's file."""
    folder = tmp_path_factory.mktemp("right")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(folder / "cache"))
        return {hub: pull(running, hub, library_in(folder / hub)).sha256 for hub in HUBS}


@pytest.fixture(params=STARTS)
def library(request: pytest.FixtureRequest, hubs: HubEndpoints, hub: HubName, tmp_path: Path) -> Library:
    return begun(request.param, hubs, hub, tmp_path)


def begun(start: str, hubs: HubEndpoints, hub: HubName, folder: Path) -> Library:
    """Empty, or with the half of the file that an earlier pull left."""
    if start == "resume":
        first = library_in(folder, DownloadOptions(retry=RetryPolicy(tries=1)))
        # Replicate's tar is looked into first.
        hubs.faults.add(fault(hub, "cut", after_bytes=900, skip=1 if hub == "replicate" else 0))
        with pytest.raises(errors.HubDown):
            pull(hubs, hub, first)
        hubs.faults.clear()
        # huggingface_hub keeps what came in its own cache.
        kept = partial_bytes(first)
        assert (weights_in(first), kept) == ([], 0 if hub == "huggingface" else 900)
    return library_in(folder)


def fault(hub: HubName, kind: str, **fields: Any) -> Fault:
    return Fault(kind=kind, hub="delivery", match=DELIVERED[hub], **fields)


def ends_well(hubs: HubEndpoints, hub: HubName, library: Library, right: str) -> None:
    entry = pull(hubs, hub, library)
    assert (entry.sha256, entry.size) == (right, SIZE)
    assert [hash_of(path).sha256 for path in weights_in(library)] == [right]
    assert list(library.folder.rglob("*.part")) == []


def ends_in_an_error(hubs: HubEndpoints, hub: HubName, library: Library, error: type[errors.HubUiError]) -> None:
    with pytest.raises(error) as raised:
        pull(hubs, hub, library)
    assert raised.value.message.endswith((".", "!"))
    assert (weights_in(library), library.entries()) == ([], ())


@pytest.mark.parametrize("hub", HUBS)
@pytest.mark.parametrize("offset", OFFSETS)
def test_a_cut_at_any_place_is_resumed(
    hubs: HubEndpoints, hub: HubName, library: Library, right: dict[HubName, str], offset: int
) -> None:
    hubs.faults.add(fault(hub, "cut", after_bytes=offset, times=1))
    ends_well(hubs, hub, library, right[hub])


ONCE: list[tuple[str, dict[str, Any]]] = [
    ("status", {"status": 429, "retry_after": 0}),
    ("status", {"status": 500}),
    ("status", {"status": 503, "retry_after": 0}),
    ("expired", {}),
    ("ignore_range", {}),
    ("etag", {}),
    ("slow", {"bytes_per_second": 20_000}),
]


@pytest.mark.parametrize("hub", HUBS)
@pytest.mark.parametrize(("kind", "fields"), ONCE)
def test_a_passing_fault_is_waited_out(
    hubs: HubEndpoints, hub: HubName, library: Library, right: dict[HubName, str], kind: str, fields: dict[str, Any]
) -> None:
    hubs.faults.add(fault(hub, kind, times=1, **fields))
    ends_well(hubs, hub, library, right[hub])


ALWAYS: list[tuple[str, dict[str, Any], type[errors.HubUiError]]] = [
    ("cut", {"after_bytes": 0}, errors.HubDown),
    ("status", {"status": 429, "retry_after": 60}, errors.RateLimited),
    ("status", {"status": 500}, errors.HubDown),
    ("expired", {}, errors.HubDown),
    ("html", {}, errors.HubUiError),
    ("truncated", {"after_bytes": 1200}, errors.IntegrityError),
    ("wrong_bytes", {}, errors.IntegrityError),
]


CELLS = [(hub, *row) for row in ALWAYS for hub in HUBS if (hub, row[0]) != ("replicate", "wrong_bytes")]


@pytest.mark.parametrize(("hub", "kind", "fields", "error"), CELLS)
def test_a_lasting_fault_is_reported_and_the_next_pull_is_right(
    hubs: HubEndpoints,
    hub: HubName,
    library: Library,
    right: dict[HubName, str],
    kind: str,
    fields: dict[str, Any],
    error: type[errors.HubUiError],
) -> None:
    hubs.faults.add(fault(hub, kind, **fields))
    ends_in_an_error(hubs, hub, library, error)
    hubs.faults.clear()
    ends_well(hubs, hub, library, right[hub])


SMALL_DISK = """
import resource, sys
from pathlib import Path
from tests.faulty_hubs import HubEndpoints
from tests.hub_ui.library.hubs import library_in, pull
folder, hub, limit, *origins = sys.argv[1:]
hubs = HubEndpoints(**dict(zip(("huggingface", "civitai", "replicate", "delivery"), origins)))
resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), resource.RLIM_INFINITY))
pull(hubs, hub, library_in(Path(folder)))
"""


@pytest.mark.parametrize("hub", HUBS)
def test_a_full_disk_is_reported_and_the_part_is_kept(
    hubs: HubEndpoints, hub: HubName, library: Library, right: dict[HubName, str], tmp_path: Path
) -> None:
    """In a process that may write 1200 bytes to a file: from there on writes fail as they do on a full disk."""
    origins = [hubs.huggingface, hubs.civitai, hubs.replicate, hubs.delivery]
    words = ("-c", SMALL_DISK, str(tmp_path), hub, "1200", *origins)
    done = python(*words, check=False, HF_HUB_CACHE=str(tmp_path / "cache"))
    assert "The library folder is on a full disk. Make room and pull again, which goes on" in done.stderr
    assert weights_in(library) == []
    ends_well(hubs, hub, library, right[hub])
