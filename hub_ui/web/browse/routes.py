"""Routes of the Browse page: the list, its updates from hubs, its next page, and suggestions for the search box.

They prepare values for the templates: cards, filters, the query in words, and the hubs' states.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Annotated, Any
from urllib.parse import urlencode

import fastapi
from anyio import to_thread
from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from connectors.errors import UsageError
from connectors.query import BY_KEY, Query
from connectors.ref import HubName, Ref
from connectors.registry import HUBS
from hub_ui.app import used_loras
from hub_ui.app.compatibility import to_download
from hub_ui.base import format
from hub_ui.base.i18n import _
from hub_ui.catalog.search import Facets
from hub_ui.generate.try_fields import MOST_LORAS, TrySettings
from hub_ui.web.browse import search
from hub_ui.web.browse.cards import MOST_CARDS, Card, Cards, HeaderReader
from hub_ui.web.browse.facets import Bar, Group, groups, level_words, suggest, without_beginning
from hub_ui.web.browse.search import Results
from hub_ui.web.layout.pages import (
    LEVEL_COOKIE,
    HubStatus,
    Preview,
    Room,
    Shown,
    keep_choice,
    page_address,
    route,
    target_of,
)
from hub_ui.web.lora.panel import Panel, find_similar
from hub_ui.web.news import NewsRoutes
from hub_ui.web.view import PATHS, View, filter_pair

LONGEST_CURSOR = 4000
LONGEST_TEXT = 1000
# Browsers send at least one of these with every request for a page. Other programs don't.
BROWSER_HEADERS = frozenset(["hx-request", "sec-fetch-mode", "upgrade-insecure-requests"])

Typed = Annotated[str, fastapi.Query(max_length=LONGEST_TEXT)]
Ticked = Annotated[Sequence[str], fastapi.Query(max_length=MOST_LORAS)]
PageNumber = Annotated[int, fastapi.Query(ge=1, le=10**5)]
NextPage = Annotated[int, fastapi.Query(ge=2, le=10**5)]
Count = Annotated[int, fastapi.Query(ge=1, le=10**6)]
Id = Annotated[int, fastapi.Query(ge=0, le=2**53)]
Cursors = Annotated[str, fastapi.Query(max_length=LONGEST_CURSOR)]
Signature = Annotated[str, fastapi.Query(max_length=64)]


@dataclass(frozen=True, kw_only=True)
class BrowseRoutes(Room):
    panel: Panel
    cards: Cards
    reader: HeaderReader
    news: NewsRoutes
    # A search for a name may have to query the hubs before the response.
    most_at_once = 20

    @route("GET /ask")
    async def ask(self, request: Request, view: Shown, seen: Signature = "") -> Response:
        return self.pages.streams.answer(chain(self.steps(view, seen), self.news.badge(request)))

    @route("GET /group")
    def group(self, view: Shown, facet: Typed) -> Response:
        """Return the choices of a folded group of filters when it is opened."""
        facets = search.first_cards(self.services, view.query).facets
        values = self.filter_values(view, view, view, facets)
        by_facet = {group.facet: group for group in values["groups"]}
        if facet not in by_facet:
            raise UsageError(_("There is no such filter. Load the page again."))
        return self.pages.part("browse/group", group=by_facet[facet], **values)

    @route("GET /compare")
    def compare(self, lora: Ticked = ()) -> Response:
        view = View(page="try", settings=TrySettings(sheet="loras"))
        for ref in list(dict.fromkeys(map(Ref.parse, lora))):
            view = view.with_lora(str(ref), self.services.generation.default_weight(ref))
        return RedirectResponse(view.link(), 303)

    @route("GET /suggestions")
    def suggestions(self, before: Typed = "", after: Typed = "") -> Response:
        text = (before + after)[:LONGEST_TEXT]
        found = suggest(text, len(before), self.services.catalog.complete_value)
        problem = View.from_address(urlencode({"q": text})).problem
        return self.pages.part("browse/suggestions", suggestions=found, problem=problem, text=text)

    @route("GET /")
    async def answer(self, request: Request, view: Shown, ask: bool = False, page: PageNumber = 1) -> Response:
        """Return the Browse page, or a part of it. The limiter applies only to requests that wait for hubs."""
        if "view" in request.query_params:
            return RedirectResponse(path_address(request), 303)
        if target_of(request, "hx-source") == "q":
            return await to_thread.run_sync(self.answer_typed, request, view)
        if used_loras.may_be_name(request.query_params.get("q", "").strip()):
            named = await to_thread.run_sync(self.find, request, limiter=self.limiter)
            if named is not None and not target_of(request):
                return RedirectResponse(named.link(), 303)
            view = named or view
        if target_of(request):
            return await to_thread.run_sync(self.answer_part, request, view)
        limiter = self.limiter if ask or is_program(request) else None
        return await to_thread.run_sync(self.answer_page, request, view, ask, page, limiter=limiter)

    @route("GET /tray")
    def tray(self, view: Shown, lora: Ticked = ()) -> Response:
        """Return the tray of ticked LoRAs: their number, the number of bases, and the size of missing downloads."""
        refs = list(dict.fromkeys(map(Ref.parse, lora)))
        records = list(filter(None, map(self.services.lookup.find_record, refs)))
        return self.pages.part(
            "browse/tray",
            many=len(refs),
            bases=len({record.architecture for record in records}),
            pictures=[Card(record=record, ceiling=view.query.nsfw) for record in records[:4]],
            cost=to_download(self.services, refs),
        )

    def find(self, request: Request) -> View | None:
        """Return the view with the panel of the LoRA that the search box names.

        If the name is unknown, return a view that searches for its words. Return None for any other text.
        """
        text, view = request.query_params["q"].strip(), view_of_boxes(request)
        ref = used_loras.find_searched(self.services, text)
        if ref is not None:
            return replace(view, open=str(ref))
        words = used_loras.words_of_name(text)
        return replace(view, query=replace(view.query, text=words)) if words else None

    def answer_page(self, request: Request, view: View, ask: bool = False, page: int = 1) -> Response:
        """Render the whole page. `ask` and `page` are for browsers without JavaScript: `ask` waits for all hubs.

        A program, such as a crawler or a link preview, waits for the first hubs if the catalog has hardly any results.
        """
        services, waits = self.services, ask or is_program(request)
        first = search.wait_for_cards if waits else search.first_cards
        # The last state of a search holds the results of all hubs.
        *_before, now = search.search(services, view.query) if ask else [first(services, view.query)]
        if view.open and waits:
            services.lookup.find_record(Ref.parse(view.open), asks=True)
        if page > 1:
            listing = search.read_list(services, view.query, page * view.query.limit)
            ids = listing.ids[(page - 1) * view.query.limit :]
            now = replace(now, ids=ids, rings=search.heads(listing), is_held=False)
        values = self.all(view, hold_few(now), asks=not ask, is_whole=True)
        values.update(page=page, waits=waits, search_name=format.query_name(view.query))
        panel = {**self.panel_values(request, view), "similar": find_similar(services, view)} if view.open else {}
        preview = self.panel.preview(view) if view.open else Preview(title=title_of(values))
        return self.pages.whole(request, "browse/page", view, preview=preview, **{**panel, **values})

    def panel_values(self, request: Request, view: View) -> dict[str, Any]:
        return {**self.panel.values(view), "saved": self.news.texts(request)}

    def answer_part(self, request: Request, view: View) -> Response:
        if target_of(request) == "panel":
            # Leave the list unchanged.
            return self.pages.part("lora/changed", push=view.link(), **self.panel_values(request, view))
        if View.from_address(request.url.query).open == view.open:
            # A new list closes the panel, unless the search box named this LoRA.
            view = replace(view, open="")
        now, before = hold_few(search.first_cards(self.services, view.query)), view_before(request)
        panel = self.panel_values(request, view) if view.open else {}
        values = {**panel, **self.all(view, now, before=before)}
        response = self.pages.part("browse/answer", **values)
        # The browser's history skips the name that was typed or pasted to open a LoRA.
        is_step = not view.open or not used_loras.may_be_name(before.text)
        response.headers["HX-Push-Url" if is_step else "HX-Replace-Url"] = view.link()
        # Remember the chosen level of mature images in this browser.
        if "nsfw" in request.query_params:
            keep_choice(request, response, LEVEL_COOKIE, view.query.nsfw)
        return response

    def answer_typed(self, request: Request, view: View) -> Response:
        """Return the list while a person types, without querying a hub. Typed filters don't change the checkboxes."""
        view = replace(view, open="")
        form, typed = view_of_boxes(request), request.query_params.get("q", "")
        services = self.services
        now = search.cards_while_typing(services, view.query)
        finished = typed if now.ids else without_beginning(typed, services.catalog.complete_value)
        if finished != typed:
            view = view_of_boxes(request, finished)
            now = search.cards_while_typing(services, view.query)
        before = view_before(request)
        response = self.pages.part("browse/answer", **self.all(view, now, asks=False, form=form, before=before))
        # All letters of a search are one step of the browser's history.
        is_step = not before.text and view.link() != before.link()
        response.headers["HX-Push-Url" if is_step else "HX-Replace-Url"] = view.link()
        return response

    def steps(self, view: View, seen: str) -> Iterator[str]:
        """Render the list after each hub's response, then after headers of its first cards were read.

        `seen` is the fingerprint of the list on the page (Results.fingerprint).
        """
        services, change = self.services, self.services.catalog.change()
        last_state: tuple[tuple[HubStatus, ...], str] | None = None
        for now in search.search(services, view.query):
            state, fingerprint = (now.statuses, now.note), now.fingerprint
            # The page shows the first state already.
            is_unchanged = (fingerprint, state) == (seen, last_state or state)
            last_state = state
            if now.is_held or is_unchanged:
                continue
            if fingerprint != seen or services.catalog.change() != change:
                seen, change = fingerprint, services.catalog.change()
                yield self.pages.render("browse/step", **self.all(view, now))
            else:
                # The list is unchanged, so update only the hubs and skip the cards and counts.
                values = self.list_values(view, now, cards=False)
                yield self.pages.render("browse/hubs", **values, statuses=now.statuses)
        if services.settings.read_headers:
            yield from self.read_headers(view, now)

    def read_headers(self, view: View, now: Results) -> Iterator[str]:
        services = self.services
        first = self.cards.of(replace(now, ids=now.ids[:MOST_CARDS]))
        records = [card.record for _number, card in first if not card.is_read]
        for _more in self.reader.read(records):
            now = search.refresh(services, now)
            yield self.pages.render("browse/step", **self.all(view, now, asks=False))

    @route("GET /more")
    def more(
        self, view: Shown, after: Id, shown: Count, page: NextPage, cursors: Cursors = "", signed: Signature = ""
    ) -> Response:
        """Stream the next page of cards. It may need the hubs' next pages."""
        valid_cursors = self.read_cursors(view.query, cursors, signed)

        def step() -> Iterator[str]:
            now = search.next_cards(self.services, view.query, after=after, shown=shown, cursors=valid_cursors)
            values = self.list_values(view, now, page=page, shown=shown, after=after)
            yield self.pages.render("browse/more", **values)

        return self.pages.streams.answer(step())

    def all(
        self,
        view: View,
        now: Results,
        *,
        asks: bool = True,
        form: View | None = None,
        before: View | None = None,
        is_whole: bool = False,
    ) -> dict[str, Any]:
        """Return the values for the list and the filters.

        `asks` makes the page query the hubs next. `form` is the state of the checkboxes, and `before` the state of the
        page before this response. Both default to `view`.
        """
        facets, one = None if now.is_held else now.facets, now.total == 1
        words = format.query_words(now.query, one=one)
        return {
            **self.filter_values(view, form or view, before or view, facets),
            **self.list_values(view, now, is_whole=is_whole),
            "asks": asks and bool(now.pending),
            "levels": level_words(facets.of("levels") if facets else None),
            "total": "…" if now.is_held else format.number(now.total),
            "one": one,
            "words": [(word, replace(view, query=word.part.rest, kept=(), open="").link()) for word in words],
            "statuses": now.statuses,
            # No error message while a person types, because the text is not finished.
            "problem": "" if form else view.problem,
        }

    def filter_values(self, view: View, form: View, before: View, facets: Facets | None) -> dict[str, Any]:
        """Return the values for the filters.

        `unread` groups have no choice that is or was chosen, so that their checkboxes on the page are still right.
        """
        sees_library, loaded = self.services.policy.allows("see library"), self.services.generation.local.loaded_base
        all_groups = groups(form.query, facets, sees_library=sees_library, loaded=loaded)
        fields = {group.facet: {(name, value) for name, value, _choice in group.boxes} for group in all_groups}
        in_boxes = set().union(*fields.values())
        chosen = {*view.conditions, *form.conditions, *before.conditions}
        pairs = [("filter", text) for text in form.filters] + [("lora", text) for text in form.stack_texts]
        return {
            "groups": all_groups,
            "unread": {facet for facet, pairs in fields.items() if pairs.isdisjoint(chosen)},
            "bars": {group.facet: list(bars(view, group)) for group in all_groups},
            "hidden": [pair for pair in pairs if pair not in in_boxes],
        }

    def list_values(
        self,
        view: View,
        now: Results,
        *,
        page: int = 1,
        shown: int = 0,
        after: int | None = None,
        cards: bool = True,
        is_whole: bool = False,
    ) -> dict[str, Any]:
        """Return the values for the cards. `shown` counts the cards before them, and `after` is the last of these."""
        corrected = replace(view, query=replace(view.query, text=now.corrected), open="")
        return {
            "view": view,
            "cards": self.cards.html(view, now, is_whole=is_whole) if cards else now.ids,
            "page": page,
            "now": now,
            "more": self.more_address(view, now, page=page, shown=shown, after=after),
            "address": view.to_address(),
            "asking": [HUBS[hub].label for hub in now.pending],
            "corrected": corrected.link() if now.corrected else "",
            "is_new": not view.text and not view.filters and view.query == Query(limit=view.query.limit),
            "demo": self.services.settings.demo,
        }

    def more_address(self, view: View, now: Results, *, page: int, shown: int, after: int | None) -> str:
        """Return the query string of the next page, or "" while hubs are pending and at the end of the list."""
        last = now.ids[-1] if now.ids else after
        if not now.has_more or now.pending or last is None:
            return ""
        cursors = json.dumps(dict(now.cursors)) if now.cursors else ""
        pairs: dict[str, object] = {"after": last, "shown": shown + len(now.ids), "page": page + bool(now.ids)}
        if cursors:
            signed = self.pages.render.links.signature("more", {"query": repr(now.query), "cursors": cursors})
            pairs |= {"cursors": cursors, "signed": signed}
        return f"{view.to_address()}&{urlencode(pairs)}".removeprefix("&")

    def read_cursors(self, query: Query, cursors: str, signed: str) -> Mapping[HubName, str]:
        """Return the cursors that `more_address` signed for this query.

        Return an empty mapping for an invalid signature, so that forged cursors never reach a hub.
        """
        given = {"query": repr(query), "cursors": cursors, "signed": signed}
        if not cursors or self.pages.render.links.read("more", given, "query", "cursors") is None:
            return {}
        return {hub: str(cursor) for hub, cursor in json.loads(cursors).items()}


