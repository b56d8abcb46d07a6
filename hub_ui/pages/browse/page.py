"""The Browse page: search box, filters, the query summary, and the grid of results."""

import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import gradio as gr

from connectors.errors import BadQuery, BadRef, HubUiError
from connectors.query import Query
from connectors.query_fields import BY_KEY
from connectors.query_language import is_filter, parse, quote
from connectors.query_language import parts as parts_of
from connectors.ref import Ref, is_bare, is_id
from connectors.registry import HUBS, find_origin
from hub_ui.i18n import N_, _
from hub_ui.pages.browse import completion, saved_searches
from hub_ui.pages.browse import results as searching
from hub_ui.pages.browse.completion import Suggestion
from hub_ui.pages.browse.header_reader import MOST_CARDS, HeaderReader
from hub_ui.pages.browse.painter import Painter, Window, Windows, filters_html, grid_html, loaded_base, paint
from hub_ui.pages.browse.results import Newest, Results
from hub_ui.pages.events import IN_ORDER, QUIET, Turns, errors_as_messages, while_current
from hub_ui.pages.view import View
from hub_ui.services import Services
from hub_ui.widgets import query_summary
from hub_ui.widgets.render import Renderer, act_data, read_script, widget

_PREFIX = re.compile(r"(?P<prefix>[^\s:]+):\S+")
SORTS: tuple[tuple[str, str], ...] = (
    (N_("Most relevant"), "relevance"),
    (N_("Most downloaded"), "downloads"),
    (N_("Most liked"), "likes"),
    (N_("Newest"), "newest"),
)
# The bundled bases: hub_ui/generate/base_models/table.py.
DEMO_BASE = "tiny-shapes"
LONGEST_TEXT = 1000
# For completion.js, which sends it with each text.
COUNT_ENTER = "(...values) => { window.hubUiEnters = (window.hubUiEnters || 0) + 1; return values; }"
# Of the list and what stands around it.
NO_UPDATE = (gr.skip(),) * 6


class BrowsePage:
    """`level` of mature images is remembered by the browser."""

    def __init__(
        self,
        services: Services,
        render: Renderer,
        *,
        view: gr.State,
        search: gr.Textbox,
        completion: gr.HTML,
        hubs: gr.HTML,
    ) -> None:
        self.view, self.search, self.completion, self.hubs = view, search, completion, hubs
        self.facets = widget(elem_id="facets", script=read_script("facets"))
        with gr.Column(elem_id="results"):
            base = DEMO_BASE if services.settings.demo else ""
            self.intro = widget(lambda: query_summary.intro_html(render, base), elem_id="intro")
            with gr.Row(elem_id="top"):
                self.sentence = widget(elem_id="sentence")
                self.saved = saved_searches.SavedSearchMenu(render)
                self.sort = gr.Dropdown(
                    SORTS, value="relevance", label=N_("Sort"), show_label=False, elem_id="sort", filterable=False
                )
            self.grid = widget(elem_id="grid", script=read_script("grid"))
            self.more = widget(elem_id="more", script=read_script("more"))
        self.results, self.newest = gr.State(None), gr.State(Newest())
        # The secret only keeps the value readable after a restart; nothing secret is kept.
        self.level = gr.BrowserState("", storage_key="hub-ui-mature", secret="hub-ui")


