"""Searches that a person keeps under a name. They live in the browser, so that they work on a shared page too."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import gradio as gr

from connectors.errors import BadQuery, UsageError
from connectors.query import Query
from hub_ui import format
from hub_ui.i18n import _
from hub_ui.pages.browse.completion import with_typed
from hub_ui.pages.events import IN_ORDER, Listeners, errors_as_messages
from hub_ui.pages.view import View
from hub_ui.widgets import query_summary
from hub_ui.widgets.render import Renderer, act_data, read_script, widget

MOST_SEARCHES = 50
LONGEST_NAME = 80
# All that a query can say, in an address.
LONGEST_SEARCH = 20_000


@dataclass(frozen=True, kw_only=True)
class SavedSearches:
    """The query of each name. The level of mature images is not a part of it: the browser's own choice stays."""

    queries: Mapping[str, Query]

    @classmethod
    def read(cls, kept: object) -> Self:
        """What `write` made. The browser is not trusted: anything else is left out."""
        found: dict[str, Query] = {}
        for pair in kept[:MOST_SEARCHES] if isinstance(kept, list) else ():
            match pair:
                case [str(name), str(address)] if short_name(name) and len(address) <= LONGEST_SEARCH:
                    found[short_name(name)] = View.from_address(address).query
        return cls(queries=found)

    def write(self) -> list[list[str]]:
        return [[name, View(query=query).to_address()] for name, query in self.queries.items()]

    def add(self, name: str, query: Query) -> Self:
        """`query` under `name`, or under what its summary says. Raises UsageError for one too many."""
        named = short_name(name) or query_name(query)
        if named not in self.queries and len(self.queries) >= MOST_SEARCHES:
            raise UsageError(_("You have {n} saved searches. Remove one of them first.").format(n=MOST_SEARCHES))
        return replace(self, queries={**self.queries, named: replace(query, nsfw=Query().nsfw)})

    def remove(self, name: str) -> Self:
        return replace(self, queries={kept: query for kept, query in self.queries.items() if kept != name})

    def open(self, name: str, view: View) -> View:
        """The view with the list of that search. Raises BadQuery where another tab has removed it."""
        if name not in self.queries:
            raise BadQuery(_("There is no such search any more."))
        kept = replace(self.queries[name], nsfw=view.query.nsfw, limit=view.query.limit)
        return replace(view, page="browse", open="", query=kept)


def short_name(text: str) -> str:
    return format.visible(" ".join(text[: 2 * LONGEST_NAME].split()))[:LONGEST_NAME].strip()


def query_name(query: Query) -> str:
    """What the query's summary says, without its number."""
    labels = ", ".join(word.label for word in query_summary.words(query))
    return short_name(labels) or _("All LoRAs")


class SavedSearchMenu:
    """`kept` is the browser's."""

    def __init__(self, render: Renderer) -> None:
        self.menu = widget(
            lambda: menu_html(render, View(), SavedSearches(queries={})),
            elem_id="saved",
            script=read_script("saved_searches"),
        )
        # The secret only keeps the value readable after a restart; nothing secret is kept.
        self.kept = gr.BrowserState([], storage_key="hub-ui-searches", secret="hub-ui")


def connect(
    menu: SavedSearchMenu, render: Renderer, listeners: Listeners, *, view: gr.State, search: gr.Textbox
) -> None:
    def on_view(now: View, kept: object) -> str:
        return menu_html(render, now, SavedSearches.read(kept))

    def on_act(now: View, text: str | None, kept: object, event: gr.EventData) -> tuple[Any, Any, Any]:
        with errors_as_messages():
            then, searches = apply_act(with_typed(now, text), SavedSearches.read(kept), act_data(event))
            return then, searches.write(), menu_html(render, then, searches)

    listeners.add(on_view, [view, menu.kept], [menu.menu])
    outputs = [view, menu.kept, menu.menu]
    menu.menu.act(on_act, [view, search, menu.kept], outputs, js=read_script("typed_text"), **IN_ORDER)


def apply_act(view: View, searches: SavedSearches, act: Mapping[str, Any]) -> tuple[View, SavedSearches]:
    """Raises BadQuery and UsageError."""
    name = str(act.get("name", ""))
    match act.get("act"):
        case "save-search":
            return view, searches.add(name, view.query)
        case "remove-search":
            return view, searches.remove(name)
        case "open-search":
            return searches.open(name, view), searches
    return view, searches


def menu_html(render: Renderer, view: View, searches: SavedSearches) -> str:
    return render("saved_searches", names=[*searches.queries], name=query_name(view.query), longest=LONGEST_NAME)
