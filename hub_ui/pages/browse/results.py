"""A search as the page sees it: results that grow with each hub's answer. Knows no Gradio."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, zip_longest

from connectors.claims.resolve import flatten
from connectors.federation import MAX_BARREN_ROUNDS, Answer
from connectors.query import Query, Sort
from connectors.record import Record, may_list
from connectors.ref import HubName
from hub_ui.catalog.search import BaseCount
from hub_ui.services import Services
from hub_ui.widgets.header import HubStatus, answer_status, pending_status, with_hits

WAITING_CARDS = 4
MOST_REMEMBERED = 240
SEEN_BEFORE = "No hub has answered, so this is what was seen before."
NOTHING = "Nothing matches. Take a filter away, or try another word."
NO_MORE = "The hubs' next pages have nothing more that fits."
# Relevance is missing: each hub has its own, and they can't be compared.
VALUES: Mapping[Sort, Callable[[Record], tuple[int, str]]] = {
    "downloads": lambda record: (-1 if record.downloads is None else record.downloads, ""),
    "likes": lambda record: (-1 if record.likes is None else record.likes, ""),
    "newest": lambda record: (0, record.updated_at or ""),
}


@dataclass(frozen=True, kw_only=True)
class Results:
    """`records` are shown, in the order of the query over all hubs.

    `pending` wait because a hub's next page may hold earlier ones. The first `since` records stay in place while the
    next page loads. `turn` is the page's at that time (events.Turns). `bases` are the base models to choose from.
    `cut`: the catalog has more.
    """

    query: Query
    records: tuple[Record, ...] = ()
    pending: tuple[Record, ...] = ()
    statuses: tuple[HubStatus, ...] = ()
    cursors: Mapping[HubName, str] = field(default_factory=dict)
    bases: tuple[BaseCount, ...] = ()
    note: str = ""
    turn: int = 0
    since: int = 0
    cut: bool = False

    @property
    def waiting(self) -> int:
        return WAITING_CARDS * sum(status.state == "asked" for status in self.statuses)

    @property
    def has_more(self) -> bool:
        """Whether there are more, as far as the hubs that answered know."""
        return bool(self.cursors or self.waiting or self.cut)


def search(
    services: Services, query: Query, turn: int = 0, is_touched: Callable[[], bool] = lambda: False
) -> Iterator[Results]:
    """Empty at first, then one for each hub's answer. Cards move until the user touches the page (`is_touched`)."""
    hubs = [c.name for c in services.connectors if not query.hubs or c.name in query.hubs]
    now = Results(query=query, statuses=tuple(pending_status(hub) for hub in hubs), turn=turn)
    now = with_bases(services, now)
    yield now
    for answer in services.lookup.search(query):
        now = merge_answer(now, answer, keep=len(now.records) if is_touched() else 0)
        if now.waiting:
            yield now
    if not now.records and not now.pending:
        now = from_catalog(services, now)
    yield with_bases(services, now)


def more(services: Services, now: Results, turn: int = 0) -> Iterator[Results]:
    """The next cards: requests the hubs' next pages until a card comes, or no hub has more."""
    now = replace(now, turn=turn, since=len(now.records), note="")
    for _ in range(MAX_BARREN_ROUNDS):
        cursors = {hub: now.cursors[hub] for hub in next_hubs(now)}
        left = {hub: cursor for hub, cursor in now.cursors.items() if hub not in cursors}
        now = replace(
            now, cursors=left, statuses=tuple(pending_status(s.hub) if s.hub in cursors else s for s in now.statuses)
        )
        yield now
        for answer in services.lookup.search(now.query, cursors=cursors):
            now = merge_answer(now, answer, keep=now.since)
        if len(now.records) > now.since or not now.cursors:
            break
    if len(now.records) == now.since:
        now = replace(now, cursors={}, note=NO_MORE)
    yield with_bases(services, now)


