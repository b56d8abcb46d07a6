"""Drawing with a control image: control LoRAs look at one beside the noise, and some bases change one into another."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from PIL.Image import Image

from connectors.errors import PreviewError, UsageError
from hub_ui.generate.base_models import PipelineSpec
from hub_ui.generate.control import prepare_control_image
from hub_ui.generate.pipeline_arguments import call_names, family
from hub_ui.generate.request import GenerationRequest
from hub_ui.generate.settings import ResolvedRequest


@dataclass(frozen=True, kw_only=True, slots=True)
class ControlImage:
    """`pipe` draws with the control image; it is the base's own pipeline where there is none."""

    pipe: Any
    image: Image | None = None
    notes: tuple[str, ...] = ()


def choose_control(
    pipe: Any,
    spec: PipelineSpec,
    request: GenerationRequest,
    settings: ResolvedRequest,
    *,
    control: bool,
    cache: Path | None,
) -> ControlImage:
    """`control`: the LoRAs that are on need a control image. Raises UsageError where an image is needed and missing."""
    edits = family(type(pipe).__name__).edits
    if request.control is None and not control:
        if spec.needs_image:
            raise UsageError(f"{spec.label} changes a picture, and there is none. Choose one (--control FILE).")
        return ControlImage(pipe=pipe)
    if not control and edits:
        # What is to be changed is the image itself, not its edges.
        request = replace(request, control_kind="ready")
    elif not control and "control_image" not in call_names(pipe):
        note = "No LoRA here is steered by a picture, so the control picture was not used."
        return ControlImage(pipe=pipe, notes=(note,))
    image, notes = prepare_control_image(request, settings.width, settings.height, cache)
    return ControlImage(pipe=control_pipeline(pipe, spec) if control else pipe, image=image, notes=notes)


def control_pipeline(pipe: Any, spec: PipelineSpec) -> Any:
    """A pipeline of the same parts, with an input for a control image."""
    import diffusers

    kind = getattr(diffusers, f"{type(pipe).__name__.removesuffix('Pipeline')}ControlPipeline", None)
    if kind is None:
        raise PreviewError(
            f"{spec.label} has no input for a control picture here. Choose a base that does, for example flux.1-dev."
        )
    takes = inspect.signature(kind.__init__).parameters
    with_control = kind(**{name: part for name, part in pipe.components.items() if name in takes})
    with_control.set_progress_bar_config(disable=True)
    return with_control
