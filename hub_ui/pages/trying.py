"""Try: LoRAs with weights on the left, the pair without / with in the middle, one line of proof under it."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr
from gradio.processing_utils import save_pil_to_cache
from PIL.Image import Image

from connectors.errors import DoesNotFit, HubUiError, NoBase, NotFound, UsageError
from connectors.record import Record
from connectors.ref import Ref
from hub_ui.library.progress import Progress
from hub_ui.library.queue import Queue, Task
from hub_ui.pages.downloads import Downloads
from hub_ui.pages.edge import QUIET, stepping, told
from hub_ui.pages.reading import proved
from hub_ui.pages.view import View
from hub_ui.preview import bases
from hub_ui.preview.job import Pair, Step
from hub_ui.services import Services, record_of
from hub_ui.widgets import cards, detail, drawer, pair, stack, words
from hub_ui.widgets.render import Renderer, address
from hub_ui.widgets.widget import act_data, widget

DEFAULT_SEED = 417
DEFAULT_STEPS = 20
UNSEEN = "Its hub could not be asked just now. It is looked up again when you press the button."
DEFAULT_PROMPT = "a lighthouse on a cliff at dusk"
LOOK_SECONDS = 0.4
# A hub that asks for more than this is not waited for with the page.
PATIENCE_SECONDS = 30.0
_LORA_TAG = re.compile(r"<lora:[^>]*>")


@dataclass(frozen=True, kw_only=True)
class TryPage:
    stack: gr.HTML
    prompt: gr.Textbox
    triggers: gr.Checkbox
    base: gr.HTML
    seed: gr.Number
    steps: gr.Number
    make: gr.Button
    stop: gr.Button
    progress: gr.HTML
    pair: gr.HTML


def build(render: Renderer) -> TryPage:
    with gr.Column(elem_id="form"):
        layers = widget(elem_id="stack")
        prompt = gr.Textbox(label="Prompt", lines=3, max_lines=8, placeholder="What should be in the picture?")
        triggers = gr.Checkbox(value=True, label="Put the trigger words in for me", elem_id="triggers")
        base = widget(elem_id="base")
        with gr.Row(elem_id="numbers"):
            seed = gr.Number(value=DEFAULT_SEED, label="Seed", precision=0, minimum=0, maximum=2**53, min_width=100)
            steps = gr.Number(value=DEFAULT_STEPS, label="Steps", precision=0, minimum=1, maximum=150, min_width=100)
        with gr.Row():
            make = gr.Button("Make the pair", variant="primary", elem_id="make")
            stop = gr.Button("Stop", elem_id="stop", visible=False, min_width=80, scale=0)
    with gr.Column(elem_id="stage"):
        progress = widget(elem_id="progress")
        shown = widget(pair.empty_html(render), elem_id="pair")
    return TryPage(
        stack=layers,
        prompt=prompt,
        triggers=triggers,
        base=base,
        seed=seed,
        steps=steps,
        make=make,
        stop=stop,
        progress=progress,
        pair=shown,
    )


def connect(
    page: TryPage, downloads: Downloads, services: Services, render: Renderer, *, view: gr.State, order: gr.State
) -> None:
    """`order` is true right after "Download & try": the pair is then made without another click."""
    # `own`: the downloads that this page has put into the queue, and may stop.
    shown, own = gr.State(()), gr.State(())

    def on_view(now: View, before: tuple[str, ...]) -> Any:
        return show(services, render, now, before)

    def on_stack(now: View, event: gr.EventData) -> Any:
        with told():
            return act(now, act_data(event))

    def on_fetch(now: View, ordered: bool, asked: int) -> Iterator[Any]:
        with told():
            yield from fetch(services, render, now, ordered=ordered, asked=asked)

    def on_stop(started: tuple[int, ...]) -> Any:
        with told():
            return stopped(services, started)

    def on_make(
        now: View, prompt: str, triggers: bool, seed: float | None, steps: float | None, ordered: bool
    ) -> Iterator[Any]:
        with told():
            asked = wish(now, prompt, triggers, seed, steps)
            yield from make(services, render, asked, ordered=ordered, cache=page.pair.GRADIO_CACHE)

    wanted = [view, page.prompt, page.triggers, page.seed, page.steps]
    made = [page.progress, page.pair, page.stop, order]
    one_at_a_time: dict[str, Any] = {"concurrency_id": "gpu", "concurrency_limit": 1, **QUIET}
    form = [page.stack, page.base, page.prompt, page.seed, page.steps, shown]
    looked = view.change(on_view, [view, shown], form, **QUIET)
    always = gr.State(True)
    # Downloads wait for nobody's preview, and no preview for a download that is not its own.
    fetched = [page.progress, page.stop, own, downloads.asked]
    fetching: dict[str, Any] = {"concurrency_limit": None, **QUIET}
    got_by_order = looked.then(on_fetch, [view, order, downloads.asked], fetched, **fetching)
    by_order = got_by_order.success(on_make, [*wanted, order], made, **one_at_a_time)
    got_by_click = page.make.click(on_fetch, [view, always, downloads.asked], fetched, **fetching)
    by_click = got_by_click.success(on_make, [*wanted, always], made, **one_at_a_time)
    by_click.then(remember, wanted, [view], **QUIET)
    page.stack.act(on_stack, [view], [view], **QUIET)
    running = [got_by_order, by_order, got_by_click, by_click]
    page.stop.click(on_stop, [own], [page.progress, page.stop, order, own], cancels=running, queue=False, **QUIET)


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What the form holds when a pair is asked for."""

    refs: tuple[Ref, ...]
    weights: tuple[float, ...]
    prompt: str
    use_trigger_words: bool
    seed: int
    steps: int | None


