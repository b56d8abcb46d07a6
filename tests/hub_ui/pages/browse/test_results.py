from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import connectors
from connectors.connector import Connector
from connectors.errors import HubDown
from connectors.federation import Answer
from connectors.query import Page, Query
from connectors.record import Lora
from connectors.ref import Ref
from hub_ui import services
from hub_ui.pages.browse import results
from hub_ui.pages.browse.results import Results
from hub_ui.services import Services
from hub_ui.settings import from_environment
from hub_ui.widgets.header import pending_status
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
    assert ([record.title for record in last.records], last.waiting, last.has_more) == (["Ink 1", "Ink 2"], 0, False)


def test_when_no_hub_answers_what_was_seen_before_is_shown(built: Services, hub: Hub) -> None:
    list(results.search(built, Query()))
    hub.error = DOWN
    last = list(results.search(built, Query()))[-1]
    assert (len(last.records), last.note) == (2, "No hub has answered, so this is what was seen before.")


def test_late_answers_are_added_at_the_end_and_never_twice() -> None:
    now = Results(query=Query(), statuses=(pending_status("civitai"),))
    for numbers in ((1, 2), (2, 3)):
        page = Page(hub="civitai", loras=tuple(lora(n) for n in numbers))
        now = results.merge_answer(now, Answer(hub="civitai", seconds=0.1, page=page))
    assert [record.title for record in now.records] == ["Ink 1", "Ink 2", "Ink 3"]


def test_what_is_stronger_than_asked_for_gets_no_card() -> None:
    page = Page(hub="civitai", loras=(lora(1, nsfw="mature"), lora(2)))
    now = results.merge_answer(Results(query=Query()), Answer(hub="civitai", seconds=0.1, page=page))
    assert [record.title for record in now.records] == ["Ink 2"]


@dataclass(kw_only=True)
class Paged(Hub):
    """Answers page after page; `cursor` is the number of the next one."""

    pages: list[list[Lora]] = field(default_factory=list)

    def search(self, query: Query, cursor: str | None = None) -> Page:
        at = int(cursor or 0)
        return Page(hub=self.name, loras=tuple(self.pages[at]), cursor=str(at + 1) if self.pages[at + 1 :] else None)


def on(hub: str, *downloads: int) -> list[Lora]:
    """A LoRA for each number, called by it."""
    path = {"civitai": "civitai:{}", "huggingface": "huggingface:a/l{}", "replicate": "replicate:a/l{}"}[hub]
    return [
        Lora(ref=Ref.parse(path.format(number)), title=str(number), url="https://hub.invalid", downloads=number)
        for number in downloads
    ]


@pytest.fixture
def three(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    hubs: tuple[Connector, ...] = (
        Paged(name="civitai", pages=[on("civitai", 900, 500), on("civitai", 400, 60), on("civitai", 50)]),
        Paged(name="huggingface", pages=[on("huggingface", 700, 300), on("huggingface", 40)]),
        Paged(name="replicate", pages=[on("replicate", 30, 600)]),
    )
    monkeypatch.setattr(connectors, "build", lambda endpoints, tokens: hubs)
    with services.build(from_environment({"HUB_UI_HOME": str(home)})) as made:
        yield made


def titles(now: Results) -> list[str]:
    return [record.title for record in now.records]


def test_one_order_holds_over_all_hubs_and_over_their_next_pages(three: Services) -> None:
    now = list(results.search(three, Query(sort="downloads")))[-1]
    assert titles(now) == ["900", "700", "600", "500"]
    for _ in range(3):
        now = list(results.more(three, now))[-1]
    assert titles(now) == ["900", "700", "600", "500", "400", "300", "60", "50", "40", "30"]
    assert not now.has_more


def test_relevance_takes_turns_between_hubs_in_the_same_order_each_time(three: Services) -> None:
    for _ in range(3):
        now = list(results.search(three, Query()))[-1]
        assert titles(now) == ["900", "700", "30", "500", "300", "600"]


def test_each_hubs_number_counts_its_cards(three: Services) -> None:
    now = list(results.search(three, Query(sort="downloads")))[-1]
    assert [(status.hub, status.hits) for status in now.statuses] == [
        ("civitai", "2+"),
        ("huggingface", "1+"),
        ("replicate", "1+"),
    ]


def test_cards_stay_where_they_are_once_the_page_was_touched(three: Services) -> None:
    first = Answer(hub="replicate", seconds=0.1, page=Page(hub="replicate", loras=tuple(on("replicate", 30, 600))))
    late = Answer(hub="civitai", seconds=0.2, page=Page(hub="civitai", loras=tuple(on("civitai", 900, 500))))
    now = results.merge_answer(Results(query=Query(sort="downloads")), first)
    assert titles(results.merge_answer(now, late, keep=len(now.records))) == ["600", "30", "900", "500"]
    assert titles(results.merge_answer(now, late)) == ["900", "600", "500", "30"]


def test_load_more_reads_past_pages_without_anything_that_fits(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pages = [on("civitai", 3), *([] for _ in range(7)), on("civitai", 2)]
    monkeypatch.setattr(connectors, "build", lambda endpoints, tokens: (Paged(name="civitai", pages=pages),))
    with services.build(from_environment({"HUB_UI_HOME": str(home)})) as made:
        now = list(results.search(made, Query()))[-1]
        assert titles(list(results.more(made, now))[-1]) == ["3", "2"]


def test_load_more_ends_with_a_word_when_nothing_more_fits(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pages = [on("civitai", 3), *([] for _ in range(99))]
    monkeypatch.setattr(connectors, "build", lambda endpoints, tokens: (Paged(name="civitai", pages=pages),))
    with services.build(from_environment({"HUB_UI_HOME": str(home)})) as made:
        now = list(results.search(made, Query()))[-1]
        last = list(results.more(made, now))[-1]
        assert (titles(last), last.has_more) == (["3"], False)
        assert last.note == "The hubs' next pages have nothing more that fits."
