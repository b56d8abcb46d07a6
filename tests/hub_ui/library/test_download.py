"""How a download goes on: across cuts and processes, over several connections, and never with the wrong bytes."""

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from connectors import errors
from connectors.connector import HttpDownload
from connectors.http import ranges
from connectors.http.adapter import RetryPolicy
from hub_ui.library.disk import Fetched
from hub_ui.library.download import DownloadOptions, fetch
from hub_ui.library.partial_file import Meter, PartialFile, Progress, PullCancelled
from tests.connectors.raw_server import raw_server
from tests.connectors.serving import Answer, Hub, Ranged, in_turn
from tests.hub_ui.library.building import ONE_TRY, QUICK, a_part, download, sha256, weights

FILE, OTHER = weights(200_000, b"\x05"), weights(200_000, b"\x06")
WIDE = replace(QUICK, connections=3, parallel_from=1, piece_size=20_000)
HALF = 100_000


def asked_for(hub: Hub) -> list[str]:
    return [asked.headers.get("Range", "all") for asked in hub.asked]


def cut_short(hub: Hub, part: PartialFile, asked: HttpDownload) -> None:
    """One try, which brings the first half."""
    served = hub.answers["/file"]
    assert isinstance(served, Ranged)
    hub.answers["/file"] = replace(served, cut=HALF)
    with pytest.raises(errors.HubDown):
        fetch(asked, part, Meter(), options=replace(ONE_TRY, connections=1))
    part.close()
    hub.answers["/file"] = served
    hub.asked.clear()


@pytest.fixture
def file(hub: Hub) -> HttpDownload:
    hub.answers["/file"] = Ranged(body=FILE)
    return download(hub.url + "/file")


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """No connection is so fast that it is left alone."""
    monkeypatch.setattr("hub_ui.library.download._FAST_BYTES", 10**15)


def test_a_cut_is_gone_on_from_with_if_range(hub: Hub, tmp_path: Path, file: HttpDownload) -> None:
    hub.answers["/file"] = Ranged(body=FILE, cut=70_000)
    got = fetch(file, a_part(tmp_path), Meter(), options=replace(QUICK, connections=1))
    assert got == Fetched(size=len(FILE), sha256=sha256(FILE))
    assert asked_for(hub) == ["all", "bytes=70000-200077", "bytes=140000-200077"]
    assert [asked.headers.get("If-Range") for asked in hub.asked] == [None, '"one"', '"one"']


def test_another_process_goes_on_from_the_part_and_says_so(hub: Hub, tmp_path: Path, file: HttpDownload) -> None:
    cut_short(hub, a_part(tmp_path), file)
    seen: list[Progress] = []
    got = fetch(file, a_part(tmp_path), Meter(on_progress=seen.append), options=QUICK)
    assert (got.sha256, seen[0].total) == (sha256(FILE), len(FILE))
    assert seen[0].done > HALF
    assert asked_for(hub) == ["bytes=100000-200077"]


def test_a_part_that_is_whole_asks_nobody(hub: Hub, tmp_path: Path, file: HttpDownload) -> None:
    first = a_part(tmp_path)
    fetch(file, first, Meter(), options=QUICK)
    first.save()
    hub.asked.clear()
    assert fetch(file, a_part(tmp_path), Meter(), options=QUICK).sha256 == sha256(FILE)
    assert hub.asked == []


@pytest.mark.parametrize(
    ("tag", "later"),
    [
        pytest.param('"one"', Ranged(body=OTHER, etag='"two"'), id="another tag"),
        pytest.param('"one"', Answer(body=OTHER, headers={"ETag": '"one"'}), id="no ranges"),
        pytest.param('"one"', Ranged(body=weights(10)), id="a shorter file"),
        pytest.param(None, Ranged(body=OTHER, etag=None), id="neither tag nor hash"),
    ],
)
def test_what_need_not_be_the_same_file_starts_over(
    hub: Hub, tmp_path: Path, file: HttpDownload, tag: str | None, later: Answer | Ranged
) -> None:
    hub.answers["/file"] = Ranged(body=FILE, etag=tag)
    cut_short(hub, a_part(tmp_path), file)
    hub.answers["/file"] = later
    assert fetch(file, a_part(tmp_path), Meter(), options=QUICK).sha256 == sha256(later.body)


def test_without_a_tag_a_promised_hash_proves_the_halves(hub: Hub, tmp_path: Path, file: HttpDownload) -> None:
    hub.answers["/file"] = Ranged(body=FILE, etag=None)
    promised = replace(file, sha256=sha256(FILE))
    cut_short(hub, a_part(tmp_path, sha256=sha256(FILE)), promised)
    assert fetch(promised, a_part(tmp_path, sha256=sha256(FILE)), Meter(), options=QUICK).sha256 == sha256(FILE)
    assert asked_for(hub) == ["bytes=100000-200077"]


def test_another_promised_hash_drops_the_part(hub: Hub, tmp_path: Path, file: HttpDownload) -> None:
    cut_short(hub, a_part(tmp_path, sha256="a" * 64), file)
    assert a_part(tmp_path, sha256="b" * 64).bytes_done == 0


@pytest.mark.usefixtures("slow")
def test_several_connections_bring_one_file(hub: Hub, tmp_path: Path, file: HttpDownload) -> None:
    got = fetch(file, a_part(tmp_path), Meter(), options=WIDE)
    assert got == Fetched(size=len(FILE), sha256=sha256(FILE))
    assert len(hub.asked) == 11
    assert a_part(tmp_path).path.read_bytes() == FILE


