"""The page by raw HTTP, as someone who writes requests by hand meets it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias
from uuid import uuid4

import requests

from hub_ui import app, services
from hub_ui.commands.demo import demo_settings
from hub_ui.demo.hubs.server import Around, running_hubs
from hub_ui.services import Services
from tests.hub_ui.library.shared_hubs import CONTRACT

SECONDS = 60
# What is sent in place of a State is not read, nor is one value too many.
STATES = [None] * 4
OnStep: TypeAlias = Callable[[dict[str, Any]], None]


def ignore(message: dict[str, Any]) -> None:
    """For who wants to know the end only."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """One entry of the page's own list. `name` is made of the components that start it and what happens to them."""

    number: int
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    @property
    def what(self) -> str:
        """What starts it, and the first part that it changes."""
        return f"{self.name} > {self.outputs[0] if self.outputs else 'nothing'}"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """`said` is what the page would show: the refusal of a request, or the error an event ended with."""

    status: int
    said: str = ""
    data: tuple[Any, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Visitor:
    """Someone with a session of their own."""

    url: str
    services: Services
    headers: Mapping[str, str] = field(default_factory=dict)
    session: str = field(default_factory=lambda: uuid4().hex)

    def another(self) -> Visitor:
        return replace(self, session=uuid4().hex)

    def get(self, path: str, **more: Any) -> requests.Response:
        return requests.get(self.url + path, headers=self.headers, timeout=SECONDS, **more)

    def post(self, path: str, **more: Any) -> requests.Response:
        return requests.post(self.url + path, headers=self.headers, timeout=SECONDS, **more)

    def config(self) -> dict[str, Any]:
        return dict(self.get("config").json())

    def events(self) -> list[Event]:
        config = self.config()
        parts = {part["id"]: part for part in config["components"]}
        return [_event(dependency, parts) for dependency in config["dependencies"]]

    def upload(self, name: str, data: bytes) -> str:
        return str(self.post("gradio_api/upload", files={"files": (name, data)}).json()[0])

    def join(self, number: int, data: list[Any], act: dict[str, Any] | None = None) -> requests.Response:
        """Puts an event into the queue; `act` is what a click on a piece of HTML sends along."""
        body = {"session_hash": self.session, "fn_index": number, "data": data, "event_data": act}
        return self.post("gradio_api/queue/join", json=body)

    def ask(
        self,
        number: int,
        data: list[Any],
        act: dict[str, Any] | None = None,
        *,
        on_step: OnStep = ignore,
    ) -> Answer:
        """The same, and what came of it. `on_step` hears each message that comes before."""
        joined = self.join(number, data, act)
        if joined.status_code != 200:
            return Answer(status=joined.status_code, said=_detail(joined))
        return self.hear(joined.json()["event_id"], on_step=on_step)

    def messages(self) -> Iterator[dict[str, Any]]:
        """What the page is told, as it comes."""
        with self.get("gradio_api/queue/data", params={"session_hash": self.session}, stream=True) as stream:
            for line in stream.iter_lines():
                if line.startswith(b"data:"):
                    yield json.loads(line.removeprefix(b"data:"))

    def hear(self, event_id: str, *, on_step: OnStep = ignore) -> Answer:
        for message in self.messages():
            if message.get("event_id") != event_id:
                continue
            if message["msg"] == "process_completed":
                return _ended(message)
            on_step(message)
        raise AssertionError("the stream ended without an answer")

    def numbers(self) -> dict[str, int]:
        """The events' numbers by what each is; of several, the first."""
        return {event.what: event.number for event in reversed(self.events())}

    def event(self, what: str) -> Event:
        return next(event for event in self.events() if event.what == what)

    def look_at(self, address: str) -> None:
        """As if the page had been opened with that address."""
        self.open(next(event.number for event in self.events() if event.name == "nav.act"), address)

    def open(self, number: int, address: str) -> None:
        """Hears the stream to its end: Gradio (6.31) cancels whatever is asked just after one that is left early."""
        self.join(number, STATES, {"act": "address", "query": address})
        for _ in self.messages():
            pass


def _event(dependency: dict[str, Any], parts: dict[int, Any]) -> Event:
    def named(number: int) -> str:
        part = parts[number]
        return str(part["props"].get("elem_id") or part["props"].get("label") or part["type"])

    targets = [f"{named(part)}.{what}" if part in parts else f"page.{what}" for part, what in dependency["targets"]]
    return Event(
        number=dependency["id"],
        name=" ".join(targets) or str(dependency["api_name"]),
        inputs=tuple(named(number) for number in dependency["inputs"]),
        outputs=tuple(named(number) for number in dependency["outputs"]),
    )


def _ended(message: dict[str, Any]) -> Answer:
    output = message["output"]
    # A page shows an error of the program without its text.
    said = output.get("error") or ("" if message["success"] else "an error of the program")
    return Answer(status=200, said=said, data=tuple(output.get("data") or ()))


def _detail(response: requests.Response) -> str:
    return str(response.json()["detail"])


@contextmanager
def served(
    home: Path, *, hosted: bool = False, around: Around | None = None, data: Path = CONTRACT, **changed: Any
) -> Iterator[Visitor]:
    """The page on the hubs of the contract tests, or on others'. `around` stands between the page and them."""
    with running_hubs(data, around=around) as hubs:
        settings = replace(demo_settings(home, home / "loras", hubs), hosted=hosted, **changed)
        with services.build(settings) as built, app.serving(built) as url:
            yield Visitor(url=url, services=built)
