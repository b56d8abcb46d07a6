"""A search as the page sees it: results that grow as each hub answers. No Gradio in here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from connectors.facts.claims import flatten
from connectors.federation import Answer
from connectors.query import Query
from connectors.record import Record, may_list
from connectors.ref import HubName
from hub_ui.catalog.found import Facets
from hub_ui.services import Services
from hub_ui.widgets.frame import HubStatus, answered, asked

WAITING_CARDS = 4
SEEN_BEFORE = "No hub has answered, so this is what was seen before."


@dataclass(frozen=True, kw_only=True)
class Results:
    """`records` only ever grow at the end: nothing on the page moves when a late hub answers.

    `turn` is the page's when they were asked for (edge.Turns); `since` is how many there were before.
    """

    query: Query
    records: tuple[Record, ...] = ()
    statuses: tuple[HubStatus, ...] = ()
    cursors: Mapping[HubName, str] = field(default_factory=dict)
    total: int | None = None
    facets: Facets = field(default_factory=Facets)
    note: str = ""
    turn: int = 0
    since: int = 0

    @property
    def waiting(self) -> int:
        return WAITING_CARDS * sum(status.state == "asked" for status in self.statuses)


def search(services: Services, query: Query, turn: int = 0) -> Iterator[Results]:
    """The first one is empty with every hub asked; then one for each answer."""
    asked_hubs = [c.name for c in services.connectors if not query.hubs or c.name in query.hubs]
    now = Results(query=query, statuses=tuple(asked(hub) for hub in asked_hubs), turn=turn)
    yield counted(services, now)
    for answer in services.search(query):
        now = counted(services, joined(now, answer))
        yield now
    if not now.records:
        yield remembered(services, now)


def more(services: Services, now: Results, turn: int = 0) -> Iterator[Results]:
    """The next page of every hub that has one."""
    statuses = tuple(asked(s.hub) if s.hub in now.cursors else s for s in now.statuses)
    cursors = dict(now.cursors)
    now = replace(now, statuses=statuses, cursors={}, turn=turn, since=len(now.records))
    yield now
    for answer in services.search(now.query, cursors=cursors):
        now = counted(services, joined(now, answer))
        yield now


def joined(now: Results, answer: Answer) -> Results:
    """`now` with one hub's answer: new LoRAs at the end, its status in place, its cursor kept."""
    loras = answer.page.loras if answer.page else ()
    there = {record.ref.lora for record in now.records}
    new = tuple(flatten(lora) for lora in loras if lora.ref.lora not in there)
    records = now.records + tuple(r for r in new if may_list(r.nsfw, now.query.nsfw))
    hits = sum(record.hub == answer.hub for record in records)
    status = answered(answer, hits)
    cursor = {answer.hub: answer.page.cursor} if answer.page and answer.page.cursor else {}
    return replace(
        now,
        records=records,
        statuses=tuple(status if s.hub == answer.hub else s for s in now.statuses),
        cursors={**now.cursors, **cursor},
    )


def counted(services: Services, now: Results) -> Results:
    """Total and facets from everything seen so far, for the present question."""
    found = services.catalog.search(replace(now.query, limit=1))
    return replace(now, total=found.total, facets=found.facets)


def remembered(services: Services, now: Results) -> Results:
    """What the catalog has, when the hubs gave nothing; a note says so only if there is something."""
    found = services.catalog.search(now.query)
    every_hub_failed = all(status.state != "good" for status in now.statuses)
    if found.records and every_hub_failed:
        return replace(now, records=found.records, note=SEEN_BEFORE)
    return replace(now, note="Nothing matches. Take a filter away, or try another word.")
