import io
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
import requests

from connectors import errors
from connectors.http import adapter
from connectors.http.adapter import file_http
from connectors.http.ranges import FileChanged, HttpReader, Range, RangedSource
from connectors.http.retry import RetryPolicy
from connectors.weights.header import FileReader
from connectors.weights.inspect import read_sparingly
from tests.connectors.serving import Answer, Asked, Hub, Reply, redirect

DATA = bytes(range(256)) * 8
KEY = {"Authorization": "Bearer secret"}
ENDLESS = {"Content-Length": str(10**12)}


@pytest.fixture
def http() -> Iterator[requests.Session]:
    with file_http() as session:
        yield session


def reader(http: requests.Session, url: str, *, asked: int = 0, **fields: Any) -> HttpReader:
    source = RangedSource(url, retry=RetryPolicy(tries=3, first=0.0), **fields)
    source.requests = asked
    return HttpReader(http, source)


@pytest.fixture
def source(server: Hub, http: requests.Session) -> HttpReader:
    """Of /f, where all the data is unless a test has put something else there."""
    server.answers.setdefault("/f", parts())
    return reader(http, server.url + "/f")


@pytest.fixture
def signed(server: Hub, elsewhere: Hub) -> Hub:
    """Where /f leads."""
    server.answers["/f"] = redirect(elsewhere.url + "/signed")
    elsewhere.answers["/signed"] = parts()
    return elsewhere


