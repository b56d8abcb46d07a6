"""The list of a search. It is read from the catalog, to which the hubs' results are added as they arrive.

Cards on the screen keep their places. A later result that ranks above them is shown only after a reload. Results that
rank below are appended, up to a page. The choices of filters keep their places in the same way, until the next query.
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
# A list with fewer cards waits for the hubs, because most of their results would rank above these cards.
FEW_CARDS = 5
# The time that a list with few cards waits for the hubs, and that the first response waits for others.
HOLD_SECONDS = 1.0
# The number of pages to read beyond the cards on the screen, to find new results between them.
PAGES_AHEAD = 4
NO_MORE = N_("The hubs sent nothing more that matches.")


@dataclass(frozen=True, kw_only=True)
class Results:
    """The state of a search. `ids` are the numbers of the cards on the screen (see Catalog.cards).

    `total` and `facets` belong to the catalog's list, read at the same moment. `above` counts LoRAs of the list that
    rank above the last card but have no card, and `gone` counts cards that are no longer in the list. `cursors` point
    to the hubs' next pages, and `failed` to pages that a hub failed to send ("" is the first page). `is_held` hides the
    results until more hubs respond. `rings` holds sentences by the card above which they are shown: from there on,
    results match less of the query. `corrected` is the query's text without typos, if a word matches no LoRA.
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
        """A digest of the list, independent of its note and of the hubs' states."""
        return key(repr((replace(self, statuses=(), cursors={}, failed={}, corrected="", note=""), self.waiting)))

    @property
    def below(self) -> int:
        """The number of LoRAs in the list after the last card."""
        return self.total - (len(self.ids) - self.gone) - self.above

    @property
    def pending(self) -> tuple[HubName, ...]:
        """The hubs that have not responded yet."""
        return tuple(status.hub for status in self.statuses if status.state == "asked")

    @property
    def failures(self) -> tuple[HubUiError, ...]:
        """The errors of the hubs that are down."""
        return tuple(status.error for status in self.statuses if status.error and status.state == "down")

    @property
    def waiting(self) -> int:
        """The number of placeholders for cards of pending hubs. It is 0 as soon as there are cards."""
        return 0 if self.ids else min(WAITING_CARDS * len(self.pending), self.query.limit)

    @property
    def has_more(self) -> bool:
        """Whether the list or a hub has another page."""
        return self.below > 0 or bool(self.cursors and not self.pending)


def begin(services: Services, query: Query) -> Results:
    """Return the state of a search before any results."""
    hubs = (connector.name for connector in services.connectors if query.may_ask(connector.name))
    return Results(query=query, statuses=hubs_that_are("asked", hubs))


def hubs_that_are(state: HubState, hubs: Iterable[HubName]) -> tuple[HubStatus, ...]:
    return tuple(HubStatus(hub=hub, state=state) for hub in hubs)


def first_cards(services: Services, query: Query) -> Results:
    """Return the catalog's results, before any hub is queried."""
    now = begin(services, query)
    return with_list(now, read_list(services, query, now.query.limit))


def wait_for_cards(services: Services, query: Query) -> Results:
    """Return the catalog's results. If there are hardly any, wait for the first hubs."""
    for now in search(services, query):
        if now.ids:
            break
    return now


def search(services: Services, query: Query) -> Iterator[Results]:
    """Yield the catalog's results, then the updated results after each hub's response.

    If the catalog has few results, the first item has no cards, because the list waits for the hubs.
    """
    now, cataloged = begin(services, query), first_cards(services, query)
    if len(cataloged.ids) >= FEW_CARDS or not now.pending:
        now = cataloged
    yield now
    groups: Iterator[tuple[Answer, ...]] = iter(())
    if now.pending:
        try:
            groups = services.lookup.search(replace(query, hubs=now.pending), pause=HOLD_SECONDS)
        except LimitReached as error:
            # Show the catalog's results. `failed` offers to query the hubs again.
            idle = hubs_that_are("idle", now.pending)
            yield replace(cataloged, statuses=idle, failed=dict.fromkeys(now.pending, ""), note=error.message)
            return
    has_answer = has_loras = False
    for group in groups:
        for answer in group:
            now, has_answer = with_answer(services, now, answer, {}), True
            has_loras = has_loras or bool(answer.page and answer.page.loras)
        if not group or not now.is_held or not now.pending:
            now = refresh(services, now)
            # Hold an empty list until a hub has responded.
            now = replace(now, is_held=not (has_answer or now.ids))
        if now.pending:
            yield now
    if has_answer and not has_loras:
        now = ask_for_other_words(services, now)
    yield replace(now, note=note(services, now))


