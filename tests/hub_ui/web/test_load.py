"""Many visitors at once: what is counted is who got an answer."""

import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import anyio
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.hub_ui.web.raw import Visitor, served

VISITORS = 60
# A card of another hub, or the line above the list that offers it: cards that are shown already keep their places.
SEEN = re.compile(r"Ghost Lights|\b[1-9]\d* more\b")


class Hanging:
    """A hub whose searches get no answer until `release` is called."""

    def __init__(self, hub: str) -> None:
        self.hub = hub
        self.released = threading.Event()

    def around(self, origin: str, app: ASGIApp) -> ASGIApp:
        async def held(scope: Scope, receive: Receive, send: Send) -> None:
            while origin == self.hub and not self.released.is_set():
                await anyio.sleep(0.05)
            await app(scope, receive, send)

        return held


@contextmanager
def hanging(home: Path) -> Iterator[tuple[Visitor, Hanging]]:
    hub = Hanging("huggingface")
    with served(home, around=hub.around) as visitor:
        try:
            yield visitor, hub
        finally:
            hub.released.set()


def sees_cards(visitor: Visitor, everybody: threading.Barrier) -> bool:
    """Whether a search brings what another hub has, before it has ended. Nobody leaves before all have seen it."""
    for message in visitor.stream("ask?q="):
        if SEEN.search(message):
            everybody.wait(300)
            return True
    return False


def test_while_one_hub_hangs_everybody_sees_what_the_others_found(tmp_path: Path) -> None:
    everybody = threading.Barrier(VISITORS)
    with hanging(tmp_path) as (visitor, hub), ThreadPoolExecutor(VISITORS) as people:
        asked = [people.submit(sees_cards, visitor, everybody) for _ in range(VISITORS)]
        assert ([each.result() for each in asked].count(True), hub.released.is_set()) == (VISITORS, False)


def test_twenty_visitors_at_once_all_get_what_they_ask_for(hosted: Visitor) -> None:
    """The short form of benchmarks/bench_visitors.py."""
    with ThreadPoolExecutor(20) as people:
        asked = [people.submit(browse, hosted) for _ in range(20)]
        assert [error for each in asked for error in each.result()] == []


def browse(page: Visitor) -> list[str]:
    """Somebody new searches, opens a card and searches on; returns what went wrong."""
    visitor, said, shown = page.with_cookie(), list[str](), list[str]()
    for path in ("", "?q=red", "?open=civitai%3A1001", "?q=red&kind=style"):
        answer = visitor.get(path)
        said += [] if answer.status_code == 200 else [f"{path}: {answer.status_code}"]
        shown += visitor.stream(f"ask{path}")
    shown += visitor.stream("lora/read?open=civitai%3A1001")
    return said if any("<h2" in text for text in shown) else [*said, "no LoRA was shown"]
