"""A job with every default filled in, and what of a job no pipeline could draw."""

from __future__ import annotations

import math
from dataclasses import dataclass

from connectors.errors import UsageError
from hub_ui.generate import base_models
from hub_ui.generate.base_models import PipelineSpec
from hub_ui.generate.comparison import MOST_CELLS, Comparison
from hub_ui.generate.request import GenerationRequest
from hub_ui.policy import Policy

# What latents of all the pipelines here can be cut into.
_GRID = 16
_LONGEST_SIDE = 4096
_MOST_STEPS = 500
_MOST_FRAMES = 257
_LARGEST_SEED = 2**63 - 1


@dataclass(frozen=True, kw_only=True, slots=True)
class ResolvedRequest:
    """What all the cells of a sheet share. `sampler` None is the base's own; `frames` 0 is a still picture."""

    negative: str
    seed: int
    steps: int
    guidance: float
    width: int
    height: int
    sampler: str | None = None
    frames: int = 0


def settings(job: GenerationRequest, choice: PipelineSpec) -> ResolvedRequest:
    return ResolvedRequest(
        negative=job.negative,
        seed=job.seed,
        steps=job.steps if job.steps is not None else choice.steps,
        guidance=job.guidance if job.guidance is not None else choice.guidance,
        width=_on_grid(job.width or choice.width),
        height=_on_grid(job.height or choice.height),
        sampler=job.sampler,
        frames=job.frames or (choice.film.frames if choice.film else 0),
    )


def resized(job: GenerationRequest, chosen: ResolvedRequest) -> tuple[str, ...]:
    """That a picture gets another size than was asked for, as a sentence."""
    asked = job.width or chosen.width, job.height or chosen.height
    drawn = chosen.width, chosen.height
    if asked == drawn:
        return ()
    return (f"Sides are multiples of {_GRID} pixels: {drawn[0]} x {drawn[1]} in place of {asked[0]} x {asked[1]}.",)


def check(job: GenerationRequest, sheet: Comparison) -> None:
    """What no pipeline could draw, or not within a lifetime."""
    if not all(math.isfinite(adapter.weight) for adapter in job.adapters):
        raise UsageError("A weight must be a number, such as 0.8.")
    if not 0 <= job.seed <= _LARGEST_SEED:
        raise UsageError(f"A seed is a whole number from 0 to {_LARGEST_SEED}.")
    if job.steps is not None and not 1 <= job.steps <= _MOST_STEPS:
        raise UsageError(f"Choose between 1 and {_MOST_STEPS} steps.")
    if max(job.width or 1, job.height or 1) > _LONGEST_SIDE or min(job.width or 1, job.height or 1) < 1:
        raise UsageError(f"A picture's sides go up to {_LONGEST_SIDE} pixels.")
    if job.guidance is not None and not 0 <= job.guidance <= 100:
        raise UsageError("Guidance is a number from 0 to 100, such as 7.")
    if job.frames is not None and not 1 <= job.frames <= _MOST_FRAMES:
        raise UsageError(f"A clip has 1 to {_MOST_FRAMES} frames.")
    _check_sheet(job, sheet)


def _check_sheet(job: GenerationRequest, sheet: Comparison) -> None:
    if not 1 <= len(sheet.cells) <= MOST_CELLS:
        raise UsageError(f"A sheet has 1 to {MOST_CELLS} pictures; this one has {len(sheet.cells)}.")
    if any(len(cell.weights) != len(job.adapters) for cell in sheet.cells):
        raise UsageError("Each picture needs one weight for each LoRA. Make the sheet again from the LoRAs chosen.")
    if not all(math.isfinite(weight) for cell in sheet.cells for weight in cell.weights):
        raise UsageError("A weight must be a number, such as 0.8.")


def _on_grid(side: int) -> int:
    return max(_GRID, side - side % _GRID)


def check_policy(policy: Policy, place: str, job: GenerationRequest, *, images: int) -> None:
    """Raises UsageError for what the policy does not allow, and for more than its bounds."""
    if place == "replicate":
        policy.check("run on Replicate")
    check_base(policy, job.base)
    sides = [side for side in (job.width, job.height) if side]
    policy.check_bounds(
        loras=len(job.adapters), images=images, steps=job.steps, side=max(sides, default=0), frames=job.frames
    )


def check_base(policy: Policy, asked: str | None) -> None:
    """No stranger may look at folders of this computer, or fill its disk."""
    if asked and base_models.by_id(asked.lower()) is None:
        policy.check("open paths")
