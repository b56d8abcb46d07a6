"""The list of results and what stands around it, as HTML: cards, filters, query summary, and the states of the hubs.

A page has those of the loaded cards that are around its screen: the list may have thousands.
"""

import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Self

import gradio as gr
from cachetools import LRUCache

from connectors.record import Nsfw, Record
from connectors.ref import Ref
from connectors.registry import HUBS
from hub_ui.pages.browse import results as searching
from hub_ui.pages.browse.header_reader import with_header_facts
from hub_ui.pages.browse.results import Newest, Results
from hub_ui.pages.events import MOST_PAGES
from hub_ui.pages.try_page.compatibility import requirements
from hub_ui.services import Services
from hub_ui.widgets import cards, header, query_summary
from hub_ui.widgets.detail import Requirements
from hub_ui.widgets.facets import LoadedBase, facets_html
from hub_ui.widgets.render import Renderer

# Pages of cards at a time.
MOST_AT_ONCE = 5


@dataclass(frozen=True, kw_only=True)
class Window:
    """The pages of cards from `first` to `last`, and the card at `focused`, which may be on none of them."""

    first: int = 0
    last: int = 2
    focused: int = -1

    @classmethod
    def of(cls, act: Mapping[str, object]) -> Self | None:
        """As the script (grid.js) names it; None for anything else."""
        first, last, focused = (str(act.get(name, "")) for name in ("first", "last", "focused"))
        if not all(text.isascii() and text.isdigit() and len(text) < 9 for text in (first, last)):
            return None
        at = int(focused) if focused.isascii() and focused.isdigit() and len(focused) < 9 else -1
        return cls(first=int(first), last=min(int(last), int(first) + MOST_AT_ONCE - 1), focused=at)

    def places(self, page: int) -> range:
        """The places in the list, with so many cards a page."""
        return range(self.first * page, (self.last + 1) * page)


class Windows:
    """The window of each page that is open in a browser. Thread-safe."""

    def __init__(self) -> None:
        self._windows: LRUCache[str, Window] = LRUCache(MOST_PAGES)
        self._lock = threading.Lock()

    def get(self, request: gr.Request) -> Window:
        with self._lock:
            return self._windows.get(request.session_hash or "", Window())

    def put(self, request: gr.Request, window: Window) -> None:
        with self._lock:
            self._windows[request.session_hash or ""] = window


class Painter:
    """Paints the steps of one search. A hub that answers what the catalog had leaves the cards as they are, and they
    take most of the time.
    """

    def __init__(self, services: Services, render: Renderer, newest: Newest) -> None:
        self._services = services
        self._render = render
        self._newest = newest
        self._painted: tuple[Any, ...] = ()

    def paint(self, results: Results, window: Window) -> tuple[Any, ...]:
        self._newest.put(results)
        change = self._services.catalog.change()
        now = (results.ids, counts(results), results.note, results.facets, results.is_held, window, change)
        is_same, self._painted = now == self._painted, now
        if is_same:
            hubs = header.hubs_html(self._render, results.statuses)
            return results, gr.skip(), more_html(self._render, results), gr.skip(), gr.skip(), hubs
        return paint(self._services, self._render, results, window)


def paint(
    services: Services, render: Renderer, results: Results, window: Window
) -> tuple[Results, str, str, str, str, str]:
    return (
        results,
        grid_html(services, render, results, window),
        more_html(render, results),
        query_summary.summary_html(render, results.query, None if results.is_held else results.total),
        filters_html(services, render, results),
        header.hubs_html(render, results.statuses),
    )


def more_html(render: Renderer, results: Results) -> str:
    asks = [HUBS[hub].label for hub in results.pending]
    down = [HUBS[status.hub] for status in results.statuses if status.state == "down"]
    return cards.more_html(
        render,
        counts(results),
        more=results.has_more,
        asks=asks if results.ids else (),
        down=down if results.ids else (),
        auto=results.has_more and not asks,
    )


def filters_html(services: Services, render: Renderer, results: Results) -> str:
    return facets_html(
        render,
        results.query,
        None if results.is_held else results.facets,
        sees_library=services.policy.allows("see library"),
        loaded=loaded_base(services),
        question=results.question,
    )


def loaded_base(services: Services) -> LoadedBase | None:
    """None for a base whose architecture is not known, as LoRAs for it can't be found."""
    base = services.generation.local.loaded_base
    return LoadedBase(architecture=base.architecture, label=base.label) if base and base.architecture else None


def counts(results: Results) -> cards.Counts:
    return cards.Counts(
        loaded=len(results.ids),
        total=results.total,
        page=results.page,
        waiting=results.waiting,
        above=results.above,
        gone=results.gone,
    )


def grid_html(services: Services, render: Renderer, results: Results, window: Window) -> str:
    places = window.places(results.page)
    shown = searching.read_cards(services, results, sorted({*places, window.focused}))
    owned = frozenset(entry.ref.lora for entry in services.downloads.entries())
    return cards.cards_html(
        render,
        [card(services, record, results.query.nsfw, owned, at) for at, record in shown.items()],
        counts(results),
        is_alone=-1 if window.focused in places else window.focused,
        question=results.question,
        note=results.note,
    )


def card(services: Services, record: Record, ceiling: Nsfw, owned: Collection[Ref], at: int = 0) -> cards.Card:
    """`owned` are the LoRAs of the library: only for these its thousands of entries are looked through."""

    def holds(ref: Ref) -> bool:
        return ref.lora in owned and services.downloads.holds(ref)

    known, facts = with_header_facts(services, record)
    what = facts.adapter.what if facts else "lora"
    needed = requirements(services, known) if what == "lora" else Requirements()
    try_problem = needed.text if needed.closed else ""
    return cards.card(known, at=at, ceiling=ceiling, in_library=holds, what=what, try_problem=try_problem)