def wish(view: View, prompt: str, triggers: bool, seed: float | None, steps: float | None) -> Wish:
    return Wish(
        refs=tuple(Ref.parse(s.ref) for s in view.stack),
        weights=tuple(s.weight for s in view.stack),
        prompt=" ".join((prompt or "").split())[:2000],
        use_trigger_words=bool(triggers),
        seed=int(seed) if seed is not None else DEFAULT_SEED,
        steps=int(steps) if steps else None,
    )


def remember(view: View, prompt: str, triggers: bool, seed: float | None, steps: float | None) -> View:
    """The address then holds what the pair was made from, so that the link makes the same one."""
    asked = wish(view, prompt, triggers, seed, steps)
    return replace(view, prompt=asked.prompt, seed=asked.seed)


def stopped(services: Services, own: Sequence[int]) -> tuple[str, Any, bool, tuple[int, ...]]:
    """The downloads of this page are paused, with what has come of them; those of others go on."""
    for id_ in own:
        services.queue.pause(id_)
    return "", gr.update(visible=False), False, ()


def act(view: View, clicked: dict[str, Any]) -> View:
    name, ref = clicked.get("act"), str(clicked.get("ref", ""))
    if name == "weigh":
        try:
            return view.weighing(ref, float(clicked.get("value", "")))
        except ValueError as error:
            raise UsageError("A weight is a number from -1 to 2.") from error
    if name == "unstack":
        return view.unstacked(ref)
    return replace(view, page="browse")


def show(services: Services, render: Renderer, view: View, before: tuple[str, ...]) -> Any:
    """The form for the LoRAs of `view`. Prompt, seed and steps are suggested only when the set of LoRAs changed."""
    if view.page != "try":
        return tuple(gr.skip() for _ in range(6))
    refs = tuple(s.ref for s in view.stack)
    records = [known(services, Ref.parse(ref)) for ref in refs]
    layers = [layer(services, s.ref, s.weight, record) for s, record in zip(view.stack, records, strict=True)]
    base, steps = base_line(services, render, records)
    suggested: tuple[Any, ...] = (view.prompt or suggestion(records), view.seed or DEFAULT_SEED, steps)
    if refs == before:
        suggested = (gr.skip(), gr.skip(), gr.skip())
    return stack.html(render, layers), base, *suggested, refs


