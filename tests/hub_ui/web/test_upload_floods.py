"""Uploads without end: each is bounded, and so are all of an hour."""

from __future__ import annotations

import os
import select
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from http.client import HTTPResponse
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from hub_ui.hosting.limits import Limits
from tests.hub_ui.web.conftest import PART
from tests.hub_ui.web.raw import Visitor, served

MB = 1_000_000
LIMITS = Limits(upload_bytes=MB, upload_bytes_per_hour=5 * MB, uploads_bytes=20 * MB)
BOUNDARY = "xxxx"
HEAD = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="start"; filename="x.png"\r\n\r\n'.encode()


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visitor]:
    with served(tmp_path_factory.mktemp("hosted"), hosted=True, limits=LIMITS) as visitor:
        yield visitor


@pytest.fixture
def person(page: Visitor) -> Visitor:
    return page.with_cookie()


def give(visitor: Visitor) -> requests.Response:
    return replace(visitor, headers={**visitor.headers, **PART}).post("upload", files={"lock": ("x", bytes(MB - 1000))})


def folder_of_uploads() -> Path:
    """Of the app that is served just now."""
    return Path(os.environ["GRADIO_TEMP_DIR"])


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def send(page: Visitor, *headers: str, megabytes: int) -> tuple[int, str, int]:
    """Sends an upload piece by piece until it is refused. Returns the answer and how many megabytes went out."""
    place, sent = urlsplit(page.url), 0
    with socket.create_connection((place.hostname, place.port), timeout=30) as connection:
        lines = [f"Host: {place.netloc}", f"Content-Type: multipart/form-data; boundary={BOUNDARY}", *headers]
        connection.sendall("\r\n".join(["POST /upload HTTP/1.1", *lines, "", ""]).encode())
        chunked = any("chunked" in header for header in headers)
        with suppress(OSError):
            for piece in [HEAD, *[bytes(MB)] * megabytes]:
                # Three megabytes are too much for all that is tried here: then the answer is on its way.
                if select.select([connection], [], [], 0.05 if sent < 3 else 30)[0]:
                    break
                connection.sendall(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
                sent += len(piece) // MB
        answer = HTTPResponse(connection)
        answer.begin()
        return answer.status, answer.read().decode(), sent


def test_fifty_uploads_of_500_megabytes_are_refused_before_they_come(page: Visitor) -> None:
    folder = folder_of_uploads()
    before = size_of(folder)
    for _ in range(50):
        status, answer, sent = send(page, f"Content-Length: {500 * MB}", megabytes=500)
        assert (status, "This is too much for one request" in answer, sent <= 3) == (413, True, True)
    assert size_of(folder) == before


def test_an_upload_that_does_not_say_how_long_it_is_ends_at_the_limit(page: Visitor) -> None:
    status, answer, sent = send(page, "Transfer-Encoding: chunked", megabytes=500)
    assert (status, "This is too much for one request" in answer, sent < 10) == (413, True, True)


def test_one_person_meets_a_sentence_with_when_it_goes_on(person: Visitor) -> None:
    answers = [give(person) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    assert "5.0 MB uploaded an hour a person. This one in " in answers[-1].text


def test_the_uploads_of_many_stay_within_their_room(page: Visitor) -> None:
    folder = folder_of_uploads()
    answers = [give(page) for _ in range(30)]
    statuses = Counter(answer.status_code for answer in answers)
    assert (statuses[200] + statuses[507], statuses[507] >= 10) == (30, True)
    assert "There is no room for another file here just now. Try again in an hour." in answers[-1].text
    assert size_of(folder) < 22 * MB