def connect(page: BrowsePage, services: Services, render: Renderer, reader: HeaderReader) -> None:
    outputs = [page.results, page.grid, page.more, page.sentence, page.facets, page.hubs]
    turns, windows = Turns(), Windows()

    def show(results: Results, request: gr.Request) -> tuple[Any, ...]:
        return paint(services, render, results, windows.get(request))

    def current(steps: Callable[[int], Iterator[Results]], newest: Newest, request: gr.Request) -> Iterator[Any]:
        """Paints the steps of a search for as long as nothing else is asked on this page."""
        turn, painter = turns.take(request), Painter(services, render, newest)
        painted = (painter.paint(results, windows.get(request)) for results in steps(turn))
        yield from while_current(painted, lambda: turns.is_at(request, turn), NO_UPDATE)

    def on_view(now: View, newest: Newest, request: gr.Request) -> Iterator[Any]:
        shown, is_new = newest.results, newest.is_asked(now)
        with errors_as_messages():
            # What is typed stays where only something else has changed.
            if shown is not None and (not is_new if shown.is_typed else shown.query == now.query):
                # A base may have been loaded on the Try page.
                loaded = now.page == "browse" and loaded_base(services) is not None
                yield *NO_UPDATE[:4], filters_html(services, render, shown) if loaded else gr.skip(), NO_UPDATE[5]
            else:
                windows.put(request, Window())
                yield from current(lambda turn: newest.search(services, now.query, turn), newest, request)

    def on_list(now: View, newest: Newest, request: gr.Request, event: gr.EventData) -> Iterator[Any]:
        shown, act = newest.results, act_data(event)
        with errors_as_messages():
            windows.put(request, Window.of(act) or windows.get(request))
            # Where another query was asked for, its search must not lose its turn to this list.
            is_asked = shown is not None and (shown.is_typed or shown.query == now.query)
            steps = list_steps(services, shown, act) if shown is not None and is_asked else None
            if steps is not None:
                yield from current(steps, newest, request)
                return
            if is_asked and act.get("act") == "window":
                # Whatever runs on this page goes on, and paints the same cards from now on.
                grid = partial(grid_html, services, render, window=windows.get(request))
                yield from newest.paint(lambda now: (gr.skip(), grid(now), *NO_UPDATE[2:]))
            yield NO_UPDATE

    # "multiple": a new query does not wait for the one before, and a person scrolls on while hubs are asked for more.
    at_once: dict[str, Any] = {"trigger_mode": "multiple", "concurrency_limit": None, **QUIET}
    searched = page.view.change(on_view, [page.view, page.newest], outputs, **at_once)
    lists = (page.grid, page.more, page.hubs)
    changed = [widget.act(on_list, [page.view, page.newest], outputs, **at_once) for widget in lists]
    connect_query(page, services, render)
    connect_typing(page, services, render, turns, windows, outputs)
    if services.settings.read_headers:
        connect_headers(page, services, reader, turns, show, outputs, (searched, *changed))


def connect_headers(
    page: BrowsePage,
    services: Services,
    reader: HeaderReader,
    turns: Turns,
    show: Callable[[Results, gr.Request], tuple[Any, ...]],
    outputs: Sequence[gr.components.Component],
    events: Sequence[Any],
) -> None:
    """After each of `events`, the headers of the newest cards are read."""

    def on_headers(newest: Newest, request: gr.Request) -> Iterator[Any]:
        yield from show_headers(
            services, reader, newest, lambda turn: turns.is_at(request, turn), lambda now: show(now, request)
        )

    # "always_last": cards that arrive during a reading are read right after it.
    for event in events:
        event.then(on_headers, [page.newest], outputs, trigger_mode="always_last", concurrency_limit=8, **QUIET)


@dataclass(frozen=True, kw_only=True)
class EnteredName:
    """OWNER/NAME, the view at Enter, and the one that follows, once hubs have said whether they know it."""

    text: str
    before: View
    number: int
    then: View | None = None


