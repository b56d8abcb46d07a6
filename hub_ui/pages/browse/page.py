"""Browse: filters, the sentence, the grid. Opening a card fills the panel of pages/detail.py."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import gradio as gr

from connectors.errors import BadQuery
from connectors.query import Query
from connectors.record import Nsfw, Record
from hub_ui.pages.browse import results as searching
from hub_ui.pages.browse import search_box
from hub_ui.pages.browse.header_reader import HeaderReader, proved
from hub_ui.pages.browse.results import Results
from hub_ui.pages.events import QUIET, Turns, told, while_wanted
from hub_ui.pages.try_page.compatibility import needs
from hub_ui.pages.view import View
from hub_ui.services import Services
from hub_ui.widgets import cards, facets, header, query_summary
from hub_ui.widgets.detail import Needs
from hub_ui.widgets.render import Renderer
from hub_ui.widgets.widget import act_data, script, widget

SORTS: tuple[tuple[str, str], ...] = (
    ("Most relevant", "relevance"),
    ("Most downloaded", "downloads"),
    ("Most liked", "likes"),
    ("Newest", "newest"),
)
# What the package brings: hub_ui/generate/base_models/table.py.
DEMO_BASE = "tiny-shapes"
Painted = tuple[Results, str, str, str, str]


@dataclass(frozen=True, kw_only=True)
class BrowsePage:
    """What the frame and the other pages connect to. `level` of mature pictures is remembered by the browser."""

    demo: gr.HTML
    facets: gr.HTML
    sentence: gr.HTML
    sort: gr.Dropdown
    grid: gr.HTML
    results: gr.State
    level: gr.BrowserState


def build(services: Services, render: Renderer) -> BrowsePage:
    """The components; `connect` gives them life once the frame exists."""
    demo = query_summary.demo_html(render, DEMO_BASE) if services.settings.demo else ""
    filters = widget(elem_id="facets", script=script("facets"))
    with gr.Column(elem_id="results"):
        intro = widget(demo, elem_id="demo")
        with gr.Row(elem_id="top"):
            said = widget(elem_id="sentence")
            sort = gr.Dropdown(
                SORTS, value="relevance", label="Sort", show_label=False, elem_id="sort", filterable=False
            )
        grid = widget(elem_id="grid", script=script("grid"))
    # The secret only keeps the value readable after a restart; nothing secret is kept.
    level = gr.BrowserState("", storage_key="hub-ui-mature", secret="hub-ui")
    return BrowsePage(
        demo=intro, facets=filters, sentence=said, sort=sort, grid=grid, results=gr.State(None), level=level
    )


def connect(
    page: BrowsePage,
    services: Services,
    render: Renderer,
    reader: HeaderReader,
    *,
    view: gr.State,
    box: gr.Textbox,
    hubs: gr.HTML,
) -> None:
    painted = [page.results, page.grid, page.sentence, page.facets, hubs]
    turns = Turns()

    def on_view(now: View, shown: Results | None, request: gr.Request) -> Iterator[Any]:
        with told():
            wanted = None if shown is not None and shown.query == now.query else now
            yield from show(services, render, wanted, turns, request)

    def on_more(shown: Results | None, request: gr.Request, event: gr.EventData) -> Iterator[Any]:
        with told():
            # Whatever is done among the cards, they stay in place from then on.
            turns.touch(request)
            wanted = shown if act_data(event).get("act") == "more" else None
            yield from show_more(services, render, wanted, lambda: turns.take(request))

    def on_painted(shown: Results | None, request: gr.Request) -> Iterator[Any]:
        yield from show_headers(services, render, reader, shown, lambda turn: turns.is_at(request, turn))

    def on_facets(now: View, event: gr.EventData) -> tuple[View, Any]:
        with told():
            return chosen(now, act_data(event))

    def on_text(now: View, text: str) -> tuple[View, str]:
        with told():
            then = search_box.submitted(services, now, text)
            return then, then.query.text

    searched = view.change(on_view, [view, page.results], painted, concurrency_limit=None, **QUIET)
    # A new question ends the search that runs: a hub that hangs must not hold up the next one.
    new_question: dict[str, Any] = {"cancels": [searched], "concurrency_limit": None, **QUIET}
    for clickable in (page.facets, page.sentence, page.demo):
        clickable.act(on_facets, [view], [view, page.level], **new_question)
    box.submit(on_text, [view, box], [view, box], **new_question)
    page.sort.input(sorted_by, [view, page.sort], [view], **new_question)
    more = page.grid.act(on_more, [page.results], painted, concurrency_limit=None, **QUIET)
    if services.settings.read_headers:
        # "always_last": what is painted while headers are read gets its own reading right after.
        later: dict[str, Any] = {"trigger_mode": "always_last", "concurrency_limit": 8, **QUIET}
        searched.then(on_painted, [page.results], [page.grid], **later)
        more.then(on_painted, [page.results], [page.grid], **later)


def show(services: Services, render: Renderer, view: View | None, turns: Turns, request: gr.Request) -> Iterator[Any]:
    """Paints each stage of the search; nothing when there is no new question."""
    if view is None:
        yield tuple(gr.skip() for _ in range(5))
        return
    turn = turns.take(request)
    for results in searching.search(services, view.query, turn, lambda: turns.is_touched(request)):
        yield paint(services, render, results)


def show_more(
    services: Services, render: Renderer, shown: Results | None, take_turn: Callable[[], int]
) -> Iterator[Any]:
    if shown is None or not shown.cursors:
        yield tuple(gr.skip() for _ in range(5))
        return
    for results in searching.more(services, shown, take_turn()):
        yield paint(services, render, results)


def show_headers(
    services: Services, render: Renderer, reader: HeaderReader, shown: Results | None, is_at: Callable[[int], bool]
) -> Iterator[Any]:
    """Paints the grid anew as the files of its newest cards say what they are. Changes nothing but the grid."""
    yield gr.skip()
    if shown is None:
        return

    def wanted() -> bool:
        return is_at(shown.turn)

    known = reader.read(shown.records[shown.since :], cancelled=lambda: not wanted())
    yield from while_wanted((grid_html(services, render, shown) for _ in known), wanted, gr.skip())


def paint(services: Services, render: Renderer, results: Results) -> Painted:
    return (
        results,
        grid_html(services, render, results),
        query_summary.html(render, results.query, len(results.records), has_more=results.has_more),
        facets.html(render, results.query, listed(results)),
        header.hubs_html(render, results.statuses),
    )


def listed(results: Results) -> facets.Listed:
    return facets.Listed(
        records=results.records,
        has_more=results.has_more,
        hits={status.hub: status.hits for status in results.statuses},
        bases=results.bases,
    )


def grid_html(services: Services, render: Renderer, results: Results) -> str:
    grid = cards.Grid(
        cards=[card(services, record, results.query.nsfw) for record in results.records],
        waiting=results.waiting,
        more=bool(results.cursors),
        note=results.note,
    )
    return cards.html(render, grid)


def card(services: Services, record: Record, ceiling: Nsfw) -> cards.Card:
    known, facts = proved(services, record)
    what = facts.adapter.what if facts else "lora"
    needed = needs(services, known) if what == "lora" else Needs()
    untried = needed.text if needed.closed else ""
    return cards.card(known, ceiling=ceiling, in_library=services.library.holds, what=what, untried=untried)


def sorted_by(view: View, sort: str) -> View:
    return view.asking(sort=Query.of(sort=sort).sort)


def chosen(view: View, act: dict[str, Any]) -> tuple[View, Any]:
    """What a click on a filter makes of the view, and the level of mature pictures if that was chosen.

    Only what a person chose is remembered: a link must not change what their browser shows from then on.
    """
    then = filtered(view, act)
    return then, then.query.nsfw if act.get("act") == "nsfw" else gr.skip()


def filtered(view: View, act: dict[str, Any]) -> View:
    """A click on a filter, on a part of the sentence, or another level of mature pictures."""
    name, facet, value = act.get("act"), str(act.get("facet", "")), str(act.get("value", ""))
    if name == "nsfw":
        return view.asking(nsfw=Query.of(nsfw=value).nsfw)
    if name == "remove" and facet == "text":
        return view.asking(text="")
    if name in ("toggle", "remove"):
        return view.toggled(facet, value)
    raise BadQuery("That is no filter.")
