"""The list of a search: always the catalog's, to which the hubs' answers are added as they arrive.

A card that is on the screen keeps its place. What is found later and belongs above it waits until a person loads the
list again; what belongs below flows in, up to a page. So does a filter's choice, until another query.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import chain

from connectors.errors import HubUiError
from connectors.federation import MAX_BARREN_ROUNDS, Answer
from connectors.query import FIELDS, Query
from connectors.ref import HubName
from hub_ui.access.quotas import LimitReached
from hub_ui.app.documents import other_words, unknown_filters, unknown_values
from hub_ui.app.services import Services
from hub_ui.base import format
from hub_ui.base.i18n import N_, _
from hub_ui.catalog.search import BaseCount, Facets, Listing, most_first
from hub_ui.web.layout.pages import HubState, HubStatus, answer_status
from hub_ui.web.layout.render import key

WAITING_CARDS = 8
# With fewer cards than a row, nearly all that the hubs answer would belong above them, where it could not be shown.
FEW_CARDS = 5
# How long a few cards of the catalog wait for the hubs, and the first answer for the others if there are no cards yet.
HOLD_SECONDS = 1.0
# Pages of the list that are read past the cards on the screen, to see what has come in between them.
PAGES_AHEAD = 4
NO_MORE = N_("The hubs sent nothing more that matches.")


@dataclass(frozen=True, kw_only=True)
class Results:
    """`ids` are the cards (see Catalog.cards). `total` and `facets` are of the catalog's list, of one moment.

    `above` are in the list, before the last card, and have none. `gone` cards are not in the list any more. `cursors`
    lead to the hubs' next pages, and `failed` to the pages that hubs failed to give, "" being the first one.
    `is_held`: there are answers, or a few cards, which are not shown yet. `rings` has what is said above cards from
    which on the list holds less than was asked for, `corrected` the words without typos, where one is in no LoRA.
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
    is_held: bool = True
    rings: Mapping[int, str] = field(default_factory=dict)
    corrected: str = ""

    @property
    def fingerprint(self) -> str:
        """Tells one list from another, whatever is said of it and of the hubs."""
        return key(repr((replace(self, statuses=(), cursors={}, failed={}, corrected="", note=""), self.waiting)))

    @property
    def below(self) -> int:
        """How many of the list come after the last card."""
        return self.total - (len(self.ids) - self.gone) - self.above

    @property
    def pending(self) -> tuple[HubName, ...]:
        """The hubs that have not answered yet."""
        return tuple(status.hub for status in self.statuses if status.state == "asked")

    @property
    def failures(self) -> tuple[HubUiError, ...]:
        """What is wrong with the hubs that are down."""
        return tuple(status.error for status in self.statuses if status.error and status.state == "down")

    @property
    def waiting(self) -> int:
        """How many places are kept for cards of hubs that have not answered, where there is none yet."""
        return 0 if self.ids else min(WAITING_CARDS * len(self.pending), self.query.limit)

    @property
    def has_more(self) -> bool:
        """Whether the list or a hub has another page."""
        return self.below > 0 or bool(self.cursors and not self.pending)


def begin(services: Services, query: Query) -> Results:
    """A search that has shown nothing yet."""
    hubs = (connector.name for connector in services.connectors if query.may_ask(connector.name))
    return Results(query=query, statuses=hubs_that_are("asked", hubs))


def hubs_that_are(state: HubState, hubs: Iterable[HubName]) -> tuple[HubStatus, ...]:
    return tuple(HubStatus(hub=hub, state=state) for hub in hubs)


def first_cards(services: Services, query: Query) -> Results:
    """What the catalog has, before any hub is asked."""
    now = begin(services, query)
    return with_list(now, read_list(services, query, now.query.limit))


def wait_for_cards(services: Services, query: Query) -> Results:
    """Return what the catalog has. If it has hardly anything, wait for the first hubs."""
    for now in search(services, query):
        if now.ids:
            break
    return now


