"""The Try page: LoRAs with their weights, the comparison made with them, and the history."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from connectors.errors import HubUiError, UsageError
from hub_ui.generate.comparison import ComparisonKind
from hub_ui.i18n import N_, _
from hub_ui.pages.events import IN_ORDER, QUIET, Turns, errors_as_messages, while_current
from hub_ui.pages.library.downloads import Downloads
from hub_ui.pages.try_page import compare, form, generate
from hub_ui.pages.try_page.form import Form, FormSource
from hub_ui.pages.try_page.generations import Generations
from hub_ui.pages.try_page.orders import Order
from hub_ui.web.view import View, sheet_kind, weights_of
from hub_ui.services import Services
from hub_ui.widgets import result
from hub_ui.widgets.render import Renderer, act_data, read_script, widget
from hub_ui.widgets.result import Result

LARGEST_DICE = 2**32
# One tab for each kind of comparison.
LABELS: dict[ComparisonKind, str] = {
    "pair": N_("Without / with"),
    "strip": N_("Weights"),
    "trigger": N_("Trigger on / off"),
    "both": N_("A · B · both"),
    "grid": N_("Grid"),
}
MAKE: dict[ComparisonKind, str] = {
    "pair": N_("Make the pair"),
    "strip": N_("Make the weight sweep"),
    "trigger": N_("Make the pair"),
    "both": N_("Make all four"),
    "grid": N_("Make the grid"),
}
# The id stays in this tab, which finds its images after a reload; a shared link has none. The event's other inputs stay
# as they are.
READ_GENERATION = "(_, ...others) => [sessionStorage.getItem('hub-ui-generation') || '', ...others]"
# Generations queue for the engine: a waiting one must not block other pages. Nor is a click lost because the answer to
# the one before is still on its way; of two for the same images, the second follows those of the first.
AT_ONCE: dict[str, Any] = {
    "trigger_mode": "multiple", "concurrency_id": Generations.concurrency_id, "concurrency_limit": None, **QUIET,
}  # fmt: skip
TWO_LORAS = N_("Two LoRAs are compared here: add another one.")


@dataclass(frozen=True, kw_only=True)
class Blank:
    """What the words on an empty stage are about."""

    kind: ComparisonKind = "pair"
    several: bool = False


class TryPage:
    """The components. `order` is the last Order, such as that of "Download & try"; `due` changes when the form has the
    values for it. `shown` is the form's source, `filled` its name, which the page sends with the form. `kept` is the
    Result, `blank` what the stage said last where there is none.
    """

    def __init__(self, render: Renderer, *, view: gr.State, order: gr.State) -> None:
        self.view, self.order, self.shown, self.kept = view, order, gr.State(FormSource()), gr.State(None)
        # Raised where the same view is to be made once more: an unchanged view fires no `change`.
        self.asked, self.plan, self.blank = gr.State(0), gr.State(None), gr.State(Blank())
        # How often the form was filled in: its fields have their values by then.
        self.fills, self.due = gr.State(0), gr.State("")
        with gr.Column(elem_id="form"):
            self.form = Form()
            with gr.Row(elem_id="buttons"):
                self.make = gr.Button(MAKE["pair"], variant="primary", elem_id="make")
                self.stop = gr.Button(N_("Stop"), elem_id="stop", visible=False, min_width=80, scale=0)
            self.estimate = widget(elem_id="estimate")
            self.drop = gr.UploadButton(
                N_("Drop or choose an image to make again"), file_types=[".png", ".jpg", ".jpeg", ".webp"],
                elem_id="drop",
            )  # fmt: skip
        with gr.Column(elem_id="stage"):
            self.tabs = widget(lambda: render("tabs", labels=LABELS, current="pair", closed={}), elem_id="tabs")
            self.said = widget(elem_id="said")
            self.dropped = widget(elem_id="dropped")
            self.progress = widget(elem_id="progress")
            self.question = widget(elem_id="question")
            self.result = widget(lambda: result.empty_result_html(render), elem_id="pair")
            self.generation = gr.Textbox(visible="hidden", elem_id="generation")
            self.filled = gr.Textbox(visible="hidden", elem_id="filled")
        self.history = widget(elem_id="history")
        # In the order of `generate.Updates`.
        self.generation_outputs: list[Any] = [
            self.progress, self.result, self.kept, self.question, self.stop, self.generation,
        ]  # fmt: skip


def connect(
    page: TryPage, downloads: Downloads, services: Services, render: Renderer, generations: Generations
) -> None:
    def on_view(
        order: Order | None, now: View, before: FormSource, last: Result | None, blank: Blank, fills: int, *fields: Any
    ) -> Any:
        due = order if order is not None and order.is_due(now) else None
        # Who has ordered images may be on another page by now.
        at = replace(now, page="try") if due is not None and not due.resumes else now
        name = FormSource.of(now).name
        updates = *form.show(services, render, at, before, *fields), *stage_updates(render, now, last, blank)
        filled = name if at.page == "try" else gr.skip()
        return (*updates, fills + 1, filled, f"{due.number} {name}" if due is not None else gr.skip())

    outputs = [*page.form.outputs, page.shown, page.tabs, page.make, page.result, page.kept, page.blank, page.fills]
    # The order first, which a click writes last: with it comes all that belongs to it.
    inputs = [page.order, page.view, page.shown, page.kept, page.blank, page.fills, page.form.weights, page.form.base]
    changes = [page.view.change, page.asked.change]
    gr.on(changes, on_view, inputs, [*outputs, page.filled, page.due], **QUIET)
    # Before the generation: events of one click follow each other (Gradio 6.31), and the address waits for none.
    _connect_clicks(page, services, render)
    _connect_generation(page, downloads, services, render, generations)
    _connect_estimate(page, services, render)


def run(turns: Turns, request: gr.Request, steps: Iterator[Any]) -> Iterator[Any]:
    """Only the newest generation of a page updates it: an older one goes on, and comes into the history."""
    turn = turns.take(request)
    with errors_as_messages():
        shown = generate.clear_on_error(steps)
        yield from while_current(shown, lambda: turns.is_at(request, turn), generate.Updates())


def _connect_generation(
    page: TryPage, downloads: Downloads, services: Services, render: Renderer, generations: Generations
) -> None:
    """Starts by "Download & try", the button, or a confirmed download; resumes after a reload."""
    view, agreed, turns = page.view, gr.State(""), Turns()

    def start(request: gr.Request, now: View, requested: int, values: tuple[Any, ...], **more: Any) -> Iterator[Any]:
        order = generate.TryOrder(view=now, filled=form.read_form(now, values), **more)
        cache, session = page.result.GRADIO_CACHE, request.session_hash or ""
        yield from generate.generate(
            services, render, generations, order, requested=requested, cache=cache, page=session
        )

    def on_order(
        request: gr.Request, now: View, order: Order | None, filled: str, requested: int, *values: Any
    ) -> Iterator[Any]:
        # The form that comes with it may be that of another view, on its way since before the click.
        is_ready = order is not None and (order.resumes or filled == FormSource.of(now).name)
        if order is None or not is_ready or not order.is_due(now) or not order.claim():
            yield generate.Updates()
        elif order.resumes:
            session = request.session_hash or ""
            yield from run(turns, request, generate.resume(render, generations, now, order.resumes, session))
        else:
            yield from run(turns, request, start(request, now, requested, values, original=order.original))

    def on_make(request: gr.Request, now: View, requested: int, *values: Any) -> Iterator[Any]:
        yield from run(turns, request, start(request, now, requested, values))

    def on_answer(now: View, base: str | None, event: gr.EventData) -> tuple[str, str]:
        return "", read_answer(now, base, act_data(event))

    def on_agree(
        request: gr.Request, now: View, answer: str, dropped: Any, requested: int, *values: Any
    ) -> Iterator[Any]:
        is_again = dropped is not None and not dropped.is_sheet and dropped.view(now).stack == now.stack
        original = dropped.original if is_again else None
        steps = start(request, now, requested, values, may_fetch=answer == "fetch", original=original)
        yield from run(turns, request, steps) if answer else [generate.Updates()]

    outputs = [*page.generation_outputs, downloads.requested]
    inputs = [downloads.requested, *page.form.fields]
    page.due.change(on_order, [view, page.order, page.filled, *inputs], outputs, **AT_ONCE)
    page.make.click(on_make, [view, *inputs], outputs, **AT_ONCE)
    answer = page.question.act(on_answer, [view, page.form.base], [page.question, agreed], **QUIET)
    answer.success(on_agree, [view, agreed, page.plan, *inputs], outputs, **AT_ONCE)
    _connect_strip_and_stop(page, services, render, generations, turns, outputs)


def _connect_strip_and_stop(
    page: TryPage, services: Services, render: Renderer, generations: Generations, turns: Turns, outputs: list[Any]
) -> None:
    """The row of other weights under a pair, and the button that stops what is under way."""

    def on_strip(request: gr.Request, last: Result | None, event: gr.EventData) -> Iterator[Any]:
        if last is None or act_data(event).get("act") != "strip":
            yield generate.Updates()
            return
        cache, session = page.result.GRADIO_CACHE, request.session_hash or ""
        steps = generate.add_weights(services, render, generations, last, cache=cache, page=session)
        yield from run(turns, request, steps)

    def on_stop(id_: str) -> Any:
        with errors_as_messages():
            return generate.stop(services, render, generations, id_)

    page.result.act(on_strip, [page.kept], outputs, **AT_ONCE)
    page.stop.click(on_stop, [page.generation], outputs, **QUIET)
    page.generation.change(None, [page.generation], None, js=read_script("keep_generation"))


def read_answer(view: View, base: str | None, clicked: dict[str, Any]) -> str:
    """ "fetch"; "ask" again if the selection has changed since the question; else empty."""
    if clicked.get("act") != "fetch":
        return ""
    return "fetch" if clicked.get("subject") == generate.download_subject(view, base) else "ask"


def _connect_clicks(page: TryPage, services: Services, render: Renderer) -> None:
    view, kept, fields = page.view, page.kept, page.form.fields

    def on_click(now: View, event: gr.EventData) -> Any:
        with errors_as_messages():
            return apply_click(now, act_data(event))

    def on_tile(now: View, last: Result | None, event: gr.EventData) -> Any:
        return select_tile(render, now, last, act_data(event), page.result.GRADIO_CACHE)

    def on_base(now: View, *values: Any) -> View:
        with errors_as_messages():
            return replace(now, settings=form.read_form_for_new_base(now, values))

    def on_make(now: View, *values: Any) -> Any:
        return store_settings(now, values)

    for clickable in (page.form.stack, page.form.chips, page.tabs):
        clickable.act(on_click, [view], [view], **IN_ORDER)
    page.result.act(on_tile, [view, kept], [page.result, kept, view], **IN_ORDER)
    page.form.dice.click(lambda: random.randrange(LARGEST_DICE), None, [page.form.seed], **QUIET)
    _connect_range(page.form)
    page.form.base.input(on_base, [view, *fields], [view], **IN_ORDER)
    # The address has the current settings, so that the link and a reload name the same images.
    page.make.click(on_make, [view, *fields], [view, page.shown], **IN_ORDER)


def _connect_estimate(page: TryPage, services: Services, render: Renderer) -> None:
    turns = Turns()

    def on_fields(request: gr.Request, now: View, *values: Any) -> Any:
        turn = turns.take(request)
        estimate = estimate_html(services, render, now, values)
        # The answer to an earlier field may come after that to a later one.
        return estimate if turns.is_at(request, turn) else gr.skip()

    # `change` would also fire when the form is filled in, with one event for each field. But a text box (Gradio 6.31)
    # does not fire `input` for all that is put into it, and three fields are also written by a click.
    typed = (page.form.steps, page.form.guidance, page.form.place, page.form.quality, page.form.strength)
    written = (
        page.form.seed, page.form.size, page.form.rows, page.form.weights, page.form.clip_weights, page.form.blocks,
        page.form.image,
    )  # fmt: skip
    changes = [page.fills.change, page.kept.change, *(field.input for field in typed)]
    changes += [field.change for field in written]
    gr.on(changes, on_fields, [page.view, *page.form.fields], [page.estimate], trigger_mode="always_last", **QUIET)


def _connect_range(fields: Form) -> None:
    """The range of a sweep writes its weights, and weights that are typed show in the range."""

    def on_range(*values: Any) -> Any:
        try:
            return form.weights_in(*values)
        # Half a number is on its way to a whole one.
        except UsageError:
            return gr.skip()

    def on_weights(text: str) -> Any:
        try:
            weights = weights_of(text)
        except UsageError:
            return (gr.skip(),) * 3
        return form.range_of(weights) if weights else (gr.skip(),) * 3

    # As one event: the answer to an earlier field could come after that to a later one.
    typed = [field.input for field in fields.range]
    gr.on(typed, on_range, fields.range, [fields.weights], trigger_mode="always_last", **QUIET)
    # Not while they are written: a range that is written meanwhile would be undone.
    leaving = [fields.weights.blur, fields.weights.submit]
    gr.on(leaving, on_weights, [fields.weights], fields.range, trigger_mode="always_last", **QUIET)


def stage_updates(render: Renderer, view: View, last: Result | None, blank: Blank | None = None) -> tuple[Any, ...]:
    """Tabs, the button's text, the result's HTML, the result, which stays until the comparison changes, and the words
    on an empty stage.

    Where there is none yet, images may come while this is on its way: only other words are written.
    """
    kind, several = view.settings.sheet, len(view.stack) > 1
    closed: dict[ComparisonKind, str] = {} if several else {"both": TWO_LORAS}
    now, shown, kept = Blank(kind=kind, several=several), gr.skip(), gr.skip()
    # Two results that are compared stay until something else is shown.
    is_outdated = last is not None and not (last.split or generate.is_about(last.kind, last.refs, view))
    if is_outdated or (last is None and now != blank):
        shown = result.empty_result_html(render, kind, several=several)
    if is_outdated:
        kept = None
    return render("tabs", labels=LABELS, current=kind, closed=closed), _(MAKE[kind]), shown, kept, now


def store_settings(view: View, values: tuple[Any, ...]) -> tuple[Any, Any]:
    """The view with the form's settings, so that its link makes the same images."""
    try:
        now = replace(view, settings=form.read_form(view, values).settings)
    except HubUiError:
        return gr.skip(), gr.skip()
    return now, FormSource.of(now)


