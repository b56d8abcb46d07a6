"""The app by raw HTTP, as someone who writes requests by hand meets it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import requests

from hub_ui.app.services import Services
from hub_ui.web import app
from tests.faults import Faults
from tests.faulty_hubs import Around, running_hubs
from tests.hub_ui.library.shared_hubs import CONTRACT
from tests.hub_ui.stand_ins import services_of

SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Of an endpoint. `said` is the refusal of a call, or the error that it ended with."""

    status: int
    said: str = ""
    data: tuple[Any, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Visitor:
    """Someone, with the headers of their browser. `faults` are those of the hubs behind the page."""

    url: str
    services: Services
    faults: Faults = field(default_factory=Faults)
    headers: Mapping[str, str] = field(default_factory=dict)

    def get(self, path: str, **more: Any) -> requests.Response:
        return requests.get(self.url + path, headers=self.headers, timeout=SECONDS, **more)

    def post(self, path: str, **more: Any) -> requests.Response:
        return requests.post(self.url + path, headers=self.headers, timeout=SECONDS, **more)

    def request(self, method: str, path: str, **more: Any) -> requests.Response:
        return requests.request(method, self.url + path, headers=self.headers, timeout=SECONDS, **more)

    def with_cookie(self) -> Visitor:
        """Somebody new, whose browser keeps what the page sets."""
        found = self.get("").cookies.get_dict()
        return replace(self, headers={"Cookie": "; ".join(f"{name}={value}" for name, value in found.items())})

    def begin(self, name: str, **arguments: Any) -> requests.Response:
        """Puts a call of an endpoint into the queue."""
        return self.post(f"gradio_api/call/v2/{name}", json=arguments)

    def call(self, name: str, **arguments: Any) -> Answer:
        """The same, and what came of it."""
        begun = self.begin(name, **arguments)
        if begun.status_code != 200:
            return Answer(status=begun.status_code, said=str(begun.json()["detail"]))
        return self.read(name, begun.json()["event_id"])

    def read(self, name: str, id_: str) -> Answer:
        with self.get(f"gradio_api/call/{name}/{id_}", stream=True) as stream:
            lines = [line.decode() for line in stream.iter_lines() if line]
        event, data = lines[-2].removeprefix("event: "), json.loads(lines[-1].removeprefix("data: "))
        return Answer(status=200, data=tuple(data)) if event == "complete" else Answer(status=200, said=str(data))

    def stream(self, path: str) -> Iterator[str]:
        """The messages of a page's stream."""
        with self.get(path, stream=True) as answer:
            yield from messages(answer.iter_lines())


def messages(stream: Iterable[bytes]) -> Iterator[str]:
    """What the events of a stream say, of which the lines are given."""
    lines = list[str]()
    for line in stream:
        if line:
            lines.append(line.decode().removeprefix("data: "))
        elif lines:
            yield "\n".join(lines)
            lines.clear()


@contextmanager
def served(
    home: Path, *, hosted: bool = False, around: Around | None = None, data: Path = CONTRACT, **changed: Any
) -> Iterator[Visitor]:
    """The app on the hubs of the contract tests, or on others'. `around` stands between it and them."""
    with (
        running_hubs(data, around=around) as hubs,
        services_of(hubs, home, hosted=hosted, **changed) as built,
        app.serving(built) as url,
    ):
        yield Visitor(url=url, services=built, faults=hubs.faults)