def search(services: Services, query: Query) -> Iterator[Results]:
    """What the catalog has, then the list anew after each hub's answer. A short one first waits for the hubs."""
    now, found = begin(services, query), first_cards(services, query)
    if len(found.ids) >= FEW_CARDS or not now.pending:
        now = found
    yield now
    groups: Iterator[tuple[Answer, ...]] = iter(())
    if now.pending:
        try:
            groups = services.lookup.search(replace(query, hubs=now.pending), pause=HOLD_SECONDS)
        except LimitReached as error:
            # What was seen before stands here, and the hubs can be asked again.
            idle = hubs_that_are("idle", now.pending)
            yield replace(found, statuses=idle, failed=dict.fromkeys(now.pending, ""), note=error.message)
            return
    has_answer = has_loras = False
    for group in groups:
        for answer in group:
            now, has_answer = with_answer(services, now, answer, {}), True
            has_loras = has_loras or bool(answer.page and answer.page.loras)
        if not group or not now.is_held or not now.pending:
            now = refresh(services, now)
            # Without any card, the first answer still waits for the others.
            now = replace(now, is_held=not (has_answer or now.ids))
        if now.pending:
            yield now
    if has_answer and not has_loras:
        now = ask_for_other_words(services, now)
    yield replace(now, note=note(services, now))


def ask_for_other_words(services: Services, now: Results) -> Results:
    """With what the hubs have for other words. Their next pages are not asked for."""
    with suppress(LimitReached):
        for words in other_words(services.catalog, now.query):
            groups = services.lookup.search(replace(now.query, text=words), pause=HOLD_SECONDS)
            answers = list(chain.from_iterable(groups))
            if any(answer.page and answer.page.loras for answer in answers):
                return refresh(services, now)
    return now


def cards_while_typing(services: Services, query: Query) -> Results:
    """What the catalog has, without asking a hub: while a person types."""
    now = first_cards(services, query)
    idle = hubs_that_are("idle", (connector.name for connector in services.connectors))
    nothing = _("Nothing that was seen so far matches. Press Enter to ask the hubs.")
    return replace(now, statuses=idle, note=_("Seen so far. Press Enter to ask the hubs too.") if now.ids else nothing)


def next_cards(
    services: Services, query: Query, *, after: int, shown: int, cursors: Mapping[HubName, str] | None = None
) -> Results:
    """The page of the list that follows the card `after`, the last of `shown`; its `ids` alone are new.

    Where the catalog runs low, the hubs' next pages are read until a card comes of them.
    """
    now = replace(begin(services, query), statuses=(), cursors=cursors or {}, is_held=False)
    now = after_card(services, now, after, shown)
    rounds = 0
    while now.below <= 0 and now.cursors and rounds < MAX_BARREN_ROUNDS and (not rounds or not now.ids):
        rounds += 1
        asked, now = now.cursors, replace(now, cursors={}, statuses=hubs_that_are("asked", now.cursors))
        try:
            groups = services.lookup.search(query, pause=HOLD_SECONDS, cursors=asked)
        except LimitReached as error:
            return replace(now, statuses=(), cursors=asked, failed=asked, note=error.message)
        for answer in chain.from_iterable(groups):
            now = with_answer(services, now, answer, asked)
        now = after_card(services, now, after, shown)
    # A page that a hub failed to give is asked for again by the next click.
    left = {**(now.cursors if now.ids else {}), **now.failed}
    told = format.sentences(*(error.message for error in now.failures))
    return replace(now, cursors=left, note=told if now.ids or left else _(NO_MORE))


def after_card(services: Services, now: Results, after: int, shown: int) -> Results:
    """A card that is not in the list any more leaves its place to the one that followed it."""
    found = read_list(services, now.query, shown + (1 + PAGES_AHEAD) * now.query.limit)
    start = found.ids.index(after) + 1 if after in found.ids else min(shown, found.total)
    # What came in above the last card has no card on the page, and what was above it is known.
    return replace(
        now,
        ids=found.ids[start : start + now.query.limit],
        rings=heads(found),
        total=found.total - start,
        facets=found.facets,
    )


