"""How a download goes on: across cuts and processes, over several connections, and never with the wrong bytes."""

import shutil
import threading
import time
from collections import namedtuple
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from connectors import errors
from connectors.connector import HttpDownload
from connectors.errors import HubDown
from connectors.http import ranges
from connectors.http.retry import Attempts, RetryPolicy
from hub_ui.base.disk import Fetched
from hub_ui.library.download.partial_file import Meter, PartialFile, Progress, PullCancelled
from hub_ui.library.download.transfer import DownloadOptions, fetch
from tests.connectors.serving import Answer, Hub, Ranged, in_turn, raw_server, redirect
from tests.connectors.weights.test_tar import tar
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
    monkeypatch.setattr("hub_ui.library.download.transfer._FAST_BYTES", 10**15)


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


SMALL = weights()


@pytest.fixture
def part(tmp_path: Path) -> PartialFile:
    return a_part(tmp_path)


def fetched(asked: HttpDownload, part: PartialFile) -> Fetched:
    return fetch(asked, part, Meter(), options=QUICK)


def test_a_web_page_of_the_host_it_leads_to_asks_for_no_key(hub: Hub, part: PartialFile) -> None:
    hub.answers["/file"] = redirect(hub.url + "/cdn")
    hub.answers["/cdn"] = Answer(body=b"<html>Just a moment", headers={"Content-Type": "text/html"})
    with pytest.raises(errors.NotWeights, match="web page"):
        fetched(download(hub.url + "/file"), part)


@pytest.mark.parametrize(
    ("answer", "promised", "error", "said"),
    [
        (Answer(body=b"<!DOCTYPE html><html>"), {}, errors.NotWeights, "a web page"),
        (Answer(body=b""), {}, errors.NotWeights, "an empty file"),
        (Answer(body=weights()[:8]), {}, errors.NotWeights, "another kind of file"),
        # A cut without a length shows in the header.
        (Answer(body=SMALL, cut=len(SMALL) - 4, length=False), {}, errors.NotWeights, "describes"),
        (Answer(body=SMALL), {"size": 65}, errors.WrongHash, "65 were promised"),
        # One that does not end is stopped.
        (Answer(body=weights(3_000_000)), {"size": 100}, errors.WrongHash, "More bytes"),
    ],
)
def test_what_is_no_whole_weight_file_is_refused_with_the_reason(
    hub: Hub, part: PartialFile, answer: Answer, promised: dict[str, int], error: type[Exception], said: str
) -> None:
    hub.answers["/file"] = answer
    with pytest.raises(error, match=said):
        fetched(download(hub.url + "/file", **promised), part)


def test_a_rounded_size_is_forgiven_where_the_hash_is_right_also_in_upper_case(hub: Hub, part: PartialFile) -> None:
    hub.answers["/file"] = Answer(body=SMALL)
    fetched(download(hub.url + "/file", size=len(SMALL) + 512, sha256=sha256(SMALL).upper()), part)


def test_a_full_disk_is_told_before_any_byte(hub: Hub, part: PartialFile, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage(10, 10, 9_500_000))
    hub.answers["/file"] = Answer(body=SMALL)
    with pytest.raises(errors.HubUiError, match="Make room") as told:
        fetched(download(hub.url + "/file"), part)
    assert part.bytes_done == 0
    # That 0 MB don't fit into 0 MB would tell nobody what is wrong.
    assert told.value.message.endswith(
        "and 67.1 MB should stay free where the library is, but only 9.5 MB are free there. Make room, or choose "
        "another folder with --library."
    )
    assert "takes 0 MB" not in told.value.message


# Longer than what is read to find it, so that its own requests show.
TAR_FILE = weights(400_000, b"\x07")
PICTURES = b"picture" * 100_000
TAR = tar({"captions/0.txt": b"TOK", "pictures.zip": PICTURES, "out/lora.safetensors": TAR_FILE, "config.yaml": b"x"})
AT = TAR.index(TAR_FILE)


