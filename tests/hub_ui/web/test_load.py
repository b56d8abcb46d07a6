"""Many visitors at once: what is counted is who got an answer."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import anyio
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.hub_ui.web.raw import STATES, Visitor, served

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
        search = partial(visitor.services.lookup.search, timeout=600.0)
        object.__setattr__(visitor.services, "search", search)
        try:
            yield visitor, hub
        finally:
            hub.released.set()


def sees_cards(visitor: Visitor, show: int, search: int, everybody: threading.Barrier) -> bool:
    """Whether a search brings what another hub has, before it has ended. Nobody leaves before all have seen it."""
    visitor.open(show, "")
    joined = visitor.join(search, STATES).json()["event_id"]
    for message in visitor.messages():
        if message.get("event_id") == joined and SEEN.search(json.dumps(message)):
            everybody.wait(300)
            return True
    return False


def test_while_one_hub_hangs_everybody_sees_what_the_others_found(tmp_path: Path) -> None:
    everybody = threading.Barrier(VISITORS)
    with hanging(tmp_path) as (visitor, hub), ThreadPoolExecutor(VISITORS) as people:
        show, search = visitor.event("nav.act > state").number, visitor.event("state.change > state").number
        asked = [people.submit(sees_cards, visitor.another(), show, search, everybody) for _ in range(VISITORS)]
        assert ([each.result() for each in asked].count(True), hub.released.is_set()) == (VISITORS, False)


def test_twenty_visitors_at_once_all_get_what_they_ask_for(hosted: Visitor) -> None:
    """The short form of benchmarks/bench_visitors.py."""
    numbers = hosted.numbers()
    with ThreadPoolExecutor(20) as people:
        asked = [people.submit(browse, hosted.another(), numbers) for _ in range(20)]
        assert [error for each in asked for error in each.result()] == []


def browse(visitor: Visitor, numbers: dict[str, int]) -> list[str]:
    """Searches, opens a card and goes to try it; returns what went wrong."""
    said, shown = [], list[str]()
    for address in ("", "q=red", "open=civitai%3A1001", "view=try&lora=civitai%3A1001"):
        act = {"act": "address", "query": address}
        for what in ("nav.act > state", "state.change > state", "state.change > panel"):
            answer = visitor.ask(numbers[what], STATES, act, on_step=lambda step: shown.append(json.dumps(step)))
            said.append(answer.said)
    if not any("<h2 dir=" in text for text in shown):
        said.append("no LoRA was shown")
    return [text for text in said if text]