def heads(found: Listing) -> dict[int, str]:
    """What is said above the first card of a ring."""
    read = (ring for ring in found.rings if ring.start < len(found.ids))
    return {found.ids[ring.start]: text for ring in read if (text := ring.sentence)}


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
        age = format.ago(services.catalog.last_listed(now.ids[: now.query.limit]))
        last = _("No hub answers. These were last seen {age}.").format(age=age)
        return last if age else _("No hub answers. These were seen before.")
    # Of hubs that are not asked just now, and of what is shown in place of their answer.
    if now.ids:
        down = (error.message for error in now.failures if error.retry_after)
        return format.sentences(*unknown_filters(services.catalog, now.query.text), *down)
    nothing = _("Nothing matches. Remove a filter, or try another word.")
    unknown = (*unknown_filters(services.catalog, now.query.text), *unknown_values(services.catalog, now.query))
    return " ".join(unknown) or nothing


def refresh(services: Services, now: Results) -> Results:
    """With the list of this moment: new cards only below those that are there, up to a page."""
    ahead = PAGES_AHEAD * now.query.limit if now.ids else 0
    found = read_list(services, now.query, max(now.query.limit, len(now.ids)) + ahead)
    # A LoRA may be on another's card by now.
    moved = services.catalog.leads([*set(now.ids).difference(found.ids)])
    return with_list(replace(now, ids=tuple(moved.get(number, number) for number in now.ids)), found)


def read_list(services: Services, query: Query, limit: int) -> Listing:
    """The first `limit` of the list."""
    return services.catalog.listing(replace(query, limit=limit), services.lookup.marks())


def with_list(now: Results, found: Listing) -> Results:
    """`found` is the list from its first card on, as far as it was read."""
    ids, above, gone = place(now.ids, found.ids, now.query.limit, is_whole=len(found.ids) >= found.total)
    return replace(
        now,
        ids=ids,
        above=above,
        gone=gone,
        rings=heads(found),
        corrected=found.corrected,
        total=found.total,
        facets=keep_places(now.facets, found.facets),
        statuses=tuple(replace(each, hits=found.facets.of("hubs").get(each.hub, 0)) for each in now.statuses),
        is_held=False,
    )


def keep_places(shown: Facets, found: Facets) -> Facets:
    """`found` in the order of `shown`, new choices last: no other choice comes under a person's pointer."""
    names = [field.columns[-1].name for field in FIELDS if field.facet and field.facet.most]
    kept = {name: keep_names(shown.of(name), found.of(name)) for name in names if found.of(name)}
    return replace(found, bases=keep_bases(shown.bases, found.bases), counts={**found.counts, **kept})


def keep_bases(shown: Sequence[BaseCount], found: Sequence[BaseCount]) -> tuple[BaseCount, ...]:
    """Those that are not found any more stay, with no LoRA."""
    now = {base.id: base for base in found}
    kept = []
    for base in shown:
        newer = now.pop(base.id, None) or replace(base, count=0, children=())
        children = keep_bases(base.children, newer.children)
        kept.append(newer if children == newer.children else replace(newer, children=children))
    return (*kept, *now.values())


def keep_names(shown: Mapping[str, int], found: Mapping[str, int]) -> dict[str, int]:
    return {name: found[name] for name in dict.fromkeys([*shown, *most_first(found)]) if name in found}


def place(
    shown: Sequence[int], listed: Sequence[int], most: int, *, is_whole: bool
) -> tuple[tuple[int, ...], int, int]:
    """The cards of `shown` in their places, then those that `listed` has after the last of them; and how many are
    `above` and `gone` (see Results).

    A card that is not among `listed` is gone, or lies past its end if that is not the `whole` list: then all of
    `listed` lies above it. Of two that turned out to be one LoRA, the second is gone.
    """
    place_of = {number: place for place, number in enumerate(listed)}
    places = {place_of[number] for number in shown if number in place_of}
    gone = len(shown) - len(places)
    end = len(listed) if gone and not is_whole else max(places, default=-1) + 1
    return (*shown, *listed[end : end + max(0, most - len(shown))]), end - len(places), gone
