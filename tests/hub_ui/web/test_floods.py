"""Many visitors at once, and one who tries to fill the disk, the queue or the memory of a hosted page."""

import os
import re
import select
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.client import HTTPResponse
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from hub_ui.access.quotas import Limits
from hub_ui.web import api
from tests.faults import Fault
from tests.hub_ui.library.download.queueing import eventually
from tests.hub_ui.web.raw import Visitor, served

MB = 1_000_000
LIMITS = Limits(
    upload_bytes=MB, upload_bytes_per_hour=5 * MB, uploads_bytes=20 * MB, opens_per_minute=20, searches_per_minute=40,
    images_per_hour=10, own_queue=2, steps=100,
)  # fmt: skip


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visitor]:
    with served(tmp_path_factory.mktemp("hosted"), hosted=True, limits=LIMITS) as visitor:
        yield visitor


@pytest.fixture
def person(page: Visitor) -> Visitor:
    return page.with_cookie()


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def said(page: Visitor, name: str, times: int, **arguments: Any) -> Counter[str]:
    """What the endpoint of that name says."""
    return Counter(page.call(name, **arguments).said for _ in range(times))


@pytest.mark.parametrize(
    ("name", "asked"), [("show", {"ref": "civitai:1001"}), ("inspect", {"source": "civitai:1001"})]
)
def test_a_person_who_opens_without_end_meets_a_sentence(person: Visitor, name: str, asked: dict[str, str]) -> None:
    answers = said(person, name, 30, **asked)
    assert sum(number for text, number in answers.items() if "20 LoRAs opened a minute a person." in text) >= 5


def open_many(visitor: Visitor) -> list[str]:
    """Of some of the LoRAs there are none."""
    return ["".join(visitor.stream(f"lora/read?open=civitai:{1001 + number % 10}")) for number in range(25)]


def test_a_person_who_opens_without_end_in_many_tabs_meets_panels_and_a_sentence(person: Visitor) -> None:
    before = size_of(person.services.settings.home)
    with ThreadPoolExecutor(8) as tabs:
        found = [text for tab in tabs.map(lambda _: open_many(person), range(8)) for text in tab]
    refused = [text for text in found if "LoRAs opened a minute " in text]
    assert (len(refused) >= 100, [text for text in found if "<h2" not in text]) == (True, [])
    assert size_of(person.services.settings.home) - before < 5 * MB


def tries(person: Visitor, times: int) -> list[requests.Response]:
    """Long ones, by calls of their own whose answers nobody reads."""
    long: dict[str, Any] = {"refs": [], "base": "tiny-shapes", "steps": 100, "width": 512, "height": 512}
    return [person.begin("try", prompt="a boat", **long) for _ in range(times)]


WAIT = "Your last images are not made yet. Wait for them, or stop them."


def is_idle(page: Visitor) -> bool:
    return bool(page.get("ready").json()["queue"]["generations"] == 0)


@pytest.mark.parametrize("has_cookie", [True, False])
def test_two_hundred_tries_meet_a_sentence_and_the_queue_stays_short(
    page: Visitor, person: Visitor, has_cookie: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What nobody reads ends soon, so others get their images."""
    who = person if has_cookie else page
    asked = tries(who, 200)
    said = [answer.json()["detail"] for answer in asked if answer.status_code == 429]
    assert (len(said) >= 190, set(said)) == (True, {WAIT})
    assert page.get("ready").json()["queue"]["generations"] <= 2
    monkeypatch.setattr(api, "ABANDONED_SECONDS", 0.5)
    # A base that loads, and a step, are waited for: on a busy computer that is minutes.
    eventually(lambda: is_idle(page), 240)
    assert b'outcome="done"' not in page.services.metrics.text()


BOUNDARY = "xxxx"
HEAD = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="start"; filename="x.png"\r\n\r\n'.encode()


def folder_of_uploads() -> Path:
    """Of the app that is served just now."""
    return Path(os.environ["GRADIO_TEMP_DIR"])


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


VISITORS = 60
# A card of another hub, or the line above the list that offers it: cards that are shown already keep their places.
SEEN = re.compile(r"Ghost Lights|\b[1-9]\d* more\b")


def sees_cards(visitor: Visitor, everybody: threading.Barrier) -> bool:
    """Whether a search brings what another hub has, before it has ended. Nobody leaves before all have seen it."""
    for message in visitor.stream("ask?q="):
        if SEEN.search(message):
            everybody.wait(300)
            return True
    return False


def test_while_one_hub_hangs_everybody_sees_what_the_others_found(tmp_path: Path) -> None:
    everybody = threading.Barrier(VISITORS)
    with served(tmp_path) as visitor, ThreadPoolExecutor(VISITORS) as people:
        visitor.faults.add(Fault(kind="latency", hub="huggingface", seconds=3600))
        asked = [people.submit(sees_cards, visitor, everybody) for _ in range(VISITORS)]
        assert [each.result() for each in asked] == [True] * VISITORS
        visitor.faults.clear()
