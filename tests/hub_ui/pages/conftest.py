"""Services on a stand-in hub with two LoRAs: one for FLUX.1, one for the demo's own base, with an example image."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import connectors
from connectors.connector import Connector
from connectors.record import Example
from hub_ui import services
from hub_ui.services import Services
from hub_ui.settings import from_environment
from tests.hub_ui.catalog.builders import lora, version
from tests.hub_ui.library.queueing import Pulls, queue
from tests.hub_ui.stand_ins import Hub


@pytest.fixture
def built(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    example = Example(url="https://pictures.example/1.png", prompt="a cat <lora:x:1>", params={"seed": 5, "steps": 8})
    pictured = version("civitai:2@20", base="Tiny Shapes", examples=(example,))
    loras = [lora(1, base="Flux.1 D"), lora(2, versions=(pictured,))]
    hubs: tuple[Connector, ...] = (Hub(name="civitai", loras=loras),)
    monkeypatch.setattr(connectors, "build", lambda endpoints, tokens: hubs)
    settings = replace(from_environment({"HUB_UI_HOME": str(home)}), demo=True)
    with services.build(settings) as made:
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
    other = services.connect(replace(built.settings, **changes), built.connectors, built.catalog)
    other.downloads.queue, other.generation.local = built.downloads.queue, built.generation.local
    return other
