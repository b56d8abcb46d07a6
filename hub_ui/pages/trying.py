"""Try: LoRAs with weights on the left, what is compared in the middle, one line of proof, and what was made before."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from connectors.errors import HubUiError, UsageError
from connectors.ref import Ref
from hub_ui.pages import bringing, form, making
from hub_ui.pages.downloads import Downloads
from hub_ui.pages.edge import QUIET, told
from hub_ui.pages.form import Form, Shown
from hub_ui.pages.view import View
from hub_ui.pages.wish import sheet_kind
from hub_ui.preview.sheets import SheetKind
from hub_ui.services import Services
from hub_ui.widgets import result, tabs
from hub_ui.widgets.render import Renderer
from hub_ui.widgets.result import Result
from hub_ui.widgets.widget import act_data, widget

LARGEST_DICE = 2**32
MAKE: dict[SheetKind, str] = {
    "pair": "Make the pair",
    "strip": "Make the strip",
    "trigger": "Make the pair",
    "both": "Make all four",
    "grid": "Make the grid",
}
# On a phone the form fills the screen: what comes of it is shown.
SHOW_STAGE = """() => {
  const tabs = document.getElementById('tabs');
  const seen = tabs.getBoundingClientRect().bottom < innerHeight;
  const still = matchMedia('(prefers-reduced-motion: reduce)').matches;
  if (!seen) { tabs.scrollIntoView({behavior: still ? 'auto' : 'smooth', block: 'start'}); }
}"""
TWO_LORAS = "Two LoRAs are compared here: add another one."


@dataclass(frozen=True, kw_only=True)
class TryPage:
    form: Form
    make: gr.Button
    stop: gr.Button
    estimate: gr.HTML
    tabs: gr.HTML
    said: gr.HTML
    progress: gr.HTML
    question: gr.HTML
    result: gr.HTML
    history: gr.HTML


@dataclass(frozen=True, kw_only=True)
class States:
    """`order` is true right after "Download & try": the pair is then made without another click.

    `own` are the downloads that this page has put into the queue, and may stop. `kept` is the Result on the stage.
    """

    view: gr.State
    order: gr.State
    shown: gr.State
    own: gr.State
    kept: gr.State


def build(render: Renderer) -> TryPage:
    with gr.Column(elem_id="form"):
        fields = form.build()
        with gr.Row(elem_id="buttons"):
            make = gr.Button(MAKE["pair"], variant="primary", elem_id="make")
            stop = gr.Button("Stop", elem_id="stop", visible=False, min_width=80, scale=0)
        estimate = widget(elem_id="estimate")
    with gr.Column(elem_id="stage"):
        kinds = widget(tabs.html(render, "pair"), elem_id="tabs")
        said = widget(elem_id="said")
        progress = widget(elem_id="progress")
        question = widget(elem_id="question")
        shown = widget(result.empty_html(render), elem_id="pair")
    history = widget(elem_id="history")
    return TryPage(
        form=fields, make=make, stop=stop, estimate=estimate, tabs=kinds, said=said, progress=progress,
        question=question, result=shown, history=history,
    )  # fmt: skip


def connect(
    page: TryPage, downloads: Downloads, services: Services, render: Renderer, *, view: gr.State, order: gr.State
) -> States:
    states = States(view=view, order=order, shown=gr.State(Shown()), own=gr.State(()), kept=gr.State(None))

    def on_view(now: View, before: Shown, last: Result | None) -> Any:
        return (*form.show(services, render, now, before), *stage(render, now, last))

    def on_stop(started: tuple[int, ...]) -> Any:
        with told():
            return bringing.stopped(services, render, started)

    painted = [*page.form.painted, states.shown, page.tabs, page.make, page.result, states.kept]
    looked = view.change(on_view, [view, states.shown, states.kept], painted, **QUIET)
    running = _connect_making(page, downloads, services, render, states, looked)
    _connect_clicks(page, services, render, states, looked)
    stopping = [page.progress, page.stop, order, states.own]
    page.stop.click(on_stop, [states.own], stopping, cancels=running, queue=False, **QUIET)
    return states


def _connect_making(
    page: TryPage, downloads: Downloads, services: Services, render: Renderer, states: States, looked: Any
) -> list[Any]:
    """Files first, then pictures; by "Download & try", by the button, or by agreeing to fetch a base."""
    view, order, always, agreed = states.view, states.order, gr.State(True), gr.State("")

    def on_fetch(now: View, ordered: bool, asked: int, base: str | None, place: str) -> Iterator[Any]:
        with told():
            here = place != form.THERE
            yield from bringing.fetch(
                services, render, now, ordered=ordered, asked=asked, base=(base or "").strip(), here=here
            )

    def on_answer(now: View, base: str | None, event: gr.EventData) -> tuple[str, str]:
        return "", answered(now, base, act_data(event))

    def on_made(now: View, *values: Any) -> Any:
        return remember(now, values)

    got: list[Any] = [page.progress, page.stop, states.own, downloads.asked]
    made = [page.progress, page.result, states.kept, page.question, page.stop, order]
    asking = [downloads.asked, page.form.base, page.form.place]
    # Downloads wait for nobody's preview, and no preview for a download that is not its own.
    fetching: dict[str, Any] = {"concurrency_limit": None, **QUIET}
    one_at_a_time: dict[str, Any] = {"concurrency_id": "gpu", "concurrency_limit": 1, **QUIET}
    draw = _maker(page, services, render)
    got_by_order = looked.then(on_fetch, [view, order, *asking], got, **fetching)
    by_order = got_by_order.success(draw, [view, order, *page.form.fields], made, **one_at_a_time)
    got_by_click = page.make.click(on_fetch, [view, always, *asking], got, **fetching)
    by_click = got_by_click.success(draw, [view, always, *page.form.fields], made, **one_at_a_time)
    asked = page.question.act(on_answer, [view, page.form.base], [page.question, agreed], **QUIET)
    by_answer = asked.success(draw, [view, agreed, *page.form.fields], made, **one_at_a_time)
    for done in (by_click, by_answer):
        done.success(on_made, [view, *page.form.fields], [view, states.shown], **QUIET)
    return [got_by_order, by_order, got_by_click, by_click, by_answer]


def answered(view: View, base: str | None, clicked: dict[str, Any]) -> str:
    """ "fetch", or "ask" again where something else is chosen by now than what the question was about; else nothing."""
    if clicked.get("act") != "fetch":
        return ""
    return "fetch" if clicked.get("subject") == making.subject(view, base) else "ask"


def _maker(page: TryPage, services: Services, render: Renderer) -> Callable[..., Iterator[Any]]:
    def steps(now: View, values: tuple[Any, ...], ordered: bool | str) -> Iterator[Any]:
        order = making.Order(view=now, filled=form.filled(now, values), may_fetch=ordered == "fetch")
        yield from making.make(services, render, order, cache=page.result.GRADIO_CACHE)

    def on_make(now: View, ordered: bool | str, *values: Any) -> Iterator[Any]:
        with told():
            yield from making.ending(steps(now, values, ordered) if ordered else iter([making.NOTHING]))

    return on_make


def _connect_clicks(page: TryPage, services: Services, render: Renderer, states: States, looked: Any) -> None:
    view, kept = states.view, states.kept

    def on_click(now: View, event: gr.EventData) -> Any:
        with told():
            return act(now, act_data(event))

    def on_tile(now: View, last: Result | None, event: gr.EventData) -> Any:
        return tile(render, now, last, act_data(event))

    def on_base(now: View, *values: Any) -> View:
        with told():
            return replace(now, wish=form.rebased(now, values))

    def on_fields(now: View, *values: Any) -> str:
        return estimated(services, render, now, values)

    for clickable in (page.form.stack, page.form.chips, page.tabs):
        clickable.act(on_click, [view], [view], **QUIET)
    page.result.act(on_tile, [view, kept], [page.result, kept, view], **QUIET)
    page.make.click(None, None, None, js=SHOW_STAGE)
    page.form.dice.click(lambda: random.randrange(LARGEST_DICE), None, [page.form.seed], **QUIET)
    page.form.base.input(on_base, [view, *page.form.fields], [view], **QUIET)
    fields = (page.form.seed, page.form.steps, page.form.size, page.form.rows, page.form.guidance, page.form.place)
    for asks in (looked.then, kept.change, *(field.change for field in fields)):
        asks(on_fields, [view, *page.form.fields], [page.estimate], trigger_mode="always_last", **QUIET)


def stage(render: Renderer, view: View, last: Result | None) -> tuple[Any, ...]:
    """Tabs, the button's words, the result, and the result kept: it stays until another kind of sheet is asked for."""
    kind = view.wish.sheet
    closed: dict[SheetKind, str] = {} if len(view.stack) > 1 else {"both": TWO_LORAS}
    stays = last is not None and _shows(last, view)
    result_now = (gr.skip(), gr.skip()) if stays else (result.empty_html(render, kind), None)
    return tabs.html(render, kind, closed=closed), MAKE[kind], *result_now