def apply_click(view: View, clicked: dict[str, Any]) -> View:
    name, ref = clicked.get("act"), str(clicked.get("ref", ""))
    if name == "weigh":
        try:
            return view.with_weight(ref, float(clicked.get("value", "")))
        except ValueError as error:
            raise UsageError(_("A weight is a number from -1 to 2.")) from error
    if name == "unstack":
        return view.without_lora(ref)
    if name == "move" and clicked.get("by") in ("-1", "1"):
        return move_lora(view, ref, int(clicked["by"]))
    if name == "words":
        return replace(view, settings=replace(view.settings, use_trigger_words=not view.settings.use_trigger_words))
    if name == "sheet":
        return replace(view, settings=replace(view.settings, sheet=sheet_kind(str(clicked.get("kind", "")))))
    return replace(view, page="browse")


def move_lora(view: View, ref: str, by: int) -> View:
    """The LoRA that a sweep varies stays the same, wherever it stands then."""
    moved, settings = view.with_lora_moved(ref, by), view.settings
    varied = view.stack[min(settings.varied, len(view.stack) - 1)] if view.stack else None
    at = next((i for i, s in enumerate(moved.stack) if s == varied), 0)
    return replace(moved, settings=replace(settings, varied=at))


def select_tile(
    render: Renderer, view: View, last: Result | None, clicked: dict[str, Any], cache: str = ""
) -> tuple[Any, Any, Any]:
    """Shows the image under the slider; in a weight sweep its weight goes into the form."""
    name, index = clicked.get("act"), str(clicked.get("index", ""))
    if last is not None and name == "use-weight":
        return gr.skip(), gr.skip(), with_shown_weight(view, last)
    if last is None or name != "tile" or not index.isdigit():
        return (gr.skip(),) * 3
    now = last.showing(int(index))
    now = compare.with_differences(now, cache) if now.split else now
    return result.result_html(render, now), now, with_shown_weight(view, now) if now.kind == "strip" else gr.skip()


def with_shown_weight(view: View, shown: Result) -> Any:
    """The varied LoRA's weight becomes that of the shown image, if the LoRA is still there."""
    varied, weight = generate.loras(shown.refs[shown.varied : shown.varied + 1]), shown.right_tile.weight
    # A weight sweep of a removed LoRA says nothing about the weight of the next one.
    mine = next((s for s in view.stack if generate.loras([s.ref]) == varied), None)
    return gr.skip() if mine is None or weight is None else view.with_weight(mine.ref, weight)


def estimate_html(services: Services, render: Renderer, view: View, values: tuple[Any, ...]) -> str:
    """The expected time, or a problem with a field; empty while neither is known."""
    if view.page != "try" or not view.stack:
        return ""
    try:
        sentence = generate.estimate(services, generate.TryOrder(view=view, filled=form.read_form(view, values)))
    except UsageError as error:
        return render("estimate", sentence=error.message, problem=True)
    except HubUiError:
        return ""
    return render("estimate", sentence=sentence, problem=False)
