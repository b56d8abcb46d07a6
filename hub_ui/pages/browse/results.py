"""The list of a search: always the catalog's, to which the hubs' answers are added as they arrive. Knows no Gradio.

A card that is on the screen keeps its place. What is found later and belongs above it waits until a person asks for
it (`relist`); what belongs below flows in, up to a page. So does a filter's choice, until another query.
"""

import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

from connectors.federation import MAX_BARREN_ROUNDS, Answer
from connectors.query import Query
from connectors.record import Record
from connectors.ref import HubName
from hub_ui import format
from hub_ui.catalog.search import BaseCount, Facets, Listing, most_first
from hub_ui.documents import unknown_values
from hub_ui.hosting.quotas import LimitReached
from hub_ui.i18n import N_, _
from hub_ui.pages.view import View
from hub_ui.services import Services
from hub_ui.widgets.header import HubStatus, answer_status, idle_status, pending_status, with_hits

WAITING_CARDS = 4
# With fewer cards than a row, nearly all that the hubs answer would belong above them, where it could not be shown.
FEW_CARDS = 5
# How long a few cards of the catalog wait for the hubs, and the first answer for the others if there are no cards yet.
HOLD_SECONDS = 1.0
# A page of the list has so many pages of a hub.
PAGES_OF_HUBS = 2
# Pages of the list that are read past the cards on the screen, to see what has come in between them.
PAGES_AHEAD = 2
NOTHING = N_("Nothing matches. Take a filter away, or try another word.")
NOTHING_SEEN = N_("Nothing that was seen so far matches. Press Enter to ask the hubs.")
ENTER = N_("Seen so far. Press Enter to ask the hubs too.")
NO_MORE = N_("The hubs' next pages have nothing more that fits.")


@dataclass(frozen=True, kw_only=True)
class Results:
    """`ids` are the cards (see Catalog.cards). `total` and `facets` are of the catalog's list, of one moment.

    `above` are in the list, before the last card, and have none. `gone` cards are not in the list any more. `cursors`
    lead to the hubs' next pages, and `failed` to the pages that hubs failed to give, "" being the first one.
    `is_held`: there are answers, or a few cards, which are not shown yet. `is_typed`: no hub was asked. The
    first `since` cards were there before the last step. `turn` is the page's at that time (events.Turns).
    """

    query: Query
    ids: tuple[int, ...] = ()
    above: int = 0
    gone: int = 0
    total: int = 0
    facets: Facets = field(default_factory=Facets)
    statuses: tuple[HubStatus, ...] = ()
    cursors: Mapping[HubName, str] = field(default_factory=dict)
    failed: Mapping[HubName, str] = field(default_factory=dict)
    note: str = ""
    turn: int = 0
    since: int = 0
    is_held: bool = True
    is_typed: bool = False

    @property
    def question(self) -> str:
        """Tells one query from another."""
        return f"{hash(self.query):x}"

    @property
    def page(self) -> int:
        """How many cards come at once."""
        return PAGES_OF_HUBS * self.query.limit

    @property
    def below(self) -> int:
        """How many of the list come after the last card."""
        return self.total - (len(self.ids) - self.gone) - self.above

    @property
    def pending(self) -> tuple[HubName, ...]:
        """The hubs that have not answered yet."""
        return tuple(status.hub for status in self.statuses if status.state == "asked")

    @property
    def waiting(self) -> int:
        """How many places are kept for cards of hubs that have not answered."""
        return max(0, min(WAITING_CARDS * len(self.pending), self.page - len(self.ids)))

    @property
    def has_more(self) -> bool:
        return self.below > 0 or bool(self.cursors and not self.pending)


def begin(services: Services, query: Query, turn: int = 0) -> Results:
    """A search that has shown nothing yet."""
    hubs = [connector.name for connector in services.connectors if query.may_ask(connector.name)]
    return Results(query=query, statuses=tuple(pending_status(hub) for hub in hubs), turn=turn)