def is_program(request: Request) -> bool:
    """Return whether the client is not a browser, so that it can't run scripts or follow the links in `noscript`."""
    return BROWSER_HEADERS.isdisjoint(request.headers)


def view_of_boxes(request: Request, text: str = "") -> View:
    """Return the view of the request's address, with `text` in place of the text in the search box."""
    boxes = [pair for pair in request.query_params.multi_items() if pair[0] != "q"]
    return View.from_address(urlencode([("q", text), *boxes]), request.cookies.get(LEVEL_COOKIE))


def path_address(request: Request) -> str:
    """Return the address of the page in `/?view=NAME…`, with the other parameters. Unknown names mean Browse."""
    pairs, name = request.query_params.multi_items(), request.query_params["view"]
    query = urlencode([pair for pair in pairs if pair[0] != "view"])
    return page_address(query, name if name in PATHS else "./")


def bars(view: View, group: Group) -> Iterator[tuple[str, Bar]]:
    """Yield each bar with the address that sets its range, or that clears the range if it is the bar's already."""
    if not group.bars:
        return
    cleared: dict[str, Any] = {BY_KEY[group.facet].attribute: None}
    address = replace(view, open="", query=replace(view.query, **cleared)).to_address()
    for bar in group.bars:
        name, text = filter_pair(group.facet, bar.value)
        pairs = [address] if text in view.filters else [address, urlencode({name: text})]
        yield page_address("&".join(filter(None, pairs))), bar


def view_before(request: Request) -> View:
    """Return the view that the requesting page shows."""
    return View.from_address(request.headers.get("hx-current-url", "").partition("?")[2])


def hold_few(now: Results) -> Results:
    """Hold an empty list while hubs are pending, so that the page waits for their results."""
    return replace(now, is_held=not now.ids and bool(now.pending))


def title_of(values: dict[str, Any]) -> str:
    if not values["words"]:
        return _("LoRAs")
    text = (f"{word.lead} {word.label}".strip() for word, _address in values["words"])
    return " ".join((values["total"], "LoRA" if values["one"] else "LoRAs", *text))
