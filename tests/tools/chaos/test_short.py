"""The kills of `make chaos` in short, and that it would see what must not be."""

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from connectors.ref import Origin, Ref
from hub_ui.demo.hubs.folder import generate_safetensors
from hub_ui.library import lockfile
from tests.hub_ui.library.building import entry
from tests.hub_ui.library.download.queueing import Pulls, queue
from tests.recording import Request
from tests.tools.chaos.__main__ import Stage, stage
from tests.tools.chaos.crawl import KilledCrawl
from tests.tools.chaos.home import Broken, Home
from tests.tools.chaos.wanted import Wanted

SPEC = {"tensors": {"w": ["U8", [5000]]}, "seed": 1}
REF = Ref.parse("civitai:101@201#301")


@pytest.fixture(scope="module")
def short() -> Iterator[Stage]:
    with stage(1, slow_seconds=(0.1, 0.8)) as found:
        yield found


# Of four rounds in a row: one with faults of the hubs besides, and one with a second process that waits.
@pytest.mark.parametrize("number", [1, 2])
def test_a_killed_queue_ends_with_every_file_right_and_none_fetched_twice(short: Stage, number: int) -> None:
    told = short.play(number)
    assert told.kills != []
    assert told.sent < 3 * short.usual.sent


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """One file wanted, and there."""
    content = generate_safetensors(SPEC)
    path = tmp_path / "home"
    (path / "loras").mkdir(parents=True)
    (path / "loras" / "ink.safetensors").write_bytes(content.read(0, content.size))
    known = entry(ref=REF, file="ink.safetensors", size=content.size, sha256=content.sha256)
    (path / "loras" / "loras.lock").write_text(lockfile.dumps([known]))
    wanted = Wanted(ref=REF, hub="civitai", place="/301/", size=content.size, sha256=content.sha256, rate=None)
    with queue(path, Pulls()) as running:
        running.wait(running.add(REF, "Ink").id)
    return Home(path=path, wanted=[wanted])


def test_a_right_home_passes(home: Home) -> None:
    home.check_end()
    assert home.kept().bytes_of == {REF: home.wanted[0].size}


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("ink.safetensors", b"half", "is not what the lock file says"),
        ("other.safetensors", b"half", "wrong bytes under a final name"),
        ("loras.lock", b"version = 1\n[[lora]]\nref = ", "the lock file can't be read"),
        ("loras.lock", b"version = 1\n", "done without an entry"),
        ("../log.txt", b"ERROR:root:A thread ended by itself.\nTraceback (most recent call last):\n", "in the log"),
        ("../queue.sqlite.damaged-1", b"", "moved aside as damaged"),
    ],
)
def test_a_wrong_file_is_seen(home: Home, name: str, data: bytes, message: str) -> None:
    (home.library / name).write_bytes(data)
    with pytest.raises(Broken, match=message):
        home.kept()


@pytest.mark.parametrize("name", ["ink.0123.part", ".hub-ui/0123.json", "loras.lock.new", "../cache/0123.incomplete"])
def test_a_leftover_in_the_end_is_seen(home: Home, name: str) -> None:
    (home.library / name).parent.mkdir(exist_ok=True)
    (home.library / name).write_bytes(b"")
    with pytest.raises(Broken, match="left over"):
        home.check_end()


def killed_crawl(home: Path) -> KilledCrawl:
    loras: dict[Origin, int] = {"civitai": 600, "huggingface": 400, "replicate": 250}
    return KilledCrawl(loras=loras, home=home / "home", random=Random(3))


def test_a_crawl_that_is_killed_again_and_again_ends_complete_with_no_page_fetched_in_vain(tmp_path: Path) -> None:
    told = killed_crawl(tmp_path).play(kills=2)
    assert told.kills > 0
    assert told.fetched - told.again == 21


def request(page: int) -> Request:
    return Request(origin="civitai", method="GET", path="/api/v1/models", query=f"cursor={page}", headers=[])


@pytest.mark.parametrize(
    ("lives", "message"),
    [([[1, 2, 2]], "fetched twice by one process"), ([[1, 2, 3], [2, 3, 4]], "2 pages of civitai fetched again")],
)
def test_a_page_that_is_fetched_too_often_is_seen(tmp_path: Path, lives: list[list[int]], message: str) -> None:
    crawl = killed_crawl(tmp_path)
    *earlier, last = [[request(page) for page in pages] for pages in lives]
    for requests in earlier:
        crawl.check_requests(requests)
    with pytest.raises(Broken, match=message):
        crawl.check_requests(last)