def search(services: Services, query: Query, turn: int = 0) -> Iterator[Results]:
    """What the catalog has, then the list anew after each hub's answer. A short one first waits for the hubs."""
    now = begin(services, query, turn)
    found = read_list(services, query, now.page)
    if len(found.ids) >= FEW_CARDS or not now.pending:
        now = with_list(now, found, now.page)
    yield now
    yield from follow(services, now)


def look(services: Services, query: Query, before: Results | None = None) -> Results:
    """A few of what the catalog has, without asking a hub: while a person types. `before` was shown until now."""
    statuses = tuple(idle_status(s.hub) if s.state == "asked" else s for s in (before.statuses if before else ()))
    now = Results(query=query, statuses=statuses, is_typed=True)
    now = with_list(now, read_list(services, query, query.limit), query.limit)
    return replace(now, note=_(ENTER) if now.ids else _(NOTHING_SEEN))


def more(services: Services, now: Results, turn: int = 0) -> Iterator[Results]:
    """A page more of the list. Where it runs low, the hubs' next pages are read until a card comes of them."""
    before, most = len(now.ids), len(now.ids) + now.page
    now = refresh(services, replace(now, turn=turn, since=before, note="", is_held=False), most)
    yield now
    if now.pending:
        now = yield from follow(services, now, most)
    rounds = 0
    while now.below < now.page and now.cursors and rounds < MAX_BARREN_ROUNDS:
        if rounds and len(now.ids) > before:
            break
        rounds += 1
        cursors = now.cursors
        asked = (pending_status(s.hub) if s.hub in cursors else s for s in now.statuses)
        now = replace(now, cursors={}, statuses=tuple(asked))
        yield now
        now = yield from follow(services, now, most, cursors)
    if len(now.ids) == before:
        yield replace(now, cursors={}, note=now.note or ("" if now.above else _(NO_MORE)))


def relist(services: Services, now: Results, turn: int = 0) -> Iterator[Results]:
    """The cards in the order of the list. Hubs that have not answered yet are asked again, as `now` was left."""
    most = max(now.page, len(now.ids))
    now = replace(now, ids=(), since=0, turn=turn, is_held=False)
    now = with_list(now, read_list(services, now.query, most), most)
    yield now
    if now.pending:
        yield from follow(services, now)


def retry(services: Services, now: Results, hub: str, turn: int = 0) -> Iterator[Results]:
    """A hub that failed is asked again, where it was, also while it is left alone."""
    services.lookup.ask_again(hub)
    failed = {name: cursor for name, cursor in now.failed.items() if name == hub}
    # With cursors, hubs that have not answered yet would not be asked.
    cursors = {} if now.pending else {name: cursor for name, cursor in failed.items() if cursor}
    statuses = tuple(pending_status(s.hub) if s.hub in failed else s for s in now.statuses)
    left = {name: cursor for name, cursor in now.failed.items() if name != hub}
    now = replace(now, statuses=statuses, failed=left, turn=turn, since=len(now.ids), note="", is_held=False)
    yield now
    yield from follow(services, now, cursors=cursors or None)


def follow(
    services: Services, now: Results, most: int = 0, cursors: Mapping[HubName, str] | None = None
) -> Generator[Results, None, Results]:
    """The list after each answer of the hubs that `now` waits for, with up to `most` cards. Returns the last."""
    query = now.query if cursors else replace(now.query, hubs=now.pending)
    if now.pending:
        try:
            answers = services.lookup.search_with_pause(query, pause=HOLD_SECONDS, cursors=cursors)
        except LimitReached as error:
            now = refresh(services, with_limit(now, error, cursors or {}), most)
            yield now
            return now
        has_answer = False
        for answer in answers:
            if answer is not None:
                now, has_answer = with_answer(services, now, answer, cursors or {}), True
            if answer is None or not now.is_held or not now.pending:
                now = refresh(services, now, most)
                # Without any card, the first answer still waits for the others.
                now = replace(now, is_held=not (has_answer or now.ids))
            if now.pending:
                yield now
    now = replace(now, note=note(services, now))
    yield now
    return now