def parts(data: bytes = DATA, **headers: str) -> Callable[[Asked], Answer]:
    """Answers ranges as RFC 9110 wants it; `Content_Range="..."` replaces that header."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}

    def answer(asked: Asked) -> Answer:
        first, _, last = asked.headers["Range"].removeprefix("bytes=").partition("-")
        start, stop = int(first), min(int(last) + 1, len(data))
        if start >= stop:
            return Answer(status=416, headers={"Content-Range": f"bytes */{len(data)}"})
        place = {"Content-Range": f"bytes {start}-{stop - 1}/{len(data)}"}
        return Answer(status=206, body=data[start:stop], headers={**place, **named})

    return answer


def test_a_part_is_asked_for_and_no_more(server: Hub, source: HttpReader) -> None:
    assert source.read(10, 20) == DATA[10:20]
    assert (server.asked[0].headers["Range"], server.asked[0].headers["Accept-Encoding"]) == ("bytes=10-19", "identity")
    assert (source.size, source.bytes_read, source.requests) == (2048, 10, 1)


def test_what_is_held_is_not_asked_for_again(server: Hub, source: HttpReader) -> None:
    assert [source.read(0, 100), source.read(50, 60), source.read(90, 120)] == [DATA[:100], DATA[50:60], DATA[90:120]]
    assert source.read(0, 120) == DATA[:120]
    assert [asked.headers["Range"] for asked in server.asked] == ["bytes=0-99", "bytes=100-119"]


def test_a_read_ends_where_the_file_does(source: HttpReader) -> None:
    assert source.read(2040, 9000) == DATA[2040:]
    assert source.read(5000, 9000) == b""
    assert source.requests == 1


def test_a_read_past_the_end_is_empty_and_says_the_size(server: Hub, source: HttpReader) -> None:
    server.answers["/f"] = parts(b"")
    assert (source.read(0, 100), source.size) == (b"", 0)


PAGES = ("text/html", "text/html; charset=utf-8")
PARTS = ("", "bytes 5-14/2048", "bytes 0-99/2048", "bytes 0-4/2048", "bytes 9-0/2048", "bytes 0-9/5", "items 0-9/2048")
PLACES = ("file:///etc/passwd", "http://[", "http://", f"http://{'a' * 300}.invalid/")


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        (Answer(status=416), errors.BadAnswer, "416"),
        (Answer(status=416, headers={"Content-Range": "bytes */500"}), errors.BadAnswer, "416"),
        *((Answer(status=status), errors.BadAnswer, str(status)) for status in (201, 204, 304)),
        *((redirect(place), errors.NetworkError, "The server") for place in PLACES),
        *((Answer(headers={"Content-Type": page, **ENDLESS}), errors.NotWeights, "web page") for page in PAGES),
        *((parts(Content_Range=part), errors.BadAnswer, "part of the file") for part in PARTS),
        (parts(Content_Encoding="gzip"), errors.BadAnswer, "compresses"),
    ],
)
def test_what_is_no_part_of_the_file_is_refused_with_the_reason(
    server: Hub, source: HttpReader, answer: Reply, error: type[errors.HubUiError], said: str
) -> None:
    server.answers["/f"] = answer
    with pytest.raises(error, match=said):
        source.read(0, 10)


def test_redirects_count_and_are_gone_once(server: Hub, signed: Hub, source: HttpReader) -> None:
    source.read(0, 10)
    assert source.requests == 2
    source.read(10, 20)
    assert (source.requests, len(server.asked)) == (3, 1)


def test_the_key_goes_to_its_own_origin_alone(server: Hub, signed: Hub, http: requests.Session) -> None:
    source = reader(http, server.url + "/f", headers={**KEY, "X-Key": "secret"})
    source.read(0, 10)
    source.read(10, 20)
    assert server.asked[0].headers["Authorization"] == "Bearer secret"
    assert "secret" not in str([asked.headers for asked in signed.asked])


def test_a_signed_address_that_expired_is_renewed_once(signed: Hub, source: HttpReader) -> None:
    source.read(0, 10)
    signed.answers["/signed"] = lambda asked: Answer(status=403) if len(signed.asked) == 2 else parts()(asked)
    assert source.read(10, 20) == DATA[10:20]
    assert source.requests == 5


def test_one_that_stays_expired_is_refused_by_its_host(server: Hub, elsewhere: Hub, http: requests.Session) -> None:
    server.answers["/f"] = redirect(elsewhere.url + "/signed")
    elsewhere.answers["/signed"] = Answer(status=403)
    with pytest.raises(errors.HubDown, match="delivery host"):
        reader(http, server.url + "/f", hub="civitai").read(0, 10)
    assert len(elsewhere.asked) == 2


def test_an_expired_address_is_replaced_by_the_lasting_one(server: Hub, http: requests.Session) -> None:
    server.answers |= {"/signed": Answer(status=403), "/f": parts()}
    source = reader(http, server.url + "/signed", lasting_url=server.url + "/f", asked=1)
    assert (source.read(0, 10), source.requests) == (DATA[:10], 3)


def test_redirects_in_circles_end(server: Hub, source: HttpReader) -> None:
    server.answers["/f"] = redirect("/f")
    with pytest.raises(errors.BadAnswer, match="in circles"):
        source.read(0, 10)
    assert len(server.asked) == 8


@pytest.mark.parametrize("status", [302, 200, 503])
def test_the_body_of_what_is_no_part_is_never_read(server: Hub, source: HttpReader, status: int) -> None:
    """It claims a terabyte of which nothing comes: who reads it waits for twenty seconds."""
    wrong = Answer(status=status, headers={"Location": "/g", **ENDLESS})
    server.answers |= {"/f": lambda asked: wrong if len(server.asked) == 1 else parts()(asked), "/g": parts()}
    if status == 200:
        with pytest.raises(errors.BadAnswer, match="whole files only"):
            source.read(0, 10)
    else:
        assert source.read(0, 10) == DATA[:10]
    assert source.bytes_read == (0 if status == 200 else 10)


def test_a_fault_of_the_server_is_tried_three_times_and_counted(server: Hub, source: HttpReader) -> None:
    server.answers["/f"] = Answer(status=502)
    with pytest.raises(errors.HubDown, match=r"answered with an error \(502\)"):
        source.read(0, 10)
    assert (source.requests, len(server.asked)) == (3, 3)


def test_ranges_wait_as_long_as_a_busy_server_asks(server: Hub, http: requests.Session) -> None:
    busy = Answer(status=503, headers={"Retry-After": "2"})
    server.answers["/f"] = lambda asked: busy if len(server.asked) < 3 else parts()(asked)
    waits: list[float] = []
    source = RangedSource(server.url + "/f", retry=RetryPolicy(tries=3, first=0.1, pause=waits.append))
    assert HttpReader(http, source).read(0, 10) == DATA[:10]
    assert waits == [2.0, 2.0]


def test_a_page_to_sign_in_wants_a_key(server: Hub, http: requests.Session) -> None:
    page = Answer(body=b"<html>", headers={"Content-Type": "text/html"})
    server.answers |= {"/f": redirect("/login?reason=download-auth"), "/login": page}
    with pytest.raises(errors.KeyRequired):
        reader(http, server.url + "/f", hub="civitai").read(0, 10)


def test_a_part_of_another_file_is_refused_if_the_server_heeds_no_condition(
    server: Hub, http: requests.Session
) -> None:
    server.answers["/f"] = parts(ETag='"second"')
    with pytest.raises(FileChanged, match="exchanged the file"):
        RangedSource(server.url + "/f").open(http, Range(start=10, stop=20, validator='"first"'))
    with RangedSource(server.url + "/f").open(http, Range(start=10, stop=20, validator='"second"')).response as same:
        assert (server.asked[0].headers["If-Range"], same.content) == ('"first"', DATA[10:20])


def test_a_size_that_changes_is_refused(server: Hub, source: HttpReader) -> None:
    source.read(0, 10)
    server.answers["/f"] = parts(DATA + DATA)
    with pytest.raises(errors.BadAnswer, match="exchanged"):
        source.read(10, 20)


def test_a_server_that_does_not_say_the_size_is_read_all_the_same(server: Hub, source: HttpReader) -> None:
    server.answers["/f"] = parts(Content_Range="bytes 0-9/*")
    assert (source.read(0, 10), source.size) == (DATA[:10], None)


def test_a_body_that_breaks_off_is_told(server: Hub, source: HttpReader) -> None:
    server.answers["/f"] = Answer(
        status=206, body=DATA[:6], headers={"Content-Range": "bytes 0-9/2048", "Content-Length": "6"}
    )
    with pytest.raises(errors.HubDown, match="broke off"):
        source.read(0, 10)
    assert source.bytes_read == 6


def test_a_body_longer_than_it_says_is_read_no_further(server: Hub, source: HttpReader) -> None:
    server.answers["/f"] = Answer(status=206, body=DATA, headers={"Content-Range": "bytes 0-9/2048"})
    assert (source.read(0, 10), source.bytes_read) == (DATA[:10], 10)


def test_an_endless_answer_is_given_up(server: Hub, source: HttpReader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter, "ANSWER_SECONDS", -1.0)
    server.answers["/f"] = parts()
    with pytest.raises(errors.HubTimeout):
        source.read(0, 10)


def test_of_a_refusal_only_the_start_is_read(server: Hub, source: HttpReader) -> None:
    server.answers["/f"] = Answer(status=404, body=b"x" * 1_000_000)
    with pytest.raises(errors.NotFound):
        source.read(0, 10)
    assert source.bytes_read == 64 * 1024


def test_a_file_on_disk_costs_bytes_and_no_requests() -> None:
    source = FileReader(io.BytesIO(DATA))
    assert (source.read(10, 20), source.read(2040, 9000), source.read(9000, 9001)) == (DATA[10:20], DATA[2040:], b"")
    assert (source.size, source.bytes_read, source.requests) == (2048, 18, 0)


def test_a_sparing_read_stops_before_the_fourth_request(server: Hub, http: requests.Session) -> None:
    server.answers["/f"] = parts()
    source = reader(http, server.url + "/f", asked=2)
    read = partial(read_sparingly, source, source)
    assert [read(0, 10), read(5, 8), read(50, 60)] == [DATA[:10], DATA[5:8], b""]
    assert source.requests == 3


def test_a_sparing_read_takes_nothing_big_and_fails_softly(server: Hub, http: requests.Session) -> None:
    source = reader(http, server.url + "/gone")
    assert (read_sparingly(source, source, 0, 10_000_000), server.asked) == (b"", [])
    assert read_sparingly(source, source, 0, 10) == b""