@pytest.mark.usefixtures("slow")
def test_cuts_of_several_connections_leave_gaps_that_are_filled(hub: Hub, tmp_path: Path, file: HttpDownload) -> None:
    hub.answers["/file"] = Ranged(body=FILE, cut=9_000, cuts=3)
    assert fetch(file, a_part(tmp_path), Meter(), options=WIDE).sha256 == sha256(FILE)


def test_gaps_are_known_to_the_next_process(hub: Hub, tmp_path: Path, file: HttpDownload) -> None:
    part = a_part(tmp_path)
    part.update(validator='"one"', size=len(FILE))
    for start, stop in ((0, 50_000), (120_000, 160_000)):
        with part.writer(start) as out:
            out.write(FILE[start:stop])
        part.wrote(start, stop)
    part.save()
    again = a_part(tmp_path)
    assert list(again.gaps()) == [(50_000, 120_000), (160_000, len(FILE))]
    assert fetch(file, again, Meter(), options=replace(QUICK, connections=1)).sha256 == sha256(FILE)
    assert asked_for(hub) == ["bytes=50000-119999", "bytes=160000-200077"]


def test_a_cancelled_pull_goes_on_later(hub: Hub, tmp_path: Path, file: HttpDownload) -> None:
    hub.answers["/file"] = Ranged(body=FILE, cut=HALF)
    part = a_part(tmp_path)
    with pytest.raises(PullCancelled, match="kept"):
        fetch(file, part, Meter(is_cancelled=lambda: part.bytes_done > 0), options=QUICK)
    part.close()
    assert a_part(tmp_path).bytes_done == part.bytes_done > 0


@pytest.mark.timeout(30)
def test_a_pull_that_waits_for_a_stalled_server_is_cancelled(hub: Hub, tmp_path: Path, file: HttpDownload) -> None:
    stalled = threading.Event()
    hub.answers["/file"] = Answer(body=FILE, cut=HALF, stall=stalled)
    part = a_part(tmp_path)
    try:
        with pytest.raises(PullCancelled):
            fetch(file, part, Meter(is_cancelled=lambda: part.bytes_done >= HALF), options=QUICK)
    finally:
        stalled.set()


@pytest.mark.timeout(60)
def test_a_server_that_sends_a_byte_now_and_then_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranges, "_WINDOW_SECONDS", 0.2)

    def pieces() -> Iterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\nContent-Length: 200078\r\n\r\n"
        for at in range(len(FILE)):
            time.sleep(0.02)
            yield FILE[at : at + 1]

    with raw_server(pieces) as server, pytest.raises(errors.HubTimeout, match="Next to nothing"):
        fetch(download(server.url + "/file"), a_part(tmp_path), Meter(), options=ONE_TRY)


def test_an_answer_without_bytes_is_not_asked_for_forever(hub: Hub, tmp_path: Path, file: HttpDownload) -> None:
    cut_short(hub, a_part(tmp_path), file)
    place = {"Content-Range": "bytes 100000-200077/200078", "ETag": '"one"'}
    hub.answers["/file"] = Answer(status=206, headers=place, length=False)
    with pytest.raises(errors.HubDown, match="held nothing"):
        fetch(file, a_part(tmp_path), Meter(), options=QUICK)


def test_an_expired_address_is_renewed_meanwhile(hub: Hub, delivery: Hub, tmp_path: Path, file: HttpDownload) -> None:
    """The hub's own answer leads to a signed address, and the first one has expired when the part is gone on with."""
    delivery.answers["/old"] = Answer(status=403)
    delivery.answers["/new"] = Ranged(body=FILE)
    cut_short(hub, a_part(tmp_path), file)
    old = replace(file, url=delivery.url + "/old", source=hub.url + "/file")
    got = fetch(
        old, a_part(tmp_path), Meter(), options=QUICK, renew=lambda: replace(old, url=delivery.url + "/new")
    )  # fmt: skip
    assert got.sha256 == sha256(FILE)
    assert [asked.path for asked in delivery.asked] == ["/old", "/new"]


def test_a_renewed_address_that_promises_other_bytes_is_refused(hub: Hub, tmp_path: Path, file: HttpDownload) -> None:
    old = replace(file, url=hub.url + "/old", source=file.url, sha256=sha256(FILE))
    hub.answers["/old"] = Answer(status=403)
    with pytest.raises(errors.WrongHash, match="other bytes"):
        fetch(old, a_part(tmp_path), Meter(), options=QUICK, renew=lambda: replace(file, sha256="b" * 64))


def test_a_rate_limit_is_sat_out_as_long_as_it_asks(hub: Hub, tmp_path: Path, file: HttpDownload) -> None:
    waits: list[float] = []
    limited = Answer(status=429, headers={"Retry-After": "7"})
    hub.answers["/file"] = in_turn(limited, Answer(body=FILE))
    fetch(file, a_part(tmp_path), Meter(), options=DownloadOptions(retry=RetryPolicy(pause=waits.append)))
    assert round(sum(waits), 1) == 7.0


def test_one_that_asks_for_too_long_is_told(hub: Hub, tmp_path: Path, file: HttpDownload) -> None:
    hub.answers["/file"] = Answer(status=429, headers={"Retry-After": "600"})
    with pytest.raises(errors.RateLimited, match="in 10 minutes") as raised:
        fetch(file, a_part(tmp_path), Meter(), options=DownloadOptions())
    assert (raised.value.retry_after, len(hub.asked)) == (600.0, 1)


def test_more_bytes_than_are_let_through_end_a_pull() -> None:
    meter = Meter()
    meter.most = 2_000_000
    meter.add(2_000_000)
    with pytest.raises(errors.UsageError, match="more than 2 MB"):
        meter.add(1)