def _shows(last: Result, view: View) -> bool:
    """Whether a result is about what is looked at: the kind of sheet, and one of the LoRAs at least."""
    kind = "pair" if last.kind == "one" else last.kind
    mine, now = _loras(last.refs), _loras([s.ref for s in view.stack])
    return kind == view.wish.sheet and (not mine or not now or not mine.isdisjoint(now))


def _loras(refs: Iterable[str]) -> frozenset[Ref]:
    """Whichever version and file of them."""
    return frozenset(Ref.parse(ref).lora for ref in refs)


def remember(view: View, values: tuple[Any, ...]) -> tuple[Any, Any]:
    """The address then holds what the pictures were made from, so that the link makes the same ones."""
    try:
        now = replace(view, wish=form.filled(view, values).wish)
    except HubUiError:
        return gr.skip(), gr.skip()
    return now, Shown.of(now)


def act(view: View, clicked: dict[str, Any]) -> View:
    name, ref = clicked.get("act"), str(clicked.get("ref", ""))
    if name == "weigh":
        try:
            return view.weighing(ref, float(clicked.get("value", "")))
        except ValueError as error:
            raise UsageError("A weight is a number from -1 to 2.") from error
    if name == "unstack":
        return view.unstacked(ref)
    if name == "words":
        return replace(view, wish=replace(view.wish, use_trigger_words=not view.wish.use_trigger_words))
    if name == "sheet":
        return replace(view, wish=replace(view.wish, sheet=sheet_kind(str(clicked.get("kind", "")))))
    return replace(view, page="browse")


def tile(render: Renderer, view: View, last: Result | None, clicked: dict[str, Any]) -> tuple[Any, Any, Any]:
    """A picture of a strip comes under the slider, and its weight into the form."""
    index = str(clicked.get("index", ""))
    if last is None or clicked.get("act") != "tile" or not index.isdigit():
        return gr.skip(), gr.skip(), gr.skip()
    now = last.showing(int(index))
    # A strip of a LoRA that was taken away says nothing about the weight of the next one.
    if last.kind != "strip" or _loras(last.refs[:1]) != _loras([s.ref for s in view.stack[:1]]):
        return result.html(render, now), now, gr.skip()
    return result.html(render, now), now, view.weighing(view.stack[0].ref, now.tiles[now.right].weight)


def estimated(services: Services, render: Renderer, view: View, values: tuple[Any, ...]) -> str:
    """An honest time under the button, or what is wrong with a field; empty while nobody can say."""
    if view.page != "try" or not view.stack:
        return ""
    try:
        sentence = making.estimate(services, making.Order(view=view, filled=form.filled(view, values)))
    except UsageError as error:
        return render("estimate", sentence=error.message, problem=True)
    except HubUiError:
        return ""
    return render("estimate", sentence=sentence, problem=False)