def known(services: Services, ref: Ref) -> Record | None:
    """The record behind a ref, remembered or asked for; None leaves the row to say so."""
    try:
        return proved(services, record_of(services.catalog.lora(ref.lora), ref))[0]
    except NotFound:
        pass
    try:
        return services.record(ref)
    except HubUiError:
        return None


def layer(services: Services, ref: str, weight: float, record: Record | None) -> stack.Layer:
    if record is None:
        return stack.Layer(ref=ref, title=ref, line="", weight=weight, problem=UNSEEN)
    picture = cards.cover(record, "safe")
    parts = (
        cards.base_label(record),
        f"rank {record.rank}" if record.rank else "",
        f"usually {record.weight:g}" if record.weight else "",
    )
    return stack.Layer(
        ref=ref,
        title=words.visible(record.title),
        line=" · ".join(part for part in parts if part),
        weight=weight,
        image=address(picture.url) if picture else "",
        problem=misfit(services, record),
    )


def base_for(services: Services, record: Record) -> bases.BaseChoice:
    """The base that will carry this LoRA. Raises NoBase or DoesNotFit with the reason and a way out."""
    _, facts = proved(services, record)
    if facts is not None and not facts.adapter.is_lora:
        raise DoesNotFit(detail.refusal(facts))
    choice = bases.choose(record.architecture, record.base_model, None)
    if services.settings.demo and choice.source != str(bases.PACKAGED):
        raise NoBase(
            f"This LoRA needs {choice.label}, and the demo brings only its tiny base. Try one for Tiny Shapes here; "
            f"`hub-ui serve` runs this one with {choice.label} ({choice.gigabytes:g} GB to download)."
        )
    return choice


def misfit(services: Services, record: Record) -> str:
    """Why no base here can carry this LoRA, empty when one can."""
    try:
        base_for(services, record)
    except HubUiError as error:
        return error.message
    return ""


def base_line(services: Services, render: Renderer, records: Sequence[Record | None]) -> tuple[str, int]:
    """The base of the first LoRA in words, and the steps that suit it."""
    first = next((record for record in records if record is not None), None)
    if first is None:
        return "", DEFAULT_STEPS
    try:
        choice = base_for(services, first)
    except HubUiError:
        return render("base", label="No base model for this LoRA here", line="", problem=True), DEFAULT_STEPS
    line = f"{choice.steps} steps · {choice.width} × {choice.height} · {choice.gigabytes:g} GB on disk"
    return render("base", label=choice.label, line=line, problem=False), choice.steps


def suggestion(records: Sequence[Record | None]) -> str:
    """The first prompt an example was made with, without the tags other tools read."""
    for record in records:
        for example in record.images if record else ():
            text = " ".join(_LORA_TAG.sub("", example.prompt or "").split())
            if text:
                return text[:500]
    return DEFAULT_PROMPT if records else ""


def fetch(services: Services, render: Renderer, view: View, *, ordered: bool, asked: int) -> Iterator[Any]:
    """Waits until what is to be tried is in the library; the queue brings it, whether this page stays open or not."""
    yield tuple(gr.skip() for _ in range(4))
    refs = [Ref.parse(s.ref) for s in view.stack] if ordered else []
    check_bases(services, refs)
    missing = [ref for ref in refs if services.held(ref) is None]
    if not missing:
        return
    under_way = {task.id for task in services.queue.tasks() if not task.rests}
    tasks = [services.enqueue(ref) for ref in missing]
    own = tuple(task.id for task in tasks if task.id not in under_way)
    yield pair.progress_html(render, "Asking the hub…", None), gr.update(visible=True), own, asked + 1
    try:
        for task in tasks:
            for line, fraction in followed(services.queue, task):
                yield pair.progress_html(render, line, fraction), gr.skip(), gr.skip(), gr.skip()
    except HubUiError:
        yield "", gr.update(visible=False), (), gr.skip()
        raise
    yield gr.skip(), gr.skip(), (), gr.skip()


