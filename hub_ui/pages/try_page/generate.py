"""From the filled form to pictures on the page: the sheet that is asked for, and progress on the way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from connectors.errors import HubUiError, NeedsFetching, UsageError
from connectors.ref import Ref
from hub_ui.generate import comparison
from hub_ui.generate.comparison import Comparison, SheetKind
from hub_ui.generate.request import GenerationRequest, Step
from hub_ui.library.download.progress import Progress
from hub_ui.pages.try_page import download_first, image_files
from hub_ui.pages.try_page.form import USUAL_WEIGHTS, Filled
from hub_ui.pages.try_page.generations import Generations, Subject
from hub_ui.pages.try_page.settings import TrySettings
from hub_ui.pages.view import View
from hub_ui.services import Services
from hub_ui.widgets import format, result, try_form
from hub_ui.widgets import result as widgets_result
from hub_ui.widgets.render import Renderer

SAME = gr.skip()
# Loading a base says nothing for a while.
BEAT_SECONDS = 0.4
STOPPED = "Stopped. Nothing was changed."
DOWNLOAD_KEPT = "Stopped. What has come of the download is kept."


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is to be made, and whether a base of gigabytes may be fetched for it."""

    view: View
    filled: Filled
    may_fetch: bool = False

    @property
    def refs(self) -> tuple[Ref, ...]:
        return tuple(Ref.parse(s.ref) for s in self.view.stack)

    @property
    def weights(self) -> tuple[float, ...]:
        return tuple(s.weight for s in self.view.stack)

    @property
    def wish(self) -> TrySettings:
        return self.filled.wish

    @property
    def subject(self) -> str:
        """What somebody who agrees to a download agrees to."""
        return subject(self.view, self.wish.base)


def outputs(
    *,
    progress: Any = SAME,
    result: Any = SAME,
    kept: Any = SAME,
    question: Any = SAME,
    running: bool | None = None,
    generation: Any = SAME,
    asked: int | None = None,
    taken: bool = False,
) -> tuple[Any, ...]:
    """A step for the page, in the order of `TryPage.made`. `running` shows the Stop button or hides it.

    `taken`: an order is carried out now, and is none any more.
    """
    stop = SAME if running is None else gr.update(visible=running)
    order = False if taken else SAME
    return progress, result, kept, question, stop, order, generation, SAME if asked is None else asked


def subject(view: View, base: str | None) -> str:
    return " ".join((str(base or "").strip(), *(s.ref for s in view.stack)))


def make(
    services: Services,
    render: Renderer,
    generations: Generations,
    order: Order,
    *,
    asked: int,
    cache: str,
    page: str = "",
) -> Iterator[Any]:
    """Steps of `outputs`. What is made goes on when the page is closed; its id leads back to it (see `resume`).

    `cache`: Gradio's served folder. `asked` counts what was put into the queue of downloads. `page` is its session.
    """
    if not order.refs:
        raise UsageError("There is no LoRA to try. Open one on the Browse page and press “Download & try”.")
    yield outputs(
        progress=widgets_result.progress_html(render, "Starting…", None), question="", running=True, taken=True
    )
    fetches = download_first.Fetches()
    if order.wish.place == "local":
        download_first.check_bases(services, order.refs, order.wish.base)
        fetches = download_first.enqueue(services, order.refs)
    subject = Subject(
        kind=order.wish.sheet,
        refs=tuple(map(str, order.refs)),
        downloads=fetches.own,
        waits_for=tuple(task.id for task in fetches.tasks),
    )
    id_ = generations.start(subject, partial(_made, services, order, fetches, cache), page=page)
    if fetches.tasks:
        yield outputs(asked=asked + 1)
    yield from _followed(render, generations, id_, order.subject)


def resume(render: Renderer, generations: Generations, view: View, id_: str) -> Iterator[Any]:
    """What this tab was at before it was loaded again: running or done, if it is about what the address names."""
    found = generations.find(id_)
    if found is None or not is_about(found.kind, found.refs, view):
        yield outputs(taken=True)
        return
    yield outputs(taken=True)
    yield from _followed(render, generations, id_, subject(view, view.wish.base))


def is_about(kind: SheetKind, refs: Iterable[str], view: View) -> bool:
    """Whether pictures are about what is looked at: the kind of comparison, and one of the LoRAs at least."""
    mine, now = loras(refs), loras(s.ref for s in view.stack)
    shown = "pair" if kind == "one" else kind
    return shown == view.wish.sheet and (not mine or not now or not mine.isdisjoint(now))


def loras(refs: Iterable[str]) -> frozenset[Ref]:
    """Whichever version and file of them."""
    return frozenset(Ref.parse(ref).lora for ref in refs)


