"""From the filled form to pictures on the page: the sheet that is asked for, and progress on the way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from connectors.errors import HubUiError, NeedsFetching, UsageError
from connectors.ref import Ref
from hub_ui.library.progress import Progress
from hub_ui.pages import showing
from hub_ui.pages.bringing import check_bases
from hub_ui.pages.edge import stepping
from hub_ui.pages.form import Filled
from hub_ui.pages.view import View
from hub_ui.pages.wish import Wish
from hub_ui.preview import sheets
from hub_ui.preview.job import Job, Made, Step
from hub_ui.preview.sheets import Sheet
from hub_ui.services import Services
from hub_ui.widgets import fetching, progress, result, words
from hub_ui.widgets.render import Renderer

GRID = (0.0, 0.5, 1.0)
STEPS = 6
# Loading a base says nothing for a while.
BEAT_SECONDS = 0.4
NOTHING: tuple[Any, ...] = (gr.skip(),) * STEPS
OVER: tuple[Any, ...] = ("", gr.skip(), gr.skip(), "", gr.update(visible=False), False)


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
    def wish(self) -> Wish:
        return self.filled.wish

    @property
    def subject(self) -> str:
        """What somebody who agrees to a download agrees to."""
        return subject(self.view, self.wish.base)


def subject(view: View, base: str | None) -> str:
    return " ".join((str(base or "").strip(), *(s.ref for s in view.stack)))


def make(services: Services, render: Renderer, order: Order, *, cache: str) -> Iterator[Any]:
    """Steps of (progress, result, result kept, question, stop button, ordered). `cache`: Gradio's served folder."""
    if not order.refs:
        raise UsageError("There is no LoRA to try. Open one on the Browse page and press “Download & try”.")
    yield progress.html(render, "Starting…", None), gr.skip(), gr.skip(), "", gr.update(visible=True), False
    steps = stepping(lambda report, cancelled: _made(services, order, report, cancelled), beat=BEAT_SECONDS)
    try:
        if order.wish.place == "local":
            check_bases(services, order.refs, order.wish.base)
        made: Made = yield from _told(render, steps)
    except NeedsFetching as need:
        question = fetching.html(render, needed(need, order.subject))
        yield "", gr.skip(), gr.skip(), question, gr.update(visible=False), False
        return
    shown = showing.result_of(made, cache)
    yield "", result.html(render, shown), shown, "", gr.update(visible=False), False


def ending(steps: Iterator[Any]) -> Iterator[Any]:
    """A failure leaves no progress, no question and no Stop button behind."""
    try:
        yield from steps
    except HubUiError:
        yield OVER
        raise


def _made(services: Services, order: Order, report: Any, cancelled: Any) -> Made:
    fields = {**job_fields(order.filled), "may_fetch": order.may_fetch}
    if order.wish.place == "replicate":
        job = services.planned(order.refs, order.weights, **fields)
    else:
        job = services.job(order.refs, order.weights, report=report, cancelled=cancelled, **fields)
    return services.make(job, sheet_of(order.wish, job), place=order.wish.place, report=report, cancelled=cancelled)


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


def sheet_of(wish: Wish, job: Job) -> Sheet:
    """Raises UsageError where the LoRAs at hand can't be compared so."""
    weights = GRID if wish.sheet == "grid" else sheets.USUAL_STRIP
    return sheets.of_kind(wish.sheet, job, (job.prompt, *wish.prompts), weights)


def _told(render: Renderer, steps: Any) -> Any:
    """Returns what the last step made. A step of None is no news."""
    while True:
        try:
            step = next(steps)
        except StopIteration as done:
            return done.value
        yield NOTHING if step is None else (step_html(render, step), *NOTHING[1:])


def step_html(render: Renderer, step: Progress | Step) -> str:
    text, fraction = step_words(step)
    if isinstance(step, Progress):
        return progress.html(render, text, fraction)
    left = f"about {words.duration(step.seconds_left)} left" if step.seconds_left is not None else ""
    look = showing.inline(step.preview) if step.preview is not None else ""
    return progress.html(render, text, fraction, preview=look, left=left)


def step_words(step: Progress | Step) -> tuple[str, float | None]:
    if isinstance(step, Progress):
        return pull_words(step)
    return step.stage, step.done / step.total if step.total else None


def pull_words(step: Progress) -> tuple[str, float | None]:
    """A line about a download, and how far it is."""
    total = f" of {words.size(step.total)}" if step.total else ""
    return f"Downloading: {words.size(step.done)}{total}", step.fraction


def needed(need: NeedsFetching, subject: str) -> fetching.Need:
    return fetching.Need(
        subject=subject,
        label=need.label,
        repo=need.repo,
        size=words.size(need.bytes),
        license=need.license or "named on its page",
        free=words.size(need.free),
        link=f"https://huggingface.co/{need.repo}",
    )
