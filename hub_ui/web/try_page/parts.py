"""The values of the Compare page's templates: the form, and the stage with what is made or was made."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qsl

from connectors.errors import HubUiError, NeedsFetching, UsageError
from hub_ui import format
from hub_ui.generate import samplers
from hub_ui.generate.backend import DeferredBackend
from hub_ui.generate.comparison import ComparisonKind
from hub_ui.generate.request import Step
from hub_ui.i18n import N_, _
from hub_ui.jobs.jobs import Failed, JobState
from hub_ui.services import Services
from hub_ui.web.try_page import compare, image_files
from hub_ui.web.try_page.form import CONTROL_KINDS, QUALITIES, RULES, Filled, FormValues, PageState, fill
from hub_ui.web.try_page.generate import Generator, TryOrder, download_subject, is_about, loras, progress_text
from hub_ui.web.try_page.image_files import read_original
from hub_ui.web.try_page.result import EMPTY, SEVERAL, Result
from hub_ui.web.view import MOST_LORAS, View

logger = logging.getLogger(__name__)
# One tab for each kind of comparison, and what its button says.
TABS: tuple[tuple[ComparisonKind, str, str], ...] = (
    ("pair", N_("With and without"), N_("Make the pair")),
    ("strip", N_("Weights"), N_("Make the weights")),
    ("both", N_("LoRAs"), N_("Make all four")),
    ("grid", N_("Prompts"), N_("Make the grid")),
    ("trigger", N_("Trigger words"), N_("Make the pair")),
)
TWO_LORAS = N_("Two LoRAs are compared here: add another one.")
EXPERT = ("negative", "cfg", "sampler", "clip", "blocks")
# Images are shown at most so many times their size.
LARGEST_SCALE = 3
Mode = Literal["empty", "waiting", "question", "failed", "done"]


@dataclass(frozen=True, kw_only=True)
class TryParts:
    """`uploaded` gives the file of an upload by its name, `history` the pane beside the stage."""

    services: Services
    generator: Generator
    uploaded: Callable[[str], Path]
    history: Callable[[PageState], str]

    def all(self, state: PageState, *, asks: bool = False, waits: bool = True) -> dict[str, Any]:
        """`waits`: for an estimate too; otherwise it is asked for once the page is there."""
        filled = fill(self.services, state, asks=asks)
        form = self.form(state, filled, waits=waits or self.knows_price)
        return {**form, **self.stage(state, filled), "history": self.history(state)}

    def form(self, state: PageState, filled: Filled, *, waits: bool = True) -> dict[str, Any]:
        text, is_problem = self.estimate(state) if waits else ("", False)
        texts = filled.texts
        return {
            "state": state,
            "view": state.view,
            "address": state.to_address(),
            "settings": state.settings,
            "filled": filled,
            "texts": texts,
            "problems": {**dict.fromkeys(("lora", *RULES), ""), **state.problems},
            "most": MOST_LORAS,
            "samplers": samplers.names(),
            "qualities": QUALITIES,
            "control_kinds": CONTROL_KINDS,
            # What the Browse page shows stays.
            "search": [p for p in parse_qsl(View(query=state.view.query).to_address()) if p[0] != "view"],
            "make": next(_(make) for kind, _label, make in TABS if kind == state.settings.sheet),
            "estimate": text,
            "asks_price": not waits and bool(state.view.stack),
            "estimate_problem": is_problem,
            "is_expert": bool(set(EXPERT) & set(state.problems)) or state.settings.quality != "balanced",
            "suggested": filled.usual and ", ".join(f"{weight:g}" for weight in filled.usual),
        }

    @property
    def knows_price(self) -> bool:
        """Whether an estimate comes at once. The first one of a start imports torch, which takes seconds."""
        local = self.services.generation.local
        return not isinstance(local, DeferredBackend) or local.is_built

    def estimate(self, state: PageState) -> tuple[str, bool]:
        """The expected time and price, or what is wrong; empty while neither is known."""
        if not state.view.stack or state.problems:
            return next(iter(state.problems.values()), ""), bool(state.problems)
        try:
            return self.generator.estimate(self.order(state)), False
        except UsageError as error:
            return error.message, True
        # Such as an upload that is gone, which is said when it is needed.
        except HubUiError:
            return "", False

    def order(self, state: PageState, *, may_fetch: bool = False) -> TryOrder:
        """Raises UsageError for a field that is wrong, NotFound for an upload that is gone."""
        state.check()
        filled = FormValues(
            settings=state.settings,
            control=str(self.uploaded(state.control)) if state.control else None,
            control_kind=state.control_kind,
            image=str(self.uploaded(state.image)) if state.image else None,
        )
        again = state.again
        original = read_original(self.uploaded(again), f"uploaded?name={again}") if again else None
        return TryOrder(view=state.view, filled=filled, may_fetch=may_fetch, original=original)

    def stage(self, state: PageState, filled: Filled | None = None) -> dict[str, Any]:
        """What the job of the address has come to."""
        job = self.generator.jobs.find(state.job) if state.job else None
        if job is not None and not is_about(job.subject.name, job.subject.refs, state.view):
            job = None
        kind, several = state.settings.sheet, len(state.view.stack) > 1
        empty = (SEVERAL if several else {}).get(kind, EMPTY[kind])
        around = {
            "tabs": [(kind, _(label), kind == "both" and not several) for kind, label, _make in TABS],
            "two_loras": _(TWO_LORAS),
            "sheet": kind,
            "state": state,
            "address": state.to_address(),
            "empty_text": _(empty) if state.view.stack else _("Add a LoRA to see what it does."),
            "gone": bool(state.job) and job is None,
        }
        return {**around, **self.stage_values(state, job, filled)}

    def stage_values(self, state: PageState, job: JobState | None, filled: Filled | None = None) -> dict[str, Any]:
        if job is None:
            return {"mode": "empty"}
        if isinstance(job.outcome, Failed):
            return self.failure(state, job.outcome.error)
        if isinstance(job.result, Result):
            return {"mode": "done", **self.result(state, job.result)}
        return self.waiting(state, job.step, filled)

    def waiting(self, state: PageState, step: Any, filled: Filled | None = None) -> dict[str, Any]:
        """`box` is the size of the images, so that they come where they will stay."""
        text, fraction = progress_text(step) if step is not None else (_("Starting…"), None)
        is_step = isinstance(step, Step)
        left = step.seconds_left if is_step else None
        size = state.settings.size or (form_size(filled) if filled else None) or (512, 512)
        return {
            "mode": "waiting",
            "text": text,
            "percent": None if fraction is None else round(100 * fraction, 1),
            "left": "" if left is None else _("about {time} left").format(time=format.duration(left)),
            "look": image_files.data_url(step.preview) if is_step and step.preview is not None else "",
            "box": frame(*size),
        }

    def failure(self, state: PageState, error: BaseException) -> dict[str, Any]:
        if isinstance(error, NeedsFetching):
            subject = download_subject(state.view, state.settings.base)
            return {"mode": "question", "need": error, "subject": subject}
        if not isinstance(error, HubUiError):
            logger.error("A generation failed.", exc_info=error)
            return {"mode": "failed", "text": _("Something went wrong here. The log has the details; try again.")}
        return {"mode": "failed", "text": error.message}

    def result(self, state: PageState, result: Result) -> dict[str, Any]:
        shown = result if state.shown is None else result.showing(state.shown)
        if shown.split:
            shown = compare.with_differences(shown, self.generator.images)
        return {"r": shown, "box": frame(shown.width, shown.height)}


def form_size(filled: Filled) -> tuple[int, int] | None:
    """That of the form's field, where it is one."""
    width, _sign, height = filled.texts["size"].partition(" × ")
    return (int(width), int(height)) if width.isdigit() and height.isdigit() else None


def frame(width: int, height: int) -> tuple[int, int]:
    """The largest size that an image of these pixels is shown at."""
    scale = LARGEST_SCALE if max(width, height) * LARGEST_SCALE <= 2048 else 2048 / max(width, height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def with_weight_of_shown(state: PageState, result: Result | None) -> PageState:
    """The varied LoRA's weight becomes that of the image on the stage, if the LoRA is still there."""
    if result is None or state.shown is None:
        return state
    shown = result.showing(state.shown)
    weight, varied = shown.right_tile.weight, loras(shown.refs[shown.varied : shown.varied + 1])
    # A weight sweep of a removed LoRA says nothing about the weight of the next one.
    mine = next((s for s in state.view.stack if loras([s.ref]) == varied), None)
    if mine is None or weight is None:
        return state
    return replace(state, view=state.view.with_weight(mine.ref, weight))
