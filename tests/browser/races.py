"""Random acts on a page whose answers come late, in any order; then the page has to be what its address says.

`python -m tests.browser.races --page compare --rounds 200 --seed 7`
"""

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

from playwright.sync_api import Browser, Error, Page, sync_playwright
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

from connectors.errors import HubUiError, NetworkError
from connectors.query import Query
from connectors.ref import Ref
from hub_ui.demo.hubs.folder import SAMPLES
from hub_ui.web import app
from tests.browser.chromium import chromium
from tests.hub_ui.web.raw import Visitor, served

SCRIPT = Path(__file__).with_name("races.js")
LATEST = 0.7
# Nothing has been under way for so long, in milliseconds.
QUIET = 300
PATIENCE = 30_000
WARM_SECONDS = 120.0
# One or two letters that find nothing are not in the address until Enter.
TYPED = ("", "ink", "robot", "flu", "tree")
IN_LIBRARY = ("civitai:900103", "civitai:900102", "civitai:122431@1224311#12243110")


@dataclass(frozen=True)
class Late:
    """ASGI middleware: each answer begins up to LATEST seconds late."""

    app: ASGIApp
    random: Random

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_answer = scope["type"] == "http" and not scope["path"].startswith(("/web/", "/hub-picture"))
        if is_answer and (b"x-in-time", b"yes") not in scope["headers"]:
            await asyncio.sleep(self.random.uniform(0, LATEST))
        await self.app(scope, receive, send)


@contextmanager
def late_demo(folder: Path, random: Random) -> Iterator[Visitor]:
    checks: Callable[..., list[Middleware]] = app.build_checks

    def with_delay(*args: Any, **named: Any) -> list[Middleware]:
        return [*checks(*args, **named), Middleware(Late, random=random)]

    with patch.object(app, "build_checks", with_delay), served(folder, data=SAMPLES) as demo:
        queue = demo.services.queue
        for ref in IN_LIBRARY:
            queue.wait(demo.services.downloads.enqueue(Ref.parse(ref)).id)
        queue.clear()
        # All that hubs and files say is known, and what hubs find by these words: no list says less than another of the
        # same address, and no card waits. A busy computer takes longer for it than a person would wait.
        for text in TYPED:
            asked = Query(text=text, limit=100, nsfw="explicit")
            for answer in chain.from_iterable(demo.services.lookup.search(asked, timeout=WARM_SECONDS)):
                if isinstance(answer.error, NetworkError):
                    raise answer.error
                for lora in answer.page.loras if answer.page and not text else ():
                    with suppress(HubUiError):
                        demo.services.lookup.inspect(demo.services.lookup.record(lora.ref).ref)
        yield demo


def evaluate(page: Page, name: str, argument: Any = None) -> Any:
    """What the script's function of that name gives.

    A page loads anew where the answer to a step back was left out (navigation.js), and may do so meanwhile.
    """
    script = f"(argument) => races.{name}(argument)"
    try:
        return page.evaluate(script, argument)
    except Error as error:
        if "navigation" not in error.message:
            raise
        page.wait_for_load_state()
        return page.evaluate(script, argument)


def rest(page: Page) -> None:
    evaluate(page, "beBusy")
    page.wait_for_function("(quiet) => races.isAtRest(quiet)", arg=QUIET, timeout=PATIENCE)


@dataclass(frozen=True, kw_only=True)
class Room:
    """What a person does on a page, of which all is compared with the page of the same address in another tab.

    `texts` and `choices` are of fields. One that is typed into is left by one of `leaves`, or not at all.
    """

    address: str
    clicks: tuple[str, ...]
    texts: tuple[tuple[str, tuple[str, ...]], ...]
    leaves: tuple[str, ...] = ("Tab",)
    choices: tuple[tuple[str, tuple[str, ...]], ...] = ()
    keys: tuple[str, ...] = ()