def ask_for_other_words(services: Services, now: Results) -> Results:
    """Query the hubs for other words until they have results. Only their first pages are requested."""
    with suppress(LimitReached):
        for words in other_words(services.catalog, now.query):
            groups = services.lookup.search(replace(now.query, text=words), pause=HOLD_SECONDS)
            answers = list(chain.from_iterable(groups))
            if any(answer.page and answer.page.loras for answer in answers):
                return refresh(services, now)
    return now


def cards_while_typing(services: Services, query: Query) -> Results:
    """Return the catalog's results while a person types. No hub is queried."""
    now = first_cards(services, query)
    idle = hubs_that_are("idle", (connector.name for connector in services.connectors))
    nothing = _("Nothing that was seen so far matches. Press Enter to ask the hubs.")
    return replace(now, statuses=idle, note=_("Seen so far. Press Enter to ask the hubs too.") if now.ids else nothing)


def next_cards(
    services: Services, query: Query, *, after: int, shown: int, cursors: Mapping[HubName, str] | None = None
) -> Results:
    """Return the page of the list after the card `after`, the last of `shown` cards. `ids` holds only the new cards.

    If the catalog has no more, request the hubs' next pages until there is a new card.
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
    # The next click retries the pages that hubs failed to send.
    cursors = {**(now.cursors if now.ids else {}), **now.failed}
    messages = format.sentences(*(error.message for error in now.failures))
    return replace(now, cursors=cursors, note=messages if now.ids or cursors else _(NO_MORE))


def after_card(services: Services, now: Results, after: int, shown: int) -> Results:
    """Return the page after the card `after`. If that card was deleted, start at its former position."""
    listing = read_list(services, now.query, shown + (1 + PAGES_AHEAD) * now.query.limit)
    start = listing.ids.index(after) + 1 if after in listing.ids else min(shown, listing.total)
    # `total` counts only from `start`, because the cards above are on the page already.
    return replace(
        now,
        ids=listing.ids[start : start + now.query.limit],
        rings=heads(listing),
        total=listing.total - start,
        facets=listing.facets,
    )


def heads(listing: Listing) -> dict[int, str]:
    """Return the sentence above each ring, by the ring's first card."""
    rings = (ring for ring in listing.rings if ring.start < len(listing.ids))
    return {listing.ids[ring.start]: text for ring in rings if (text := ring.sentence)}


def with_answer(services: Services, now: Results, answer: Answer, asked: Mapping[HubName, str]) -> Results:
    """Return the state after a hub's response: its status, and the cursor of its next or its failed page."""
    cursor = {answer.hub: answer.page.cursor} if answer.page and answer.page.cursor else {}
    failed = {answer.hub: asked.get(answer.hub, "")} if answer.error else {}
    status = answer_status(answer, services.lookup.down_since.get(answer.hub))
    statuses = tuple(status if s.hub == answer.hub else s for s in now.statuses)
    return replace(now, statuses=statuses, cursors={**now.cursors, **cursor}, failed={**now.failed, **failed})


