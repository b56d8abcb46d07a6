"""The Browse page's addresses: the list, what hubs add to it, its next page, and suggestions for the search box."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any
from urllib.parse import urlencode

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from connectors.errors import BadQuery
from connectors.ref import HubName
from hub_ui import used_loras
from hub_ui.i18n import _
from hub_ui.web.browse import search, search_box
from hub_ui.web.browse.header_reader import MOST_CARDS, HeaderReader
from hub_ui.web.browse.parts import LONGEST_CURSOR, BrowseParts
from hub_ui.web.browse.search import Results
from hub_ui.web.layout.pages import LEVEL_COOKIE, Pages, Preview, keep_choice, page_address, source_of, target_of
from hub_ui.web.lora.panel import Panel
from hub_ui.web.news.routes import NewsRoutes
from hub_ui.web.streams import Streams
from hub_ui.web.view import OWN_ADDRESSES, PageName, View

LONGEST_TEXT = 1000
# A name that only the hubs know is asked of them before the page is answered.
MOST_NAMES = 20

Typed = Annotated[str, Query(max_length=LONGEST_TEXT)]


@dataclass(frozen=True, kw_only=True)
class BrowseRoutes:
    pages: Pages
    parts: BrowseParts
    panel: Panel
    reader: HeaderReader
    streams: Streams
    news: NewsRoutes
    # What answers an address of each other page (`?view=NAME`), whole or the part that htmx asks for.
    others: Mapping[PageName, Callable[[Request, View], Response]] = field(default_factory=dict)

    def router(self) -> APIRouter:
        router, names_limit = self.pages.router(), CapacityLimiter(MOST_NAMES)

        @router.get("/")
        async def browse(
            request: Request, ask: bool = False, page: Annotated[int, Query(ge=1, le=10**5)] = 1
        ) -> Response:
            return await self.answer(request, names_limit, ask=ask, page=page)

        @router.get("/ask")
        async def ask(request: Request, seen: Annotated[str, Query(max_length=64)] = "") -> Response:
            return self.streams.answer(self.steps(request, seen))

        @router.get("/more")
        def more(
            request: Request,
            after: Annotated[int, Query(ge=0, le=2**53)],
            shown: Annotated[int, Query(ge=1, le=10**6)],
            page: Annotated[int, Query(ge=2, le=10**5)],
            cursors: Annotated[str, Query(max_length=LONGEST_CURSOR)] = "",
            signed: Annotated[str, Query(max_length=64)] = "",
        ) -> Response:
            view = view_of(request)
            lead = self.parts.read_cursors(view.query, cursors, signed)
            return self.streams.answer(self.more(view, after=after, shown=shown, page=page, cursors=lead))

        @router.get("/suggestions")
        def suggest(before: Typed = "", after: Typed = "") -> Response:
            text = (before + after)[:LONGEST_TEXT]
            found = search_box.suggest(text, len(before), self.pages.services.catalog.complete_value)
            return self.pages.part("browse/suggestions", suggestions=found, problem=problem_of(text), text=text)

        return router

    async def answer(self, request: Request, names_limit: CapacityLimiter, *, ask: bool, page: int) -> Response:
        """The page that the address names, whole or the part that is asked for. What waits for hubs has a limit."""
        view = view_of(request)
        if view.page in OWN_ADDRESSES:
            return RedirectResponse(view.place(view.page), 303)
        other = self.others.get(view.page)
        if other is not None:
            return await to_thread.run_sync(other, request, view)
        if source_of(request) == "q":
            return await to_thread.run_sync(self.answer_typed, request, view)
        if used_loras.may_be_name(view.text.strip()):
            found = await to_thread.run_sync(self.find, view, limiter=names_limit)
            if found is not None:
                return RedirectResponse(page_address(found.to_address()), 303)
        if target_of(request):
            return await to_thread.run_sync(self.answer_part, request, view)
        return await to_thread.run_sync(
            self.answer_page, request, view, ask, page, limiter=names_limit if ask else None
        )

    def find(self, view: View) -> View | None:
        """The LoRA that the words name, opened; None where they are words."""
        ref = used_loras.find_searched(self.pages.services, view.text.strip())
        return None if ref is None else replace(view, query=replace(view.query, text="", phrases=()), open=str(ref))

    def answer_page(self, request: Request, view: View, ask: bool = False, page: int = 1) -> Response:
        """`ask` and `page` are for those without JavaScript: the hubs are waited for, and the list has pages."""
        services = self.pages.services
        # Those of a search end with all that the hubs have said.
        *_before, now = search.search(services, view.query) if ask else [search.first_cards(services, view.query)]
        if page > 1:
            now = search.page_of_list(services, now, page)
        values = self.parts.all(view, hold_few(now), asks=not ask)
        values.update(problem=problem_of(request.query_params.get("q", "")), page=page)
        panel = self.panel.values(view) if view.open else {}
        preview = self.panel.preview(view) if view.open else Preview(title=title_of(values))
        return self.pages.whole(request, "browse/page", view, preview=preview, **{**panel, **values})

    def answer_part(self, request: Request, view: View) -> Response:
        if target_of(request) == "panel":
            # The list beside it stays as it is.
            return self.pages.part("lora/changed", push=view.to_address(), **self.panel.values(view))
        view = replace(view, open="")
        now = hold_few(search.first_cards(self.pages.services, view.query))
        values = {**self.parts.all(view, now), "problem": problem_of(request.query_params.get("q", ""))}
        answer = self.pages.part("browse/answer", push=view.to_address(), **values)
        # The level of mature images that a person chose here is this browser's from now on.
        if "nsfw" in request.query_params:
            keep_choice(request, answer, LEVEL_COOKIE, view.query.nsfw)
        return answer

    def answer_typed(self, request: Request, view: View) -> Response:
        """While a person types, no hub is asked. The boxes stay as they were clicked, whatever filter is typed."""
        view = replace(view, open="")
        boxes = [pair for pair in request.query_params.multi_items() if pair[0] != "q"]
        form, typed = View.from_address(urlencode(boxes)), request.query_params.get("q", "")
        services = self.pages.services
        now = search.cards_while_typing(services, view.query)
        meant = typed if now.ids else search_box.without_beginning(typed, services.catalog.complete_value)
        if meant != typed:
            view = View.from_address(urlencode([("q", meant), *boxes]))
            now = search.cards_while_typing(services, view.query)
        answer = self.pages.part("browse/answer", **self.parts.all(view, now, asks=False, form=form))
        shown = View.from_address(request.headers.get("hx-current-url", "").partition("?")[2])
        # What is typed letter by letter is one step back.
        answer.headers["HX-Replace-Url" if shown.text else "HX-Push-Url"] = page_address(view.to_address())
        return answer

    def steps(self, request: Request, seen: str) -> Iterator[str]:
        yield from self.ask(view_of(request), seen)
        yield from self.news.badge(request)

    def ask(self, view: View, seen: str) -> Iterator[str]:
        """The list after each hub's answer, then after headers of its first cards were read. `seen` is the list that
        the page has (Results.fingerprint).
        """
        services, change = self.pages.services, self.pages.services.catalog.change()
        statuses = search.begin(services, view.query).statuses
        for now in search.search(services, view.query):
            if now.is_held or (now.fingerprint, now.statuses) == (seen, statuses):
                continue
            if now.fingerprint != seen or services.catalog.change() != change:
                seen, change = now.fingerprint, services.catalog.change()
                yield self.pages.render("browse/step", **self.parts.all(view, now))
            else:
                # Nothing is counted again where nothing has changed.
                values = self.parts.list_values(view, now, cards=False)
                yield self.pages.render("browse/hubs", **values, statuses=now.statuses)
        if services.settings.read_headers:
            yield from self.read_headers(view, now)

    def read_headers(self, view: View, now: Results) -> Iterator[str]:
        services = self.pages.services
        first = self.parts.cards_of(replace(now, ids=now.ids[:MOST_CARDS]))
        records = [card.record for _number, card in first if not card.is_read]
        for _more in self.reader.read(records):
            now = search.refresh(services, now)
            yield self.pages.render("browse/step", **self.parts.all(view, now, asks=False))

    def more(self, view: View, *, page: int, shown: int, after: int, cursors: Mapping[HubName, str]) -> Iterator[str]:
        now = search.next_cards(self.pages.services, view.query, after=after, shown=shown, cursors=cursors)
        values = self.parts.list_values(view, now, page=page, shown=shown, after=after)
        yield self.pages.render("browse/more", **values)


def view_of(request: Request) -> View:
    return View.from_address(request.url.query, request.cookies.get(LEVEL_COOKIE))


def problem_of(text: str) -> str:
    """What is wrong with the filters of a text, which the list goes without."""
    try:
        View().with_text(text)
    except BadQuery as error:
        return error.message
    return ""


def hold_few(now: Results) -> Results:
    """A list of few cards waits for the hubs: most of what they answer would belong above them."""
    return replace(now, is_held=not now.ids and bool(now.pending))


def title_of(values: dict[str, Any]) -> str:
    if not values["words"]:
        return _("LoRAs")
    text = (f"{word.lead} {word.label}".strip() for word, _address in values["words"])
    return " ".join((values["total"], "LoRA" if values["one"] else "LoRAs", *text))
