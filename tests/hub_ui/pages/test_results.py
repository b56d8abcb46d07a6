from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import connectors
from connectors.connector import Connector
from connectors.errors import HubDown
from connectors.federation import Answer
from connectors.query import Page, Query
from hub_ui import services
from hub_ui.pages import results
from hub_ui.pages.results import Results
from hub_ui.services import Services
from hub_ui.settings import from_environment
from hub_ui.widgets.frame import asked
from tests.hub_ui.catalog.builders import lora
from tests.hub_ui.stand_ins import Hub

DOWN = HubDown("CivitAI can't be reached.", hub="civitai")


@pytest.fixture
def hub() -> Hub:
    return Hub(name="civitai", loras=[lora(1), lora(2)])


@pytest.fixture
def built(hub: Hub, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    hubs: tuple[Connector, ...] = (hub,)
    monkeypatch.setattr(connectors, "build", lambda endpoints, tokens: hubs)
    with services.build(from_environment({"HUB_UI_HOME": str(home)})) as made:
        yield made


def test_a_search_starts_with_every_hub_asked_and_ends_with_its_cards(built: Services) -> None:
    first, *_, last = results.search(built, Query())
    assert (first.records, first.waiting) == ((), 4)
    assert ([record.title for record in last.records], last.waiting, last.total) == (["Ink 1", "Ink 2"], 0, 2)


def test_when_no_hub_answers_what_was_seen_before_is_shown(built: Services, hub: Hub) -> None:
    list(results.search(built, Query()))
    hub.error = DOWN
    last = list(results.search(built, Query()))[-1]
    assert (len(last.records), last.note) == (2, "No hub has answered, so this is what was seen before.")


def test_late_answers_are_added_at_the_end_and_never_twice() -> None:
    now = Results(query=Query(), statuses=(asked("civitai"),))
    for numbers in ((1, 2), (2, 3)):
        page = Page(hub="civitai", loras=tuple(lora(n) for n in numbers))
        now = results.joined(now, Answer(hub="civitai", seconds=0.1, page=page))
    assert [record.title for record in now.records] == ["Ink 1", "Ink 2", "Ink 3"]


def test_what_is_stronger_than_asked_for_gets_no_card() -> None:
    page = Page(hub="civitai", loras=(lora(1, nsfw="mature"), lora(2)))
    now = results.joined(Results(query=Query()), Answer(hub="civitai", seconds=0.1, page=page))
    assert [record.title for record in now.records] == ["Ink 2"]