def connect_query(page: BrowsePage, services: Services, render: Renderer) -> None:
    """Text, filters and order make a new query.

    None of them has Gradio's `cancels`: a second Enter with the same query would end the search of the first for good.
    """

    def on_facets(now: View, text: str | None, event: gr.EventData) -> tuple[View, Any]:
        with errors_as_messages():
            return choose_filter(completion.with_typed(now, text), act_data(event))

    def on_sort(now: View, text: str | None, sort: str) -> View:
        return with_sort(completion.with_typed(now, text), sort)

    def on_text(now: View, text: str, newest: Newest) -> tuple[Any, Any, Any]:
        newest.count_enter()
        if is_name(text or ""):
            return gr.skip(), gr.skip(), EnteredName(text=text, before=now, number=next(numbers))
        with errors_as_messages():
            then = submit(services, now, text)
            if newest.results is not None and newest.results.is_typed:
                # With the same query, the list of what was typed would stay.
                then = replace(then, visit=then.visit + 1)
            return then, then.text, gr.skip()

    def on_name(name: EnteredName) -> EnteredName:
        with errors_as_messages():
            then = submit(services, name.before, name.text)
            return replace(name, then=replace(then, visit=then.visit + 1))

    def on_answer(now: View, name: EnteredName) -> tuple[Any, Any]:
        if name.then is None or now != name.before:
            # Clicks that came after Enter stay as they are.
            return gr.skip(), gr.skip()
        return name.then, name.then.text

    numbers, entered, answered = itertools.count(), gr.State(None), gr.State(None)
    with_text: dict[str, Any] = {"js": read_script("typed_text"), **IN_ORDER}
    for clickable in (page.facets, page.sentence, page.intro):
        clickable.act(on_facets, [page.view, page.search], [page.view, page.level], **with_text)
    text = [page.view, page.search]
    submitted = page.search.submit(on_text, [*text, page.newest], [*text, entered], js=COUNT_ENTER, **IN_ORDER)
    # The panel was opened for the address that could not be read.
    submitted.failure(None, None, None, js="() => document.dispatchEvent(new CustomEvent('hub-ui-not-opened'))")
    # A hub that is slow to say whether it knows a name holds up no other event.
    entered.change(on_name, [entered], [answered], trigger_mode="multiple", concurrency_limit=None, **QUIET)
    answered.change(on_answer, [page.view, answered], text, **IN_ORDER)
    page.sort.input(on_sort, [page.view, page.search, page.sort], [page.view], **with_text)


def connect_typing(
    page: BrowsePage,
    services: Services,
    render: Renderer,
    turns: Turns,
    windows: Windows,
    outputs: Sequence[gr.components.Component],
) -> None:
    """What is typed into the search box is looked up in the catalog, and suggestions stand below it."""

    def on_typed(now: View, newest: Newest, request: gr.Request, event: gr.EventData) -> Any:
        shown = newest.results
        act = {name: str(value) for name, value in act_data(event).items()}
        typing = type_text(services, now, act.get("before", ""), act.get("after", ""))
        popup = render("completion", number=act.get("number", ""), **vars(typing))
        if typing.query is None or (shown is not None and shown.query == typing.query):
            return popup, *NO_UPDATE
        turn = turns.now(request)
        found = searching.look(services, typing.query, shown)
        # Enter may have been pressed meanwhile. The beginning of a filter's name is hardly ever a word to search for.
        is_late = newest.is_entered(act.get("enters", "")) or not turns.is_at(request, turn)
        if is_late or (typing.suggestions and not found.ids):
            return popup, *NO_UPDATE
        windows.put(request, Window())
        found = replace(found, turn=turns.take(request))
        newest.put(found)
        return popup, *paint(services, render, found, Window())

    # The script sends one text after the other; Gradio (6.31) would drop those that are typed meanwhile.
    looked_up: dict[str, Any] = {"trigger_mode": "multiple", "concurrency_limit": None, **QUIET}
    page.completion.act(on_typed, [page.view, page.newest], [page.completion, *outputs], **looked_up)


def list_steps(services: Services, shown: Results, act: Mapping[str, Any]) -> Callable[[int], Iterator[Results]] | None:
    """What a click that asks for another list of the same query does, with the turn that it takes; else None."""
    match act.get("act"):
        case "more":
            return lambda turn: searching.more(services, shown, turn)
        case "relist":
            return lambda turn: searching.relist(services, shown, turn)
        case "retry":
            return lambda turn: searching.retry(services, shown, str(act.get("hub", "")), turn)
    return None


def show_headers(
    services: Services,
    reader: HeaderReader,
    newest: Newest,
    is_at: Callable[[int], bool],
    show: Callable[[Results], Any],
) -> Iterator[Any]:
    """Updates of the list as the headers of its newest cards are read: what they say is found and counted too."""
    yield NO_UPDATE
    shown = newest.results
    if shown is None:
        return

    def is_current() -> bool:
        return is_at(shown.turn)

    # A short list is gone on with at once: before the headers of its first cards are read.
    first = max(0, shown.since - MOST_CARDS)
    cards = searching.read_cards(services, shown, range(first, shown.since + MOST_CARDS))
    for _known in reader.read([*cards.values()], is_cancelled=lambda: not is_current()):
        # A search that is under way goes on from its own cards.
        while (now := newest.results) is not None and is_current() and not now.pending:
            if newest.replace(now, searching.refresh(services, now)):
                break
        if is_current():
            yield from newest.paint(show)
    yield NO_UPDATE