def with_limit(now: Results, error: LimitReached, asked: Mapping[HubName, str]) -> Results:
    """The visitor has used up what they may ask; what was seen before stands here, and hubs can be asked again."""
    failed = {hub: asked.get(hub, "") for hub in now.pending}
    statuses = tuple(idle_status(status.hub) if status.hub in failed else status for status in now.statuses)
    return replace(now, statuses=statuses, failed={**now.failed, **failed}, note=error.message, is_held=False)


def with_answer(services: Services, now: Results, answer: Answer, asked: Mapping[HubName, str]) -> Results:
    """With the state of the hub that answered, and where its next page is, or the one that it failed to give."""
    cursor = {answer.hub: answer.page.cursor} if answer.page and answer.page.cursor else {}
    failed = {answer.hub: asked.get(answer.hub, "")} if answer.error else {}
    status = answer_status(answer, services.lookup.down_since.get(answer.hub))
    statuses = tuple(status if s.hub == answer.hub else s for s in now.statuses)
    return replace(now, statuses=statuses, cursors={**now.cursors, **cursor}, failed={**now.failed, **failed})


def note(services: Services, now: Results) -> str:
    """What is to say of the whole list, once all hubs have answered or failed."""
    has_failed = bool(now.statuses) and all(status.state != "good" for status in now.statuses)
    if now.ids and has_failed:
        _records, seen = services.catalog.cards(now.ids[: now.page], now.query)
        age = format.ago(seen)
        last = _("No hub answers. These were last seen {age}.").format(age=age)
        return last if age else _("No hub answers. These were seen before.")
    # Of hubs that are not asked just now, and of what is shown in place of their answer.
    waiting = (status.title for status in now.statuses if status.state == "down" and status.until)
    return (
        format.sentences(*waiting) if now.ids else " ".join(unknown_values(services.catalog, now.query)) or _(NOTHING)
    )


def refresh(services: Services, now: Results, most: int = 0) -> Results:
    """With the list of this moment: new cards only below those that are there, up to `most` or a page."""
    most = max(most, now.page)
    ahead = PAGES_AHEAD * now.page if now.ids else 0
    found = read_list(services, now.query, max(most, len(now.ids)) + ahead)
    # A LoRA may be on another's card by now.
    moved = services.catalog.leads([*set(now.ids).difference(found.ids)])
    return with_list(replace(now, ids=tuple(moved.get(number, number) for number in now.ids)), found, most)


def read_list(services: Services, query: Query, limit: int) -> Listing:
    """The first `limit` of the list."""
    # Visitors of a shared page must not hear what its owner has.
    owned = services.library.entries() if services.policy.allows("see library") else ()
    return services.catalog.listing(
        replace(query, limit=limit),
        installed=[entry.ref.lora for entry in owned],
        favorites=services.annotations.favorites() if services.policy.allows("annotate") else (),
    )


def read_cards(services: Services, now: Results, places: Iterable[int]) -> dict[int, Record]:
    """The cards in these places."""
    wanted = {place: now.ids[place] for place in places if 0 <= place < len(now.ids)}
    records, _seen = services.catalog.cards([*wanted.values()], now.query)
    return {place: records[number] for place, number in wanted.items() if number in records}


def with_list(now: Results, found: Listing, most: int) -> Results:
    """`found` is the list from its first card on, as far as it was read."""
    placement = place(now.ids, found.ids, most, is_whole=len(found.ids) >= found.total)
    counted = (with_hits(status, found.facets.hubs.get(status.hub, 0)) for status in now.statuses)
    return replace(
        now,
        ids=placement.ids,
        above=placement.above,
        gone=placement.gone,
        total=found.total,
        facets=keep_places(now.facets, found.facets),
        statuses=tuple(counted),
        is_held=False,
    )


