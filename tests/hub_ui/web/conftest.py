"""Services on a stand-in hub with two LoRAs: one for FLUX.1, one for the demo's own base, with an example image. Its
pages by HTTP without a server, and a page that is served once a module, on one's own computer and for strangers.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from bs4 import BeautifulSoup
from cachetools import cached
from fastapi._compat.v2 import create_body_model
from pydantic import TypeAdapter
from starlette.testclient import TestClient

from connectors.record import Example
from hub_ui.app import services
from hub_ui.app.services import Services
from hub_ui.web.app import build_app
from tests.hub_ui.catalog.builders import lora, version
from tests.hub_ui.library.download.queueing import Pulls, queue
from tests.hub_ui.stand_ins import Hub, services_on
from tests.hub_ui.web.raw import Visitor, served

# What htmx sends with each request for a part of a page.
PART = {"HX-Request": "true", "HX-Request-Type": "partial"}


@pytest.fixture(scope="session", autouse=True)
def _validators_made_once() -> Iterator[None]:
    """FastAPI makes those of all routes anew for each app, which takes longer than most tests of a page."""
    adapter = cached({}, key=lambda hint, **_config: repr(hint))(TypeAdapter)
    model = cached({}, key=lambda *, model_name, **_fields: model_name)(create_body_model)
    places = {"fastapi._compat.v2.TypeAdapter": adapter, "fastapi.dependencies.utils.create_body_model": model}
    with ExitStack() as patches:
        # Where FastAPI has other names, the tests only take longer.
        for place, made in places.items():
            with suppress(AttributeError, ImportError):
                patches.enter_context(patch(place, made))
        yield


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visitor]:
    with served(tmp_path_factory.mktemp("local")) as visitor:
        yield visitor


@pytest.fixture(scope="module")
def hosted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visitor]:
    with served(tmp_path_factory.mktemp("hosted"), hosted=True) as visitor:
        yield visitor


@contextmanager
def example_services(home: Path) -> Iterator[Services]:
    example = Example(url="https://pictures.example/1.png", prompt="a cat <lora:x:1>", params={"seed": 5, "steps": 8})
    pictured = version("civitai:2@20", base="Tiny Shapes", examples=(example,))
    loras = [lora(1, base="Flux.1 D"), lora(2, versions=(pictured,))]
    with services_on(home, Hub(name="civitai", loras=loras), demo=True) as made:
        yield made


@pytest.fixture
def built(home: Path) -> Iterator[Services]:
    with example_services(home) as made:
        yield made


@pytest.fixture
def pulls() -> Pulls:
    return Pulls()


@pytest.fixture
def queued(built: Services, pulls: Pulls, home: Path) -> Iterator[Services]:
    """With a queue that runs, and pulls that do as they are told."""
    with queue(home, pulls) as started:
        built.downloads.queue = started
        yield built


def with_settings(built: Services, **changes: Any) -> Services:
    """The same hubs, catalog, queue and engine behind other settings."""
    other = services.Services(replace(built.settings, **changes), built.connectors, built.catalog)
    other.downloads.queue, other.generation.local = built.downloads.queue, built.generation.local
    return other


@pytest.fixture
def client(built: Services, tmp_path: Path) -> Iterator[TestClient]:
    """The pages of `built`."""
    with open_client(built, tmp_path) as opened:
        yield opened


@pytest.fixture(scope="module")
def of_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    with example_services(tmp_path_factory.mktemp("services")) as made:
        yield made


@pytest.fixture(scope="module")
def site(of_site: Services, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """The same pages for tests that change nothing which another one looks at: building them takes longer than most."""
    with open_client(of_site, tmp_path_factory.mktemp("pages")) as opened:
        yield opened


@contextmanager
def open_client(built: Services, folder: Path) -> Iterator[TestClient]:
    with ExitStack() as closing:
        server = build_app(built, closing, host="localhost", folder=folder).server
        # A browser sends it with each request for a page.
        headers = {"Upgrade-Insecure-Requests": "1"}
        yield TestClient(server, base_url="http://localhost", follow_redirects=False, headers=headers)


def read(text: str) -> Any:
    """A page, to be asked for what it says and for what a person can do there."""
    return BeautifulSoup(text, "html.parser")


def parts(text: str) -> list[Any]:
    """The messages of a stream, each as HTML."""
    messages = (message for message in text.split("\n\n") if message)
    return [read("\n".join(line.removeprefix("data: ") for line in message.splitlines())) for message in messages]