def merge_answer(now: Results, answer: Answer, *, keep: int = 0) -> Results:
    """`now` with one hub's answer; the first `keep` records stay where they are."""
    loras = answer.page.loras if answer.page else ()
    known = (*now.records, *now.pending)
    there = {record.ref.lora for record in known}
    new = tuple(flatten(lora) for lora in loras if lora.ref.lora not in there)
    pool = (*known[keep:], *(record for record in new if may_list(record.nsfw, now.query.nsfw)))
    cursor = {answer.hub: answer.page.cursor} if answer.page and answer.page.cursor else {}
    cursors = {**now.cursors, **cursor}
    shown, pending = split_by_place(pool, now.query.sort, cursors)
    return with_counts(
        replace(
            now,
            records=(*known[:keep], *shown),
            pending=pending,
            statuses=tuple(answer_status(answer) if s.hub == answer.hub else s for s in now.statuses),
            cursors=cursors,
        )
    )


def split_by_place(
    pool: Sequence[Record], sort: Sort, cursors: Mapping[HubName, str]
) -> tuple[tuple[Record, ...], tuple[Record, ...]]:
    """In order: those in their final place, and those that a hub's next page may still precede."""
    if sort not in VALUES:
        return interleave(pool), ()
    value = VALUES[sort]
    ordered = sorted(sorted(pool, key=lambda record: str(record.ref)), key=value, reverse=True)
    lowest = lowest_values(pool, sort, cursors)
    # They are sorted: those whose place is final come first.
    final = sum(all(value(record) >= floor for floor in lowest.values()) for record in ordered)
    return tuple(ordered[:final]), tuple(ordered[final:])


def interleave(pool: Sequence[Record]) -> tuple[Record, ...]:
    """First of each hub, second of each hub...: hubs rank by measures that can't be compared."""
    hubs = sorted({record.hub for record in pool})
    rows = zip_longest(*([record for record in pool if record.hub == hub] for hub in hubs))
    return tuple(record for record in chain.from_iterable(rows) if record is not None)


def lowest_values(pool: Sequence[Record], sort: Sort, cursors: Mapping[HubName, str]) -> dict[HubName, tuple[int, str]]:
    """The lowest value of `sort` read so far, for each hub with a next page."""
    value = VALUES[sort]
    return {
        hub: min(value(record) for record in pool if record.hub == hub)
        for hub in cursors
        if any(record.hub == hub for record in pool)
    }


def next_hubs(now: Results) -> tuple[HubName, ...]:
    """The hubs whose next page decides what comes next."""
    if now.query.sort not in VALUES:
        return tuple(now.cursors)
    lowest = lowest_values((*now.records, *now.pending), now.query.sort, now.cursors)
    highest = max(lowest.values(), default=None)
    return tuple(hub for hub in now.cursors if hub not in lowest or lowest[hub] == highest)


def with_counts(now: Results) -> Results:
    """Each hub's number counts its cards; a plus means that there are more."""
    open_ended = {*now.cursors, *(record.hub for record in now.pending)}
    shown = [record.hub for record in now.records]
    statuses = (with_hits(s, shown.count(s.hub), more=s.hub in open_ended) for s in now.statuses)
    return replace(now, statuses=tuple(statuses))


def with_bases(services: Services, now: Results) -> Results:
    """With the base models seen so far for this query."""
    found = services.catalog.search(replace(now.query, limit=1))
    return replace(now, bases=found.facets.bases)


def from_catalog(services: Services, now: Results) -> Results:
    """The catalog's records when the hubs gave nothing; a note says so only if there are any."""
    found = services.catalog.search(replace(now.query, limit=MOST_REMEMBERED))
    every_hub_failed = all(status.state != "good" for status in now.statuses)
    if found.records and every_hub_failed:
        return replace(now, records=found.records, note=SEEN_BEFORE, cut=found.total > len(found.records))
    return replace(now, note=NOTHING)
