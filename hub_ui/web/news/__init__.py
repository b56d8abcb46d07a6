"""The addresses of saved searches: the list with what is new in each, what is done with them, and Atom feeds."""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal
from urllib.parse import quote, unquote, urlencode

from anyio import to_thread
from fastapi import Form, Request, Response
from fastapi.responses import RedirectResponse

from connectors import query_language
from connectors.errors import BadQuery, HubUiError, UsageError
from connectors.query import Query
from hub_ui.access.quotas import LimitReached
from hub_ui.app import documents, news
from hub_ui.app.news import SavedSearch, Searches
from hub_ui.base import format
from hub_ui.base.i18n import _
from hub_ui.web.browse.search import HOLD_SECONDS, read_list
from hub_ui.web.layout.pages import Back, Room, Shown, is_part, keep_choice, route
from hub_ui.web.view import View

COOKIE, LONGEST_COOKIE = "hub-ui-searches", 3_500
ENTRIES = 50
NEVER = "1970-01-01T00:00:00"
Act = Literal["save", "look", "remove"]
Name = Annotated[str, Form(max_length=news.LONGEST_NAME)]


@dataclass(frozen=True, kw_only=True)
class NewsRoutes(Room):
    # Feed readers wait for hubs.
    most_at_once = 8

    @route("GET /news")
    def show(self, request: Request, view: Shown) -> Response:
        values = {**self.values(self.read(request)), **saves(view)}
        if is_part(request):
            return self.pages.part("news/list", **values)
        return self.pages.own(request, "news/page", "news", _("Saved searches"), **values)

    @route("GET /news/ask")
    async def ask_all(self, request: Request) -> Response:
        return self.pages.streams.answer(self.ask(await to_thread.run_sync(self.read, request)))

    def read(self, request: Request) -> Searches:
        """A visitor's are in their browser."""
        if self.services.policy.allows("annotate"):
            return self.services.searches.read()
        try:
            return news.loads(unquote(request.cookies.get(COOKIE, "[]")))
        except ValueError:
            return ()

    @route("POST /news")
    def act(self, request: Request, do: Annotated[Act, Form()], view: Back, name: Name = "") -> Response:
        now = time.time()
        if do == "save":
            name = name.strip() or format.query_name(view.query)
            new = SavedSearch(name=name, text=query_language.format(view.query), seen=round(now))
            changed = self.change(request, lambda searches: news.add(searches, new))
        elif do == "remove":
            changed = self.change(request, lambda searches: news.remove(searches, name))
        else:
            view = View(query=news.find(self.read(request), name).query(now, view.query.limit, is_rounded=True))
            changed = self.change(request, lambda searches: news.look(searches, [name], now))
        if is_part(request):
            answer: Response = self.pages.part("news/list", **self.values(changed), **saves(view))
        else:
            answer = RedirectResponse(view.link() if do != "remove" else "news", 303)
        self.keep(request, answer, changed)
        return answer

    def keep(self, request: Request, answer: Response, changed: Searches) -> None:
        """Store the searches of a hosted page's visitor in their browser."""
        if not self.services.policy.allows("annotate"):
            keep_choice(request, answer, COOKIE, quote(news.dumps(changed)) if changed else "")

    def texts(self, request: Request) -> frozenset[str]:
        """Return the texts of the saved searches. A panel shows by them whether its creator is followed."""
        try:
            return frozenset(search.text for search in self.read(request))
        except HubUiError:
            # The page of saved searches shows why their file can't be read.
            return frozenset()

    def change(self, request: Request, edit: Callable[[Searches], Searches]) -> Searches:
        """Raises UsageError for more than a cookie holds."""
        if self.services.policy.allows("annotate"):
            return self.services.searches.change(edit)
        changed = edit(self.read(request))
        if len(quote(news.dumps(changed))) > LONGEST_COOKIE:
            raise UsageError(_("This browser keeps no more saved searches. Remove one first."))
        return changed

    def values(self, searches: Searches) -> dict[str, Any]:
        return {"rows": [self.row(search) for search in searches]}

    def row(self, search: SavedSearch) -> dict[str, Any]:
        """Its `address`, and how many LoRAs were `updated` since its person last looked, `age`."""
        try:
            found = read_list(self.services, query := search.query(time.time(), 1), query.limit)
        except BadQuery:
            return {"search": search, "address": "", "updated": 0}
        # With fewer words it is another search.
        is_exact = not any(ring.sentence for ring in found.rings)
        return {
            "search": search,
            "address": View.from_address(urlencode({"q": search.text})).to_address(),
            "updated": found.total if is_exact else 0,
            "age": format.since(search.seen),
        }

    def ask(self, searches: Searches) -> Iterator[str]:
        """The rows after the hubs were asked for each: a person waits for none of it."""
        for search in searches:
            try:
                query = search.query(time.time(), Query().limit)
                for _group in self.services.lookup.search(query, pause=HOLD_SECONDS):
                    continue
            except BadQuery:
                continue
            except LimitReached:
                break
            yield self.pages.render("news/step", **self.values(searches))

    def badge(self, request: Request) -> Iterator[str]:
        """In how many there is something new. A file that can't be read is told where its searches are looked at."""
        with suppress(HubUiError):
            if count := sum(self.row(search)["updated"] > 0 for search in self.read(request)):
                yield self.pages.render("news/badge", count=count)

    @route("GET /feed", waits=True)
    def feed(self, request: Request) -> Response:
        view, home = View(query=View.from_address(request.url.query).query), str(request.base_url)
        found = documents.search(self.services, replace(view.query, sort="newest", limit=ENTRIES))
        # Hugging Face writes fractions of a second.
        times = [f"{(record.updated_at or NEVER)[:19]}Z" for record in found.records]
        values = {
            "own": str(request.url),
            "title": f"hub-ui: {format.query_name(view.query)}",
            "address": view.link(home),
            "home": home,
            "newest": max(times, default=f"{NEVER}Z"),
            "entries": list(zip(found.records, times, strict=True)),
        }
        text = self.pages.render("news/feed.xml", **values)
        return Response(text, media_type="application/atom+xml", headers={"Cache-Control": "max-age=600"})


def saves(view: View) -> dict[str, Any]:
    """The search that can be saved: `searched` is False for the list of all LoRAs."""
    view = View(query=view.query)
    searched = bool(view.text or view.chosen)
    return {"searched": searched, "search_name": format.query_name(view.query), "back": view.to_address()}