@pytest.fixture
def packed(hub: Hub) -> HttpDownload:
    hub.answers["/tar"] = Ranged(body=TAR)
    return download(hub.url + "/tar", in_tar=True)


def test_only_the_loras_own_bytes_are_fetched(hub: Hub, tmp_path: Path, packed: HttpDownload) -> None:
    seen: list[Progress] = []
    got = fetch(packed, a_part(tmp_path), Meter(on_progress=seen.append), options=QUICK)
    assert (got.size, got.sha256) == (len(TAR_FILE), sha256(TAR_FILE))
    asked = [asked.headers["Range"] for asked in hub.asked]
    assert asked[-1] == f"bytes={AT}-{AT + len(TAR_FILE) - 1}"
    assert seen[0].total == len(TAR_FILE)


def test_a_cut_is_gone_on_from_inside_the_tar(hub: Hub, tmp_path: Path, packed: HttpDownload) -> None:
    hub.answers["/tar"] = Ranged(body=TAR, cut=150_000)
    assert fetch(packed, a_part(tmp_path), Meter(), options=QUICK).sha256 == sha256(TAR_FILE)
    assert hub.asked[-1].headers["Range"] == f"bytes={AT + 300_000}-{AT + len(TAR_FILE) - 1}"


def test_another_process_looks_again_in_another_tar_alone(hub: Hub, tmp_path: Path, packed: HttpDownload) -> None:
    hub.answers["/tar"] = Ranged(body=TAR, cut=150_000)
    part = a_part(tmp_path)
    with pytest.raises(errors.HubDown):
        fetch(packed, part, Meter(), options=ONE_TRY)
    part.close()
    left = shutil.copytree(tmp_path, tmp_path / "another")
    hub.asked.clear()
    hub.answers["/tar"] = Ranged(body=TAR)
    assert fetch(packed, a_part(tmp_path), Meter(), options=QUICK).sha256 == sha256(TAR_FILE)
    assert [asked.headers["Range"] for asked in hub.asked] == [f"bytes={AT + 150_000}-{AT + len(TAR_FILE) - 1}"]
    other = weights(300_000, b"\x08")
    hub.answers["/tar"] = Ranged(body=tar({"lora.safetensors": other}), etag='"two"')
    assert fetch(packed, a_part(left), Meter(), options=QUICK).sha256 == sha256(other)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(Answer(body=TAR), id="without ranges it is taken out while the tar streams"),
        pytest.param(in_turn(*[Answer(body=TAR, cut=800_000)] * 3, Answer(body=TAR)), id="a cut stream begins again"),
        pytest.param(Ranged(body=TAR, cut=10, cuts=1), id="a cut while it is looked for is tried again"),
    ],
)
def test_a_tar_comes_over_a_bad_line(hub: Hub, part: PartialFile, packed: HttpDownload, answer: Any) -> None:
    hub.answers["/tar"] = answer
    assert fetched(packed, part).sha256 == sha256(part.path.read_bytes()) == sha256(TAR_FILE)


DOWN = HubDown("The connection broke off in the middle.")


def tries(done: list[int], **fields: Any) -> int:
    """After how many failures it gives up, where the bytes come so far."""
    attempts = Attempts(RetryPolicy(first=0.0, **fields), lambda: None)
    for tried, came in enumerate(done, 1):
        try:
            attempts.wait(DOWN, came)
        except HubDown:
            return tried
    return 0


@pytest.mark.parametrize(
    ("done", "fields", "given_up"),
    [
        ([7] * 100, {"tries": 3}, 3),
        (list(range(40)), {"tries": 3}, 0),
        (list(range(9, 10_000, 9)), {"most": 50}, 50),
        (list(range(1000, 200_000, 1000)), {"most": 50, "worth": 1000}, 0),
        (list(range(999, 199_800, 999)), {"most": 50, "worth": 1000}, 50),
    ],
    ids=["no progress", "a byte a time", "nine bytes for ever", "a long file on a bad line", "too little a time"],
)
def test_a_download_is_given_up_where_too_little_comes(done: list[int], fields: dict[str, Any], given_up: int) -> None:
    assert tries(done, **fields) == given_up
