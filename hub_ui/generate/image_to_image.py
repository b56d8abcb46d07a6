"""Image to image: a generation that starts from the user's own image, with noise for a part of the steps."""

from typing import Any

from connectors.errors import UsageError
from hub_ui.generate.base_models import PipelineSpec
from hub_ui.generate.control import ControlImage
from hub_ui.generate.input_images import fit_image
from hub_ui.generate.pipeline_arguments import family, sibling_pipeline
from hub_ui.generate.request import GenerationRequest
from hub_ui.generate.settings import ResolvedRequest
from hub_ui.i18n import _

BASES = "Stable Diffusion 1 and 2, SDXL, Stable Diffusion 3.5, FLUX.1, Chroma, Kolors, Qwen-Image and Z-Image"


def choose_start(
    pipe: Any, spec: PipelineSpec, request: GenerationRequest, settings: ResolvedRequest, *, control: bool
) -> ControlImage:
    """diffusers' pipeline for it, of the same parts. `control`: the active LoRAs need a control image.

    Raises UsageError or PreviewError for what can't start from this image.
    """
    if request.image is None:
        raise UsageError(_("There is no image to start from. Choose one (--image FILE)."))
    if control:
        raise UsageError(_("A control LoRA can't start from an image. Leave out the LoRA or the image (--image)."))
    if family(type(pipe).__name__).edits:
        raise UsageError(
            _("{label} edits an image as it is. Give it as the control image (--control FILE).").format(
                label=spec.label
            )
        )
    if settings.run_steps < 1:
        raise UsageError(
            _("A strength of {strength:g} leaves none of {steps} steps. Take more strength or more steps.").format(
                strength=request.strength, steps=settings.steps
            )
        )
    starting = sibling_pipeline(pipe, "Img2Img", f"{spec.label} can't start from an image here. These can: {BASES}.")
    start, notes = fit_image(request.image, "image to start from", settings.width, settings.height)
    return ControlImage(pipe=starting, start=start, notes=tuple(notes))
