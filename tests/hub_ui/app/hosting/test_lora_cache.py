"""hub_ui/app/hosting/lora_cache.py, on a hub of its own."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from connectors.connector import HttpDownload
from connectors.errors import HubUiError, IntegrityError, UsageError
from connectors.ref import Ref
from hub_ui.app.hosting.lora_cache import LoraCache
from hub_ui.library.download.partial_file import Meter, PullCancelled
from tests.clock import Clock
from tests.connectors import serving
from tests.connectors.serving import Answer, Asked, Hub
from tests.hub_ui.library.building import QUICK, sha256, weights
from tests.hub_ui.library.download.queueing import eventually

HOUR = 3600.0
FILES = {number: weights(1000, bytes([number])) for number in range(1, 9)}
SIZE = len(FILES[1])


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serving.hub() as hub:
        for number, data in FILES.items():
            hub.answers[f"/{number}"] = Answer(body=data)
        yield hub


@pytest.fixture
def held(hub: Hub) -> Iterator[threading.Event]:
    """The first two files come once it is set."""
    go_on = threading.Event()

    def answer(asked: Asked) -> Answer:
        go_on.wait(60)
        return Answer(body=FILES[int(asked.path[1:])])

    hub.answers["/1"] = hub.answers["/2"] = answer
    yield go_on
    go_on.set()


@pytest.fixture
def clock() -> Clock:
    return Clock(time.time())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def cache(folder: Path, **fields: Any) -> LoraCache:
    values = {"most": 3 * SIZE + 500, "largest": SIZE + 100, "at_once": 3, "options": QUICK, "free": lambda: 10**10}
    return LoraCache(folder, **{**values, **fields})


def found(hub: Hub, number: int, **fields: Any) -> HttpDownload:
    data = FILES[number]
    ref = Ref.parse(f"civitai:{number}@{number}#{number}")
    values = {"ref": ref, "name": "x.safetensors", "url": f"{hub.url}/{number}", "size": SIZE, "sha256": sha256(data)}
    return HttpDownload(**{**values, **fields})


def fetched(made: LoraCache, hub: Hub, number: int, *, shared: bool = True) -> Path:
    path = made.find(made.fetch(found(hub, number), shared=shared).sha256, shared=shared)
    assert path is not None
    return path


def kept(folder: Path) -> set[int]:
    """Which of FILES lie there."""
    names = {f"{sha256(data)}.safetensors": number for number, data in FILES.items()}
    return {names[path.name] for path in folder.glob("*.safetensors")}


def all_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_a_file_is_fetched_once_and_stays_the_same_to_the_engine(hub: Hub, folder: Path, clock: Clock) -> None:
    made = cache(folder, clock=clock)
    path, asked = fetched(made, hub, 1), len(hub.asked)
    assert (fetched(made, hub, 1), len(hub.asked)) == (path, asked)
    assert (path.name, path.read_bytes()) == (f"{sha256(FILES[1])}.safetensors", FILES[1])
    before, clock.now = path.stat().st_mtime_ns, clock.now + HOUR
    assert (made.find(path.stem), path.stat().st_mtime_ns) == (path, before)


def test_a_file_of_unknown_hash_is_named_by_what_it_hashes_to_also_after_a_restart(hub: Hub, folder: Path) -> None:
    nameless = found(hub, 1, sha256=None, size=None)
    assert cache(folder).fetch(nameless).sha256 == sha256(FILES[1])
    asked = len(hub.asked)
    assert cache(folder).fetch(nameless).sha256 == sha256(FILES[1])
    assert (len(hub.asked), kept(folder)) == (asked, {1})
    assert "civitai" not in (folder / "hashes.json").read_text()


def test_what_was_used_longest_ago_goes_first_and_only_as_much_as_needed(hub: Hub, folder: Path, clock: Clock) -> None:
    made = cache(folder, clock=clock)
    for number in (1, 2, 3):
        made.fetch(found(hub, number))
        clock.now += HOUR
    made.find(sha256(FILES[1]))
    clock.now += HOUR
    made.fetch(found(hub, 4))
    assert kept(folder) == {1, 3, 4}


def test_the_order_of_use_survives_a_restart(hub: Hub, folder: Path, clock: Clock) -> None:
    for number in (2, 1, 3):
        made = cache(folder, clock=clock)
        made.fetch(found(hub, number))
        made.close()
        clock.now += HOUR
    cache(folder, clock=clock).fetch(found(hub, 4))
    assert kept(folder) == {1, 3, 4}


def test_what_is_in_use_stays_however_long_and_the_sentence_says_so(hub: Hub, folder: Path, clock: Clock) -> None:
    made = cache(folder, clock=clock)
    with made.hold([fetched(made, hub, number) for number in (1, 2, 3)]):
        clock.now += 10 * HOUR
        with pytest.raises(HubUiError, match="There is no room for another LoRA on this shared page just now"):
            made.fetch(found(hub, 4))
    assert kept(folder) == {1, 2, 3}
    clock.now += HOUR
    made.fetch(found(hub, 4))
    assert len(kept(folder)) == 3


def test_a_file_that_was_held_was_in_use_until_then(hub: Hub, folder: Path, clock: Clock) -> None:
    made = cache(folder, clock=clock)
    with made.hold([fetched(made, hub, 1)]):
        clock.now += HOUR
        made.fetch(found(hub, 2))
        made.fetch(found(hub, 3))
        clock.now += HOUR
    made.fetch(found(hub, 4))
    assert kept(folder) == {1, 3, 4}


def test_downloads_that_run_count_and_two_of_one_file_are_one(hub: Hub, folder: Path, held: threading.Event) -> None:
    made = cache(folder, most=2 * SIZE + 500)
    with ThreadPoolExecutor(3) as pool:
        sizes = pool.map(lambda number: made.fetch(found(hub, number)).size, (1, 2, 1))
        eventually(lambda: {asked.path for asked in hub.asked} == {"/1", "/2"})
        with pytest.raises(HubUiError, match="There is no room"):
            made.fetch(found(hub, 3))
        held.set()
    assert list(sizes) == [SIZE, SIZE, SIZE]
    assert (kept(folder), len([asked for asked in hub.asked if asked.path == "/1"])) == ({1, 2}, 1)


def test_more_downloads_at_once_than_allowed_meet_a_sentence(hub: Hub, folder: Path, held: threading.Event) -> None:
    made = cache(folder, at_once=1)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(made.fetch, found(hub, 1))
        eventually(lambda: hub.asked)
        with pytest.raises(HubUiError, match="Many LoRAs are being fetched"):
            made.fetch(found(hub, 2))
        held.set()


def test_a_damaged_file_is_dropped_and_fetched_again(hub: Hub, folder: Path) -> None:
    cache(folder).fetch(found(hub, 1))
    path = folder / f"{sha256(FILES[1])}.safetensors"
    path.write_bytes(b"damaged" + FILES[1][7:])
    made = cache(folder)
    assert (made.find(sha256(FILES[1])), path.exists()) == (None, False)
    made.fetch(found(hub, 1))
    assert path.read_bytes() == FILES[1]


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"size": 10 * SIZE}, UsageError),
        ({"url": "/6", "size": None, "sha256": None}, UsageError),
        ({"sha256": "0" * 64}, IntegrityError),
        ({"url": "/gone"}, HubUiError),
        ({"url": "/page", "size": None, "sha256": None}, IntegrityError),
    ],
    ids=["announced as too large", "too large", "other bytes", "gone", "a web page"],
)
def test_nothing_is_left_of_what_failed(hub: Hub, folder: Path, fields: dict[str, Any], error: type) -> None:
    hub.answers["/6"] = Answer(body=weights(50 * SIZE))
    hub.answers["/page"] = Answer(body=b"<!doctype html><p>Log in" + bytes(200))
    url = fields.get("url")
    with pytest.raises(error):
        cache(folder).fetch(found(hub, 1, **{**fields, **({"url": hub.url + url} if url else {})}))
    assert all_bytes(folder) == 0
    assert cache(folder).fetch(found(hub, 1)).size == SIZE


def test_nothing_is_left_of_what_was_stopped_nor_asked_for_before_the_first_byte(hub: Hub, folder: Path) -> None:
    def refuse(size: int) -> None:
        raise UsageError(f"{size} are too many")

    made = cache(folder)
    with pytest.raises(UsageError, match=f"{SIZE} are too many"):
        made.fetch(found(hub, 1), before=refuse)
    assert hub.asked == []
    with pytest.raises(PullCancelled):
        made.fetch(found(hub, 1), Meter(is_cancelled=lambda: True))
    assert all_bytes(folder) == 0


def test_what_only_one_visitor_may_have_is_theirs_alone_and_gone_later(hub: Hub, folder: Path, clock: Clock) -> None:
    made = cache(folder, clock=clock)
    path = fetched(made, hub, 1, shared=False)
    assert made.find(path.stem) is None
    clock.now += HOUR
    made.fetch(found(hub, 2))
    assert made.find(path.stem, shared=False) is None
    made.fetch(found(hub, 3), shared=False)
    made.close()
    assert all_bytes(folder) == SIZE


def test_a_disk_that_is_almost_full_takes_nothing_more(hub: Hub, folder: Path) -> None:
    with pytest.raises(HubUiError, match="no room"):
        cache(folder, free=lambda: 1_000_000_050).fetch(found(hub, 1))


def test_what_processes_left_that_were_killed_goes_and_what_others_fetch_stays(hub: Hub, folder: Path) -> None:
    dead, alive = (folder / "running" / name for name in ("dead", "alive"))
    for left in (dead, alive):
        left.mkdir(parents=True)
        (left / "x.part").write_bytes(bytes(SIZE))
    made = cache(folder)
    with FileLock(alive / "lock"):
        made.fetch(found(hub, 3))
    assert ([dead.exists(), alive.exists()], kept(folder), made.total_bytes()) == ([False, True], {3}, 2 * SIZE)
