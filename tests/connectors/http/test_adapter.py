"""Servers that drip, that send without end, and that lead into this network."""

import gzip
import time
from collections.abc import Iterator

import pytest
import requests
from urllib3.util import Retry

from connectors.errors import BadAnswer, HubUiError
from connectors.http import adapter, session
from connectors.http.adapter import BoundedAdapter, DirectHttp, read_capped, same_site
from connectors.http.session import Endpoint, Session
from tests.connectors.cases import read_cases
from tests.connectors.serving import Answer, Hub, raw_server

READ = read_cases(__file__)

MIB = 1024 * 1024
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def drip(head: bytes, piece: bytes) -> Iterator[bytes]:
    yield head
    while True:
        time.sleep(0.02)
        yield piece


def endless(head: bytes) -> Iterator[bytes]:
    yield head
    for _ in range(1024):
        yield bytes(MIB)


def http(header_seconds: float) -> DirectHttp:
    return DirectHttp(BoundedAdapter(Retry(0), header_seconds=header_seconds))


@pytest.mark.parametrize(
    ("head", "piece"),
    [(HEAD + b"X-Slow: ", b"x"), (b"", b"HTTP/1.1 100 Continue\r\n\r\n")],
    ids=["a header", "100 Continue"],
)
@pytest.mark.timeout(30)
def test_headers_that_never_end_are_a_timeout(head: bytes, piece: bytes) -> None:
    timed_out = pytest.raises(requests.RequestException, match="timed out")
    with raw_server(lambda: drip(head, piece)) as server, http(0.3) as direct, timed_out:
        direct.get(server.url, timeout=30)


@pytest.mark.timeout(30)
def test_a_body_that_drips_is_a_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter, "ANSWER_SECONDS", 0.3)
    with raw_server(lambda: drip(HEAD + b"Content-Length: 100000\r\n\r\n", b" ")) as server, http(20) as direct:
        answer = direct.get(server.url, timeout=30, stream=True)
        with pytest.raises(requests.Timeout):
            read_capped(answer, 1000_000)


@pytest.mark.timeout(30)
@pytest.mark.parametrize("status", [b"302 Found\r\nLocation: /", b"503 Busy"])
def test_endless_bodies_of_redirects_and_faults_are_not_read(status: bytes) -> None:
    head = b"HTTP/1.1 " + status + b"\r\nContent-Length: 9000000000\r\n\r\n"
    with raw_server(lambda: endless(head)) as server:
        asking = Session(Endpoint(hub="civitai", url=server.url), retries=1)
        with pytest.raises(HubUiError):
            asking.json("/x")
        assert server.sent < 64 * MIB


def test_what_unpacks_to_more_than_a_list_can_hold_is_cut(server: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "MAX_JSON_BYTES", MIB)
    packed = gzip.compress(b" " * (64 * MIB))
    server.answers["/x"] = Answer(body=packed, headers={"Content-Encoding": "gzip"})
    with pytest.raises(BadAnswer):
        Session(server.endpoint("civitai")).json("/x")


@pytest.mark.parametrize(("url", "following", "same"), READ["a site is a host over one port"])
def test_a_site_is_a_host_over_one_port(url: str, following: str, same: bool) -> None:
    assert same_site(url, following) is same