def note(services: Services, now: Results) -> str:
    """Return the note for the whole list, after all hubs have responded or failed."""
    has_failed = bool(now.statuses) and all(status.state != "good" for status in now.statuses)
    if now.ids and has_failed:
        age = format.ago(services.catalog.last_listed(now.ids[: now.query.limit]))
        last = _("No hub answers. These were last seen {age}.").format(age=age)
        return last if age else _("No hub answers. These were seen before.")
    # A list with cards needs only notes about unknown filters, and about hubs that are not queried for a while.
    if now.ids:
        down = (error.message for error in now.failures if error.retry_after)
        return format.sentences(*unknown_filters(services.catalog, now.query.text), *down)
    nothing = _("Nothing matches. Remove a filter, or try another word.")
    unknown = (*unknown_filters(services.catalog, now.query.text), *unknown_values(services.catalog, now.query))
    return " ".join(unknown) or nothing


def refresh(services: Services, now: Results) -> Results:
    """Read the list again. New cards are added only below the cards on the screen, up to a page."""
    ahead = PAGES_AHEAD * now.query.limit if now.ids else 0
    listing = read_list(services, now.query, max(now.query.limit, len(now.ids)) + ahead)
    # A LoRA may have joined another card in the meantime.
    moved = services.catalog.leads([*set(now.ids).difference(listing.ids)])
    return with_list(replace(now, ids=tuple(moved.get(number, number) for number in now.ids)), listing)


def read_list(services: Services, query: Query, limit: int) -> Listing:
    """Read the first `limit` cards of the list from the catalog."""
    return services.catalog.listing(replace(query, limit=limit), services.lookup.marks())


def with_list(now: Results, listing: Listing) -> Results:
    """Return the state after reading `listing`, which is the beginning of the list."""
    ids, above, gone = place(now.ids, listing.ids, now.query.limit, is_whole=len(listing.ids) >= listing.total)
    return replace(
        now,
        ids=ids,
        above=above,
        gone=gone,
        rings=heads(listing),
        corrected=listing.corrected,
        total=listing.total,
        facets=keep_places(now.facets, listing.facets),
        statuses=tuple(replace(hub, hits=listing.facets.of("hubs").get(hub.hub, 0)) for hub in now.statuses),
        is_held=False,
    )


def keep_places(shown: Facets, found: Facets) -> Facets:
    """Return `found` in the order of `shown`, new choices last, so that no choice moves under a visitor's pointer."""
    names = [field.columns[-1].name for field in FIELDS if field.facet and field.facet.most]
    kept = {name: keep_names(shown.of(name), found.of(name)) for name in names if found.of(name)}
    return replace(found, bases=keep_bases(shown.bases, found.bases), counts={**found.counts, **kept})


def keep_bases(shown: Sequence[BaseCount], found: Sequence[BaseCount]) -> tuple[BaseCount, ...]:
    """Return `found` in the order of `shown`, new bases last. Bases of `shown` that are missing stay with count 0."""
    new = {base.id: base for base in found}
    kept = []
    for base in shown:
        newer = new.pop(base.id, None) or replace(base, count=0, children=())
        children = keep_bases(base.children, newer.children)
        kept.append(newer if children == newer.children else replace(newer, children=children))
    return (*kept, *new.values())


def keep_names(shown: Mapping[str, int], found: Mapping[str, int]) -> dict[str, int]:
    return {name: found[name] for name in dict.fromkeys([*shown, *most_first(found)]) if name in found}


def place(
    shown: Sequence[int], listed: Sequence[int], most: int, *, is_whole: bool
) -> tuple[tuple[int, ...], int, int]:
    """Return the cards of `shown`, extended by later cards of `listed`, and the numbers `above` and `gone` of Results.

    A card that is missing from `listed` counts as gone. Unless `listed` `is_whole`, that card may also lie beyond its
    end, so the rest of `listed` counts as above it. If two cards turned out to be the same LoRA, the second is gone.
    """
    place_of = {number: place for place, number in enumerate(listed)}
    places = {place_of[number] for number in shown if number in place_of}
    gone = len(shown) - len(places)
    end = len(listed) if gone and not is_whole else max(places, default=-1) + 1
    return (*shown, *listed[end : end + max(0, most - len(shown))]), end - len(places), gone
