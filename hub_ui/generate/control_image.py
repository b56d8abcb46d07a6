"""Drawing by a picture: control LoRAs look at one beside the noise, and some bases change one into another."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from PIL.Image import Image

from connectors.errors import PreviewError, UsageError
from hub_ui.generate.base_models import PipelineSpec
from hub_ui.generate.control import control_picture
from hub_ui.generate.pipeline_arguments import family, known
from hub_ui.generate.request import GenerationRequest
from hub_ui.generate.settings import ResolvedRequest

_UNUSED = "No LoRA here is steered by a picture, so the control picture was not used."


@dataclass(frozen=True, kw_only=True, slots=True)
class ControlImage:
    """`pipe` is what draws with the picture; the base's own pipeline where there is none."""

    pipe: Any
    picture: Image | None = None
    notes: tuple[str, ...] = ()


def steer(
    pipe: Any,
    choice: PipelineSpec,
    job: GenerationRequest,
    chosen: ResolvedRequest,
    *,
    control: bool,
    cache: Path | None,
) -> ControlImage:
    """`control`: the LoRAs that are on have widened the network's input for a picture.

    Raises UsageError where a picture is needed and there is none.
    """
    if control:
        picture, notes = control_picture(job, chosen.width, chosen.height, cache)
        return ControlImage(pipe=_with_control(pipe, choice), picture=picture, notes=notes)
    if job.control is None:
        if choice.needs_image:
            raise UsageError(f"{choice.label} changes a picture, and there is none. Choose one (--control FILE).")
        return ControlImage(pipe=pipe)
    edits = family(type(pipe).__name__).edits
    if not edits and "control_image" not in known(pipe):
        return ControlImage(pipe=pipe, notes=(_UNUSED,))
    # What is to be changed is the picture itself, not its edges.
    asked = replace(job, control_kind="ready") if edits else job
    picture, notes = control_picture(asked, chosen.width, chosen.height, cache)
    return ControlImage(pipe=pipe, picture=picture, notes=notes)


def _with_control(pipe: Any, choice: PipelineSpec) -> Any:
    """A pipeline of the same parts, with an input for the picture."""
    import diffusers

    name = type(pipe).__name__.removesuffix("Pipeline")
    kind = getattr(diffusers, f"{name}ControlPipeline", None)
    if kind is None:
        raise PreviewError(
            f"{choice.label} has no input for a control picture here. Choose a base that does, for example flux.1-dev."
        )
    takes = inspect.signature(kind.__init__).parameters
    made = kind(**{part: value for part, value in pipe.components.items() if part in takes})
    made.set_progress_bar_config(disable=True)
    return made
