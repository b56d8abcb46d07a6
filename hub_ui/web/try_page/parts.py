"""The values of the Compare page's templates: the form, and the stage with what is made or was made."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from connectors.errors import HubUiError, NeedsFetching, UsageError
from hub_ui import format
from hub_ui.generate.backend import DeferredBackend
from hub_ui.generate.request import Step
from hub_ui.generate.try_fields import MOST_LORAS, TRY_FIELDS, TryField
from hub_ui.i18n import _
from hub_ui.jobs.jobs import Failed, Stopped
from hub_ui.services import Services
from hub_ui.web.try_page import result
from hub_ui.web.try_page.form import CHECKED, CONTROL_KINDS, Filled, PageState, fill
from hub_ui.web.try_page.generate import Generator, TryOrder, download_subject, is_about, loras, progress_text
from hub_ui.web.try_page.result import Result
from hub_ui.web.view import View

logger = logging.getLogger(__name__)
# The groups of the form, each with its fields.
SECTIONS = {place: [row for row in TRY_FIELDS if row.place == place] for place in ("numbers", "images", "expert")}
# Images are shown at most so many times their size, and so many pixels wide.
LARGEST_SCALE, LARGEST_SIDE = 3, 2048


@dataclass(frozen=True, kw_only=True)
class TryParts:
    """`uploaded` gives the file of an upload by its name, `history` the pane beside the stage."""

    services: Services
    generator: Generator
    uploaded: Callable[[str], Path]
    history: Callable[[], str]

    def values(self, state: PageState, *, asks: bool = False, waits: bool = True) -> dict[str, Any]:
        """`waits`: for an estimate too; otherwise it is asked for once the page is there."""
        filled = fill(self.services, state, asks=asks)
        form = self.form(state, filled, waits=waits or self.knows_price)
        return {**form, **self.stage(state, filled), "history": self.history}

    def form(self, state: PageState, filled: Filled, *, waits: bool) -> dict[str, Any]:
        estimate, is_problem = self.estimate(state) if waits else ("", False)
        return {
            "state": state,
            "view": state.view,
            "settings": state.settings,
            "filled": filled,
            "texts": filled.texts,
            # Each field has a place for what is wrong with it, which is emptied again.
            "problems": {**dict.fromkeys(("lora", *CHECKED), ""), **state.problems},
            "sections": SECTIONS,
            "most": MOST_LORAS,
            "control_kinds": CONTROL_KINDS,
            # What the Browse page shows stays.
            "search": parse_qsl(View(query=state.view.query).to_address()),
            "estimate": estimate,
            "estimate_problem": is_problem,
            "asks_price": not waits and bool(state.view.stack),
            "is_expert": any(row.name in state.problems or is_other_choice(row, state) for row in SECTIONS["expert"]),
        }

    @property
    def knows_price(self) -> bool:
        """Whether an estimate comes at once. The first one of a start imports torch, which takes seconds."""
        local = self.services.generation.local
        return not isinstance(local, DeferredBackend) or local.is_built

    def estimate(self, state: PageState) -> tuple[str, bool]:
        """The expected time and price, or what is wrong; empty while neither is known."""
        try:
            return (self.generator.estimate(self.order(state)) if state.view.stack else ""), False
        except UsageError as error:
            return error.message, True
        # Such as an upload that is gone, which is said when it is needed.
        except HubUiError:
            return "", False

    def order(self, state: PageState, *, may_fetch: bool = False) -> TryOrder:
        """Raises UsageError for a field that is wrong, NotFound for an upload that is gone."""
        state.check()
        again = state.again
        return TryOrder(
            view=View(page="try", stack=state.view.stack, settings=state.settings),
            control=self.uploaded(state.control) if state.control else None,
            control_kind=state.control_kind,
            image=self.uploaded(state.image) if state.image else None,
            may_fetch=may_fetch,
            original=result.read_original(self.uploaded(again), f"uploaded?name={again}") if again else None,
        )

    def stage(self, state: PageState, filled: Filled) -> dict[str, Any]:
        """What the job of the address has come to."""
        job = self.generator.jobs.find(state.job)
        if job is None or not is_about(job.subject.name, job.subject.refs, state.view):
            return {"mode": "empty", "gone": bool(state.job)}
        step = job.outcome if isinstance(job.outcome, Failed) else job.result or job.step
        return self.step(state, step, filled)

    def step(self, state: PageState, step: Any, filled: Filled) -> dict[str, Any]:
        """The stage at a step of its job, the last one too. `box` is the size that the images are shown at."""
        if isinstance(step, Failed):
            return failure(state, step.error)
        if isinstance(step, Stopped):
            return {"mode": "failed", "text": step.text}
        if isinstance(step, Result):
            return {"mode": "done", "r": step.showing(state.shown), "box": frame(step.width, step.height)}
        text, fraction = progress_text(step) if step is not None else (_("Starting…"), None)
        left, preview = (step.seconds_left, step.preview) if isinstance(step, Step) else (None, None)
        return {
            "mode": "waiting",
            "text": text,
            "percent": None if fraction is None else 100 * fraction,
            "left": "" if left is None else _("about {time} left").format(time=format.duration(left)),
            "look": "" if preview is None else result.data_url(preview),
            "box": frame(*(filled.settings.size or (512, 512))),
        }


def is_other_choice(row: TryField, state: PageState) -> bool:
    """Whether something else than usual is chosen of a few."""
    return bool(row.choices) and getattr(state.settings, row.attribute) != row.default


def failure(state: PageState, error: BaseException) -> dict[str, Any]:
    if isinstance(error, NeedsFetching):
        return {"mode": "question", "need": error, "subject": download_subject(state.view)}
    if isinstance(error, HubUiError):
        return {"mode": "failed", "text": error.message}
    logger.error("A generation failed.", exc_info=error)
    return {"mode": "failed", "text": _("Something went wrong here. The log has the details; try again.")}


def frame(width: int, height: int) -> tuple[int, int]:
    """The largest size that an image of these pixels is shown at."""
    scale = min(LARGEST_SCALE, LARGEST_SIDE / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def with_weight_of_shown(state: PageState, result: Result) -> PageState:
    """The varied LoRA's weight becomes that of the image on the stage, if the LoRA is still there."""
    weight, varied = result.showing(state.shown).right_tile.weight, loras(result.refs[result.varied :][:1])
    # A weight sweep of a removed LoRA says nothing about the weight of the next one.
    mine = next((s for s in state.view.stack if loras([s.ref]) == varied), None)
    if mine is None or weight is None or state.shown is None:
        return state
    return replace(state, view=state.view.with_weight(mine.ref, weight))