BROWSE = Room(
    address="",
    # A group of filters is read when it is opened.
    clicks=("#filters input[name], #filters .fold:not([open]) > summary", "#cards .card:nth-child(-n+6) .hit"),
    texts=(("#q", TYPED),),
    leaves=("Enter", ""),
    choices=(("#order", ("relevance", "downloads", "newest")),),
    keys=("Escape",),
)
COMPARE = Room(
    address="try?lora=civitai:900103&lora=civitai:900102&seed=1&steps=4",
    clicks=(".tab", "[id^=up-], [id^=down-]", "#words-switch", "#dice"),
    texts=(
        ("#prompt", ("a red circle", "a house", "a tree")),
        ("#try [name=steps]", ("4", "9")),
        ("#try [name=seed]", ("3", "4")),
    ),
)
LIBRARY = Room(
    address="library",
    clicks=("#filters a.check", ".shelf .hit", "[data-close]"),
    texts=(("#lq", ("dial", "robot", "")),),
)
ROOMS = {"browse": BROWSE, "compare": COMPARE, "library": LIBRARY}


def act(room: Room, page: Page, random: Random) -> tuple[str, str | None]:
    """What kind of act, and which, for a person who reads of a failure; None where there was nothing to do."""
    kinds = ["click", "click", "click", "type", "back", "forward"]
    kind = random.choice(kinds + ["choose"] * bool(room.choices) + ["press"] * bool(room.keys))
    if kind == "click":
        return kind, evaluate(page, "click", [random.choice(room.clicks), random.random()])
    if kind == "press":
        key = random.choice(room.keys)
        page.keyboard.press(key)
        return kind, key
    if kind in ("back", "forward"):
        # Within the page alone. The browser gets there a moment later: a person sees that before the next act.
        step = -1 if kind == "back" else 1
        return kind, kind if evaluate(page, "canGo", step) and not evaluate(page, "go", step) else None
    name, values = random.choice(room.texts if kind == "type" else room.choices)
    field, value = page.locator(name), random.choice(values)
    if value == field.input_value():
        return kind, None
    if kind == "choose":
        field.select_option(value)
    else:
        field.fill(value)
        if leave := random.choice(room.leaves):
            field.press(leave)
    return kind, f"{name}: {value}"


def play(name: str, page: Page, other: Page, random: Random) -> tuple[list[str], list[str]]:
    """The acts of a round, and what is wrong after it."""
    acts = list[str]()
    for _ in range(random.randint(2, 8)):
        kind, said = act(ROOMS[name], page, random)
        acts += [said] if said else []
        page.wait_for_timeout(random.choice([0, 20, 100, 350]))
    rest(page)
    other.goto(page.url)
    rest(other)
    shown, expected = evaluate(page, name), evaluate(other, name)
    if kind != "type" or said is None:
        # What is typed stays, and the click after it may go elsewhere before it is asked for.
        expected.pop("typed", None)
    return acts, [f"{key}: {shown[key]} instead of {value}" for key, value in expected.items() if shown[key] != value]


def played(browser: Browser, url: str, name: str, rounds: int, random: Random) -> Iterator[tuple[list[str], list[str]]]:
    """The rounds that went wrong on one of the pages."""
    page = browser.new_page()
    other = browser.new_page(extra_http_headers={"X-In-Time": "yes"})
    for each in (page, other):
        each.add_init_script(path=SCRIPT)
    for number in range(rounds):
        if number % 25 == 0:
            page.goto(url + ROOMS[name].address)
            rest(page)
        said, found = play(name, page, other, random)
        if found:
            yield said, found
    page.close()
    other.close()


def run(name: str, rounds: int, seed: int) -> int:
    random, path = Random(seed), chromium()
    with (
        tempfile.TemporaryDirectory() as folder,
        late_demo(Path(folder), random) as demo,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        wrong = 0
        for said, found in played(browser, demo.url, name, rounds, random):
            wrong += 1
            print(json.dumps({"acts": said, "faults": found})[:1500], flush=True)
        browser.close()
    print(f"{rounds - wrong} of {rounds} rounds right on {name}, seed {seed}")
    return wrong


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.browser.races")
    parser.add_argument("--page", choices=ROOMS, default="browse")
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=7)
    asked = parser.parse_args(arguments)
    return 1 if run(asked.page, asked.rounds, asked.seed) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
