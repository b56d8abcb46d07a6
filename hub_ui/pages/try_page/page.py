"""Try: LoRAs with weights on the left, what is compared in the middle, one line of proof, and what was made before."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from connectors.errors import HubUiError, UsageError
from hub_ui.generate.comparison import SheetKind
from hub_ui.pages.events import QUIET, told
from hub_ui.pages.library.downloads import Downloads
from hub_ui.pages.try_page import form, generate
from hub_ui.pages.try_page.form import Form, Shown
from hub_ui.pages.try_page.generations import Generations
from hub_ui.pages.try_page.settings import sheet_kind
from hub_ui.pages.view import View
from hub_ui.services import Services
from hub_ui.widgets import result, try_form
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
# This tab alone knows the id, and finds its pictures again when it is loaded again. A link that is shared has none.
# What else the event takes stays as it is.
READ_GENERATION = "(_, ...others) => [sessionStorage.getItem('hub-ui-generation') || '', ...others]"
# On a phone the form fills the screen: what comes of it is shown.
KEEP_GENERATION = """(id) => {
  sessionStorage.setItem('hub-ui-generation', id);
  const tabs = document.getElementById('tabs');
  const {top, bottom} = tabs.getBoundingClientRect();
  const still = matchMedia('(prefers-reduced-motion: reduce)').matches;
  if (id && (top < 0 || bottom > innerHeight / 2)) {
    tabs.scrollIntoView({behavior: still ? 'auto' : 'smooth', block: 'start'});
  }
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
    generation: gr.Textbox


@dataclass(frozen=True, kw_only=True)
class States:
    """`order` is true right after "Download & try": the pair is then made without another click. Right after loading
    it is the id of the generation that this tab was at before, or empty.

    `kept` is the Result on the stage.
    """

    view: gr.State
    order: gr.State
    shown: gr.State
    kept: gr.State


def build(render: Renderer) -> TryPage:
    with gr.Column(elem_id="form"):
        fields = form.build()
        with gr.Row(elem_id="buttons"):
            make = gr.Button(MAKE["pair"], variant="primary", elem_id="make")
            stop = gr.Button("Stop", elem_id="stop", visible=False, min_width=80, scale=0)
        estimate = widget(elem_id="estimate")
    with gr.Column(elem_id="stage"):
        kinds = widget(try_form.tabs_html(render, "pair"), elem_id="tabs")
        said = widget(elem_id="said")
        progress = widget(elem_id="progress")
        question = widget(elem_id="question")
        shown = widget(result.empty_html(render), elem_id="pair")
        generation = gr.Textbox(visible="hidden", elem_id="generation")
    history = widget(elem_id="history")
    return TryPage(
        form=fields, make=make, stop=stop, estimate=estimate, tabs=kinds, said=said, progress=progress,
        question=question, result=shown, history=history, generation=generation,
    )  # fmt: skip


def connect(
    page: TryPage,
    downloads: Downloads,
    services: Services,
    render: Renderer,
    generations: Generations,
    *,
    view: gr.State,
    order: gr.State,
) -> States:
    states = States(view=view, order=order, shown=gr.State(Shown()), kept=gr.State(None))

    def on_view(now: View, before: Shown, last: Result | None) -> Any:
        return (*form.show(services, render, now, before), *stage(render, now, last))

    painted = [*page.form.painted, states.shown, page.tabs, page.make, page.result, states.kept]
    looked = view.change(on_view, [view, states.shown, states.kept], painted, **QUIET)
    _connect_making(page, downloads, services, render, generations, states, looked)
    _connect_clicks(page, services, render, states, looked)
    return states


def _connect_making(
    page: TryPage,
    downloads: Downloads,
    services: Services,
    render: Renderer,
    generations: Generations,
    states: States,
    looked: Any,
) -> None:
    """Made by "Download & try", by the button, by agreeing to fetch a base; or found again by who loads the page."""
    view, agreed = states.view, gr.State("")
    on = _Handlers(services=services, render=render, generations=generations, cache=page.result.GRADIO_CACHE)

    def on_answer(now: View, base: str | None, event: gr.EventData) -> tuple[str, str]:
        return "", answered(now, base, act_data(event))

    def on_values(now: View, *values: Any) -> Any:
        return remember(now, values)

    made = [
        page.progress, page.result, states.kept, page.question, page.stop, states.order, page.generation,
        downloads.asked,
    ]  # fmt: skip
    given = [downloads.asked, *page.form.fields]
    # The engine makes one after the other: who waits here keeps no other page waiting.
    at_once: dict[str, Any] = {"concurrency_id": generations.concurrency_id, "concurrency_limit": None, **QUIET}
    by_order = looked.then(on.order, [view, states.order, *given], made, **at_once)
    by_click = page.make.click(on.make, [view, *given], made, **at_once)
    asked = page.question.act(on_answer, [view, page.form.base], [page.question, agreed], **QUIET)
    by_answer = asked.success(on.agree, [view, agreed, *given], made, **at_once)
    # The address holds what is being made, so that the link, and the page when it is loaded again, name the same.
    page.make.click(on_values, [view, *page.form.fields], [view, states.shown], **QUIET)
    running = [by_order, by_click, by_answer]
    page.stop.click(on.stop, [page.generation], made, cancels=running, **QUIET)
    page.generation.change(None, [page.generation], None, js=KEEP_GENERATION)


@dataclass(frozen=True, kw_only=True)
class _Handlers:
    """What starts a generation, finds it again, or ends it."""

    services: Services
    render: Renderer
    generations: Generations
    cache: str

    def order(self, request: gr.Request, now: View, ordered: bool | str, asked: int, *values: Any) -> Iterator[Any]:
        with told():
            if isinstance(ordered, str):
                yield from generate.ending(generate.resume(self.render, self.generations, now, ordered))
            elif ordered:
                yield from generate.ending(self._steps(request, now, asked, values))
            else:
                yield generate.outputs()

    def make(self, request: gr.Request, now: View, asked: int, *values: Any) -> Iterator[Any]:
        with told():
            yield from generate.ending(self._steps(request, now, asked, values))

    def agree(self, request: gr.Request, now: View, answer: str, asked: int, *values: Any) -> Iterator[Any]:
        with told():
            made = self._steps(request, now, asked, values, may_fetch=answer == "fetch")
            yield from generate.ending(made if answer else iter([generate.outputs()]))

    def stop(self, id_: str) -> Any:
        with told():
            return generate.stopped(self.services, self.render, self.generations, id_)

    def _steps(
        self, request: gr.Request, now: View, asked: int, values: tuple[Any, ...], *, may_fetch: bool = False
    ) -> Iterator[Any]:
        order = generate.Order(view=now, filled=form.filled(now, values), may_fetch=may_fetch)
        page = request.session_hash or ""
        yield from generate.make(
            self.services, self.render, self.generations, order, asked=asked, cache=self.cache, page=page
        )


def answered(view: View, base: str | None, clicked: dict[str, Any]) -> str:
    """ "fetch", or "ask" again where something else is chosen by now than what the question was about; else nothing."""
    if clicked.get("act") != "fetch":
        return ""
    return "fetch" if clicked.get("subject") == generate.subject(view, base) else "ask"


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
    page.form.dice.click(lambda: random.randrange(LARGEST_DICE), None, [page.form.seed], **QUIET)
    page.form.base.input(on_base, [view, *page.form.fields], [view], **QUIET)
    fields = (
        page.form.seed, page.form.steps, page.form.size, page.form.rows, page.form.guidance, page.form.place,
        page.form.weights,
    )  # fmt: skip
    for asks in (looked.then, kept.change, *(field.change for field in fields)):
        asks(on_fields, [view, *page.form.fields], [page.estimate], trigger_mode="always_last", **QUIET)


def stage(render: Renderer, view: View, last: Result | None) -> tuple[Any, ...]:
    """Tabs, the button's words, the result, and the result kept: it stays until another kind of sheet is asked for."""
    kind = view.wish.sheet
    closed: dict[SheetKind, str] = {} if len(view.stack) > 1 else {"both": TWO_LORAS}
    stays = last is not None and generate.is_about(last.kind, last.refs, view)
    empty = result.empty_html(render, kind, several=len(view.stack) > 1)
    result_now = (gr.skip(), gr.skip()) if stays else (empty, None)
    return try_form.tabs_html(render, kind, closed=closed), MAKE[kind], *result_now


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
    varied = generate.loras(last.refs[last.varied : last.varied + 1])
    # A strip of a LoRA that was taken away says nothing about the weight of the next one.
    mine = next((s for s in view.stack if generate.loras([s.ref]) == varied), None)
    if last.kind != "strip" or mine is None:
        return result.result_html(render, now), now, gr.skip()
    return result.result_html(render, now), now, view.weighing(mine.ref, now.tiles[now.right].weight)


def estimated(services: Services, render: Renderer, view: View, values: tuple[Any, ...]) -> str:
    """An honest time under the button, or what is wrong with a field; empty while nobody can say."""
    if view.page != "try" or not view.stack:
        return ""
    try:
        sentence = generate.estimate(services, generate.Order(view=view, filled=form.filled(view, values)))
    except UsageError as error:
        return render("estimate", sentence=error.message, problem=True)
    except HubUiError:
        return ""
    return render("estimate", sentence=sentence, problem=False)