def choose_filter(view: View, act: dict[str, Any]) -> tuple[View, Any]:
    """The view after a click on a filter, and the level of mature images if the click chose it."""
    then = apply_filter(view, act)
    return then, then.query.nsfw if act.get("act") == "nsfw" else gr.skip()


@dataclass(frozen=True, kw_only=True)
class Typing:
    """Suggestions for `text`, or what is wrong with it, and the query so far; None where there is no list to show."""

    text: str
    suggestions: list[Suggestion]
    problem: str
    query: Query | None


def type_text(services: Services, view: View, before: str, after: str) -> Typing:
    """What stands in the search box before and after the cursor."""
    text = (before + after)[:LONGEST_TEXT]
    suggestions, problem = completion.suggest(text, len(before), services.catalog.complete_value), ""
    try:
        view.with_text(text)
    except BadQuery as error:
        problem = error.message
    typed = view.with_text(completion.without_bare_key(text, len(before)), is_strict=False)
    # The list is not on the other pages, and an address is no search.
    is_listed = view.page == "browse" and "://" not in text
    return Typing(text=text, suggestions=suggestions, problem=problem, query=typed.query if is_listed else None)


def with_sort(view: View, sort: str) -> View:
    return view.with_query(sort=Query.of(sort=sort).sort)


def apply_filter(view: View, act: Mapping[str, object]) -> View:
    """A click on a filter, on a part of the query summary, or another level of mature images."""
    name, facet, value = act.get("act"), str(act.get("facet", "")), str(act.get("value", ""))
    if name == "nsfw":
        return view.with_query(nsfw=Query.of(nsfw=value).nsfw)
    if name == "toggle":
        return view.toggle_filter(facet, value)
    if name == "exclude" and facet in BY_KEY:
        read = parse(f"-{facet}:{quote(value)}").excluded
        kept = tuple(each for each in view.query.excluded if each not in read)
        return view.with_query(excluded=(*kept, *read) if kept == view.query.excluded else kept)
    if name == "remove":
        clicked = (facet, value, act.get("excluded") == "yes")
        # None where a second click comes too late.
        parts = (part for part in parts_of(view.query) if (part.key, part.value, part.is_excluded) == clicked)
        return next((replace(view, page="browse", open="", query=part.rest) for part in parts), view)
    raise BadQuery(_("That is no filter."))


def submit(services: Services, view: View, text: str) -> View:
    """The LoRA that `text` names, opened; else a search for it.

    Raises BadRef for an address that names no LoRA, and BadQuery.
    """
    text = (text or "").strip()
    ref = parse_name(services, text)
    if ref is None:
        return view.with_text(text)
    return replace(view, page="browse", open=str(ref))


def is_name(text: str) -> bool:
    """Whether hubs have to be asked what `text` is."""
    return is_bare(text) and not is_filter(text)


def parse_name(services: Services, text: str) -> Ref | None:
    if is_filter(text):
        # "tag:lora:civitai:1" would be an AIR otherwise.
        return None
    if is_bare(text):
        return find_by_name(services, text)
    try:
        return Ref.parse(text)
    except BadRef:
        # This spelling means one LoRA by name, even if none has it.
        named = _PREFIX.fullmatch(text)
        is_name = "://" in text or text.lower().startswith(("urn:air:", "air:"))
        if named and (is_name or find_origin(named["prefix"]) in HUBS):
            raise
        return None


def find_by_name(services: Services, name: str) -> Ref | None:
    """OWNER/NAME may also be two search words, so a hub has to know it."""
    bare = Ref.parse(name)
    for hub in HUBS:
        if not is_id(hub, bare.id):
            continue
        ref = replace(bare, hub=hub)
        try:
            services.lookup.get(ref)
        except HubUiError:
            continue
        return ref
    return None