def keep_places(shown: Facets, found: Facets) -> Facets:
    """`found` in the order of `shown`, new choices last: no other choice comes under a person's pointer."""
    return replace(
        found,
        bases=keep_bases(shown.bases, found.bases),
        creators=keep_names(shown.creators, found.creators),
        tags=keep_names(shown.tags, found.tags),
    )


def keep_bases(shown: Sequence[BaseCount], found: Sequence[BaseCount]) -> tuple[BaseCount, ...]:
    """Those that are not found any more stay, with no LoRA."""
    now = {base.id: base for base in found}
    kept = []
    for base in shown:
        newer = now.pop(base.id, replace(base, count=0, children=()))
        kept.append(replace(newer, children=keep_bases(base.children, newer.children)))
    return (*kept, *now.values())


def keep_names(shown: Mapping[str, int], found: Mapping[str, int]) -> dict[str, int]:
    return {name: found[name] for name in dict.fromkeys([*shown, *most_first(found)]) if name in found}


@dataclass(frozen=True, kw_only=True)
class Placement:
    """See Results."""

    ids: tuple[int, ...]
    above: int
    gone: int


def place(shown: Sequence[int], listed: Sequence[int], most: int, *, is_whole: bool) -> Placement:
    """The cards of `shown` in their places, then those that `listed` has after the last of them.

    A card that is not among `listed` is gone, or lies past its end if that is not the `whole` list: then all of
    `listed` lies above it. Of two that turned out to be one LoRA, the second is gone.
    """
    place_of = {number: place for place, number in enumerate(listed)}
    places = {place_of[number] for number in shown if number in place_of}
    gone = len(shown) - len(places)
    end = len(listed) if gone and not is_whole else max(places, default=-1) + 1
    return Placement(
        ids=(*shown, *listed[end : end + max(0, most - len(shown))]),
        above=end - len(places),
        gone=gone,
    )


class Newest:
    """The newest results of a page, for all of its events. Thread-safe.

    The State of Gradio has only those that were sent. This is the value of a State that is no output, freed with the
    page.

    With how often Enter was pressed in the search box, so that what was typed before it is known from what came after.
    """

    def __init__(self) -> None:
        self._results: Results | None = None
        self._asked: tuple[Query, int] | None = None
        self._enters = 0
        self._lock = threading.Lock()

    def __deepcopy__(self, _memo: dict[int, Any]) -> Self:
        """Gradio copies a State's first value for each page."""
        return type(self)()

    @property
    def results(self) -> Results | None:
        with self._lock:
            return self._results

    def is_asked(self, view: View) -> bool:
        """Whether the view asks for another list than the one before, or for that list once more."""
        with self._lock:
            before, self._asked = self._asked, (view.query, view.visit)
            return before != self._asked

    def count_enter(self) -> None:
        with self._lock:
            self._enters += 1

    def is_entered(self, enters: str) -> bool:
        """Whether Enter was pressed since the page had counted so many."""
        with self._lock:
            return enters.isascii() and enters.isdigit() and len(enters) < 9 and int(enters) < self._enters

    def put(self, now: Results) -> None:
        """Unless those of a later turn are there."""
        with self._lock:
            if self._results is None or now.turn >= self._results.turn:
                self._results = now

    def replace(self, before: Results, now: Results | None) -> bool:
        """Whether `before` still were the newest."""
        with self._lock:
            is_newest = self._results is before
            if is_newest:
                self._results = now
            return is_newest

    def search(self, services: Services, query: Query, turn: int) -> Iterator[Results]:
        """The steps of a search, whose query is the newest from now on, not only from its first step on."""
        before, begun = self.results, begin(services, query, turn)
        self.put(begun)
        try:
            yield from search(services, query, turn)
        finally:
            # Where it ended before its first step.
            self.replace(begun, before)

    def paint(self, paint: Callable[[Results], Any]) -> Iterator[Any]:
        """Updates of the page, until what was sent last is the newest: of two events, the older one may send last."""
        painted = None
        while (now := self.results) is not None and now is not painted and not now.is_held:
            painted = now
            yield paint(now)