def followed(queue: Queue, task: Task) -> Iterator[tuple[str, float | None]]:
    """How far a download is, until it is done. Raises what keeps it from being done soon."""
    while (now := queue.wait(task.id, timeout=LOOK_SECONDS)).state != "done":
        at = time.time()
        if now.state == "paused":
            raise UsageError("The download is paused. Resume it under Downloads, then press “Make the pair”.")
        if now.state == "failed" and now.error is not None:
            raise HubUiError(now.error.message, hub=now.ref.hub)
        if now.not_before is not None and now.not_before - at > PATIENCE_SECONDS:
            said = now.error.message if now.error else "The hub asks us to wait."
            raise HubUiError(f"{said} The download goes on by itself: {drawer.line(now, at).lower()}.")
        yield f"Downloading: {drawer.line(now, at)}", now.fraction


def check_bases(services: Services, refs: Sequence[Ref]) -> None:
    """Before anything is downloaded for nothing."""
    for record in filter(None, (known(services, ref) for ref in refs)):
        base_for(services, record)


def make(services: Services, render: Renderer, asked: Wish, *, ordered: bool, cache: str) -> Iterator[Any]:
    """`cache` is Gradio's folder of served files. Without `ordered` nothing was asked for."""
    if not ordered:
        yield tuple(gr.skip() for _ in range(4))
        return
    if not asked.refs:
        raise UsageError("There is no LoRA to try. Open one on the Browse page and press “Download & try”.")
    yield pair.progress_html(render, "Starting…", None), gr.skip(), gr.update(visible=True), False
    steps = stepping(
        lambda report, cancelled: services.make_pair(
            asked.refs,
            prompt=asked.prompt,
            weights=asked.weights,
            seed=asked.seed,
            steps=asked.steps,
            use_trigger_words=asked.use_trigger_words,
            report=report,
            cancelled=cancelled,
        )
    )
    try:
        check_bases(services, asked.refs)
        result: Pair = yield from _progress(render, steps)
    except HubUiError:
        yield "", gr.skip(), gr.update(visible=False), False
        raise
    yield "", pair.html(render, picture(result, asked, cache)), gr.update(visible=False), False


def _progress(render: Renderer, steps: Any) -> Any:
    while True:
        try:
            step = next(steps)
        except StopIteration as done:
            return done.value
        yield pair.progress_html(render, *step_words(step)), gr.skip(), gr.skip(), gr.skip()


def pull_words(step: Progress) -> tuple[str, float | None]:
    """A line about a download, and how far it is."""
    total = f" of {words.size(step.total)}" if step.total else ""
    return f"Downloading: {words.size(step.done)}{total}", step.fraction


def step_words(step: Progress | Step) -> tuple[str, float | None]:
    if isinstance(step, Progress):
        return pull_words(step)
    return step.stage, step.done / step.total if step.total else None


def picture(result: Pair, asked: Wish, cache: str) -> pair.Shown:
    report, image = result.report, result.with_loras.image
    weights = " + ".join(f"{weight:.2f}" for weight in asked.weights)
    return pair.Shown(
        without=served(result.without.image, cache),
        with_loras=served(image, cache),
        label=f"with, {weights}",
        proof=f"{report.applied} of {report.total} tensors applied",
        detail=(
            f"· {report.switch_seconds:.2f} s to switch · {result.with_loras.seconds:.1f} s an image "
            f"· seed {report.seed} · {report.base} on {report.device} · prompt: {words.visible(report.prompt)}"
        ),
        width=image.width,
        height=image.height,
    )


def served(image: Image, cache: str) -> str:
    """Gradio serves what lies in its cache; the address is relative, so it works behind a proxy's path too."""
    return f"gradio_api/file={save_pil_to_cache(image, cache, format='png')}"
