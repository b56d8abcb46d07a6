"""Three hubs that answer in any order, late, or not at all: what a search shows meanwhile, and in the end."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from connectors.errors import HubDown
from connectors.query import Page, Query
from connectors.record import Lora, Record
from connectors.ref import HubName, Ref
from hub_ui import services
from hub_ui.catalog.catalog import Catalog
from hub_ui.pages.browse import results
from hub_ui.pages.browse.results import Results
from hub_ui.services import Services
from hub_ui.settings import from_environment
from tests.hub_ui.stand_ins import Hub

ROUNDS = 200
LIMIT = 8
QUERIES = (Query(limit=LIMIT), Query(text="ink", limit=LIMIT), Query(sort="likes", limit=LIMIT))
PATHS: dict[HubName, str] = {
    "civitai": "civitai:{}",
    "huggingface": "huggingface:ada/l{}",
    "replicate": "replicate:ada/l{}",
}


@dataclass(kw_only=True)
class LateHub(Hub):
    """Answers once `gate` is open: two pages, or an error."""

    gate: threading.Event = field(default_factory=threading.Event)

    def search(self, query: Query, cursor: str | None = None) -> Page:
        self.gate.wait(30)
        self._ask("search")
        at = int(cursor or 0)
        found = [lora for lora in self.loras if query.text in lora.title.casefold()]
        rest = str(at + LIMIT) if found[at + LIMIT :] else None
        return Page(hub=self.name, loras=tuple(found[at : at + LIMIT]), cursor=rest)


def loras(draw: random.Random, hub: HubName) -> list[Lora]:
    return [
        Lora(
            ref=Ref.parse(PATHS[hub].format(number)),
            title=f"{draw.choice(('Ink', 'Oil'))} {draw.choice(('wash', 'lines', 'brush'))}",
            url="https://hub.invalid",
            downloads=draw.choice((None, 10, 1000, number)),
            likes=draw.choice((3, 7, number)),
            updated_at="2020-01-01T00:00:00Z",
        )
        for number in range(1, 14)
    ]


@pytest.fixture(scope="module")
def everything() -> dict[HubName, list[Lora]]:
    draw = random.Random(12)
    return {hub: loras(draw, hub) for hub in PATHS}


def follow(steps: Iterator[Results], gates: Sequence[threading.Event], shown: tuple[int, ...] = ()) -> Results:
    """The last of `steps`; each step opens the next gate. Whatever was painted stays where it is."""
    waiting, now = iter(gates), None
    for now in steps:
        assert now.ids[: len(shown)] == shown
        check_counts(now)
        shown = now.ids
        gate = next(waiting, None)
        if gate is not None:
            gate.set()
    assert now is not None
    return now


def names(records: Sequence[Record]) -> list[str]:
    return [str(record.ref.lora) for record in records]


def check_counts(now: Results) -> None:
    """Every number that the page shows is that of one list."""
    if now.is_held:
        return
    assert (now.above >= 0, now.below >= 0, now.gone) == (True, True, 0)
    assert len(now.ids) + now.above + now.below == now.total
    assert sum(now.facets.hubs.values()) == now.total
    for status in now.statuses:
        assert status.hits in ("", str(now.facets.hubs.get(status.hub, 0)))


@dataclass(frozen=True, kw_only=True)
class Round:
    """One search, of hubs that answer as their gates are opened."""

    query: Query
    built: Services
    gates: Sequence[threading.Event]

    def read_to_the_end(self, *, pages: int) -> list[str]:
        """All there is in the order of the list: some pages more, the cards in their places, then the rest."""
        now = follow(results.search(self.built, self.query), self.gates)
        for _ in range(pages):
            now = self.more(now)
        now = self.relist(now)
        while now.has_more:
            now = self.more(now)
        now = self.relist(now)
        while now.below:
            now = self.more(now)
        return self.names(now)

    def names(self, now: Results) -> list[str]:
        return names([*results.read_cards(self.built, now, range(len(now.ids))).values()])

    def more(self, now: Results) -> Results:
        return follow(results.more(self.built, now), (), now.ids)

    def relist(self, now: Results) -> Results:
        now = follow(results.relist(self.built, now), ())
        assert self.names(now) == whole_list(self.built, self.query)[: len(now.ids)]
        return now


def whole_list(built: Services, query: Query) -> list[str]:
    return names(built.catalog.search(replace(query, limit=500)).records)


@contextmanager
def round_of(draw: random.Random, folder: Path, everything: dict[HubName, list[Lora]]) -> Iterator[Round]:
    """Three hubs of which each may fail, gates that open in any order, and a catalog that may know some LoRAs."""
    hubs = [LateHub(name=hub, loras=everything[hub]) for hub in PATHS]
    for hub in hubs:
        hub.error = HubDown("Down.", hub=hub.name) if draw.random() < 0.25 else None
    with Catalog.open(folder / f"{draw.random()}.sqlite") as catalog:
        catalog.add(lora for hub in PATHS for lora in draw.sample(everything[hub], draw.choice((0, 0, 3))))
        built = services.connect(from_environment({"HUB_UI_HOME": str(folder)}), hubs, catalog)
        yield Round(query=draw.choice(QUERIES), built=built, gates=[hub.gate for hub in draw.sample(hubs, 3)])


@pytest.mark.parametrize("first", range(0, ROUNDS, 50))
def test_in_whatever_order_hubs_answer_the_list_is_that_of_the_catalog(
    first: int, tmp_path: Path, everything: dict[HubName, list[Lora]], monkeypatch: pytest.MonkeyPatch
) -> None:
    ends: dict[tuple[Query, frozenset[str]], list[str]] = {}
    for number in range(first, first + 50):
        draw = random.Random(number)
        # Either no answer waits for another, or all wait for the last one.
        monkeypatch.setattr(results, "HOLD_SECONDS", draw.choice((0.0, 60.0)))
        with round_of(draw, tmp_path, everything) as now:
            listed = now.read_to_the_end(pages=draw.choice((0, 1, 6)))
            assert listed == whole_list(now.built, now.query)
            assert ends.setdefault((now.query, frozenset(listed)), listed) == listed
    assert len(ends) > 10