def _followed(render: Renderer, generations: Generations, id_: str, subject: str) -> Iterator[Any]:
    """Each step says all of it again: of steps that come quickly, Gradio's page (6.31) takes over only the last."""
    running = partial(outputs, question="", running=True, generation=id_)
    line = widgets_result.progress_html(render, "Starting…", None)
    try:
        for step in generations.follow(id_, beat=BEAT_SECONDS):
            if isinstance(step, result.Result):
                made = result.result_html(render, step)
                yield outputs(progress="", result=made, kept=step, question="", running=False, generation=id_)
                return
            line = line if step is None else step_html(render, step)
            yield running(progress=line)
    except NeedsFetching as need:
        question = try_form.fetching_html(render, needed(need, subject))
        yield outputs(progress="", question=question, running=False, generation="")
        return
    yield outputs(progress=render("said", text=STOPPED), running=False, generation="")


def stopped(services: Services, render: Renderer, generations: Generations, id_: str) -> tuple[Any, ...]:
    """The downloads that were started for it end, unless somebody else waits for them; those of others go on."""
    found = generations.stop(id_)
    alone = [task for task in found.downloads if not generations.is_awaited(task)] if found else []
    # What has come is kept for whoever can take it up again.
    may_resume = services.policy.allows("pull")
    for task in alone:
        services.queue.pause(task) if may_resume else services.queue.cancel(task)
    said = DOWNLOAD_KEPT if alone and may_resume else STOPPED
    return outputs(progress=render("said", text=said), question="", running=False, generation="", taken=True)


def ending(steps: Iterator[Any]) -> Iterator[Any]:
    """A failure leaves no progress, no question and no Stop button behind."""
    try:
        yield from steps
    except HubUiError:
        yield outputs(progress="", question="", running=False, generation="", taken=True)
        raise


def _made(
    services: Services, order: Order, fetches: download_first.Fetches, cache: str, report: Any, is_cancelled: Any
) -> result.Result:
    """In the generation's own thread."""
    download_first.wait_for(services.queue, fetches, report, is_cancelled)
    fields = {**job_fields(order.filled), "may_fetch": order.may_fetch}
    if order.wish.place == "replicate":
        job = services.planned(order.refs, order.weights, **fields)
    else:
        job = services.job(order.refs, order.weights, report=report, cancelled=is_cancelled, **fields)
    sheet = sheet_of(order.wish, job)
    made = services.make(job, sheet, place=order.wish.place, report=report, cancelled=is_cancelled)
    return image_files.result_of(made, cache)


def estimate(services: Services, order: Order) -> str:
    """How long it will take, and what it costs where it runs for money."""
    job = services.planned(order.refs, order.weights, **job_fields(order.filled))
    return services.estimate(job, sheet_of(order.wish, job), place=order.wish.place)


def job_fields(filled: Filled) -> dict[str, Any]:
    wish = filled.wish
    return {
        "prompt": wish.prompt,
        "negative": wish.negative,
        "seed": wish.seed or 0,
        "steps": wish.steps,
        "guidance": wish.guidance,
        "width": wish.size[0] if wish.size else None,
        "height": wish.size[1] if wish.size else None,
        "base": wish.base or None,
        "sampler": wish.sampler or None,
        "use_trigger_words": wish.use_trigger_words,
        "control": Path(filled.control) if filled.control else None,
        "control_kind": filled.control_kind,
    }


def sheet_of(wish: TrySettings, job: GenerationRequest) -> Comparison:
    """Raises UsageError where the LoRAs at hand can't be compared so."""
    weights = wish.weights or USUAL_WEIGHTS.get(wish.sheet, ())
    varied = min(wish.varied, max(0, len(comparison.places(job)) - 1))
    return comparison.of_kind(wish.sheet, job, (job.prompt, *wish.prompts), weights, varied)


def step_html(render: Renderer, step: Progress | Step | download_first.Wait) -> str:
    text, fraction = step_words(step)
    if not isinstance(step, Step):
        return widgets_result.progress_html(render, text, fraction)
    left = f"about {format.duration(step.seconds_left)} left" if step.seconds_left is not None else ""
    look = image_files.inline(step.preview) if step.preview is not None else ""
    return widgets_result.progress_html(render, text, fraction, preview=look, left=left)


def step_words(step: Progress | Step | download_first.Wait) -> tuple[str, float | None]:
    if isinstance(step, download_first.Wait):
        return step.text, step.fraction
    if isinstance(step, Progress):
        return pull_words(step)
    return step.stage, step.done / step.total if step.total else None


def pull_words(step: Progress) -> tuple[str, float | None]:
    """A line about a download, and how far it is."""
    total = f" of {format.size(step.total)}" if step.total else ""
    return f"Downloading: {format.size(step.done)}{total}", step.fraction


def needed(need: NeedsFetching, subject: str) -> try_form.Need:
    return try_form.Need(
        subject=subject,
        label=need.label,
        repo=need.repo,
        size=format.size(need.bytes),
        license=need.license or "named on its page",
        free=format.size(need.free),
        link=f"https://huggingface.co/{need.repo}",
    )
