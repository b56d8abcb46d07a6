"""The arguments and outputs of each family of pipelines."""

import inspect
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from PIL.Image import Image

from hub_ui.generate.settings import ResolvedRequest


@dataclass(frozen=True, kw_only=True, slots=True)
class Family:
    """The pipelines whose class name begins with `name`.

    `guidance` is the name of the argument for guidance. `blank` replaces a missing negative prompt. `padded` families
    have embeddings of one length, so different prompts can share a batch without changing the images. `lists`: the call
    takes several prompts. `edits`: it can take an image to change. `emphasis`: all text encoders are CLIPs, which read
    75 tokens at once, and whose embeddings A1111's emphasis multiplies.

    `embedded`: the guidance is an input of the network. In other families, a guidance above `unguided` runs the network
    a second time in each step. `more_runs` are further runs per step, for other kinds of guidance that the pipeline
    uses by default. `distils`: guidance is ignored if the pipeline's config says `is_distilled`.
    """

    name: str
    guidance: str = "guidance_scale"
    embedded: bool = False
    unguided: float = 1.0
    more_runs: int = 0
    distils: bool = False
    blank: str | None = None
    padded: bool = False
    lists: bool = True
    edits: bool = False
    emphasis: bool = False

    def has_negative_run(self, guidance: float) -> bool:
        """Return whether the network runs a second time in each step, for the negative prompt."""
        return not self.embedded and guidance > self.unguided

    def runs(self, guidance: float) -> int:
        """Return how often the network runs in one step."""
        return 1 + self.has_negative_run(guidance) + self.more_runs


_FILE = tomllib.loads(Path(__file__).with_name("families.toml").read_text(encoding="utf-8"))
FAMILIES = msgspec.convert(_FILE["family"], tuple[Family, ...])
# Keep the requested size instead of the nearest of a list, and keep the prompt. Cleaning prompts needs more packages.
_FIXED = {"use_resolution_binning": False, "_auto_resize": False, "clean_caption": False, "use_pe": False}


def family(pipeline: str) -> Family:
    """Return the family of a pipeline, by the name of its class."""
    return next(family for family in FAMILIES if pipeline.startswith(family.name))


def is_modular(pipe: Any) -> bool:
    """Return whether a pipeline consists of diffusers' modular blocks.

    A guider holds the guidance of such a pipeline, and its call names its output.
    """
    return hasattr(pipe, "blocks") and hasattr(pipe, "load_components")


def call_names(pipe: Any) -> frozenset[str]:
    """Return the names of the call's arguments."""
    if is_modular(pipe):
        return frozenset(argument.name for argument in pipe.blocks.inputs if argument.name)
    return frozenset(inspect.signature(type(pipe).__call__).parameters)


def call_arguments(
    pipe: Any,
    settings: ResolvedRequest,
    prompts: Sequence[str],
    control: Image | None = None,
    start: Image | None = None,
) -> dict[str, Any]:
    """Build the arguments of the pipeline's call for these settings, for one prompt or several.

    `start` is the image to start from, in the size of the result.
    """
    kind, names = family(type(pipe).__name__), call_names(pipe)
    if hasattr(pipe, "resolutions"):
        # Kandinsky 5 chooses the nearest size from this list.
        pipe.resolutions = [(settings.width, settings.height)]
    negative = settings.negative or kind.blank
    negatives = [negative] * len(prompts) if negative is not None else [None]
    wanted: dict[str, Any] = {
        # Pass a single prompt as a string, as most scripts do.
        "prompt": list(prompts) if len(prompts) > 1 else prompts[0],
        "negative_prompt": negatives if len(negatives) > 1 else negatives[0],
        "num_inference_steps": settings.steps,
        kind.guidance: settings.guidance,
        # Ideogram 4 lowers the guidance of the last three steps by default.
        "guidance_schedule": [
            settings.guidance if step < settings.steps - 3 else min(settings.guidance, 3.0)
            for step in range(settings.steps)
        ],
        "width": settings.width,
        "height": settings.height,
        # Kontext takes the size from this value, and only the aspect ratio from width and height.
        "max_area": settings.width * settings.height,
        "num_frames": settings.frames or None,
        "control_image": control,
        # The pipeline needs as many images as prompts.
        "image": control if kind.edits else [start] * len(prompts) if start is not None and kind.lists else start,
        "strength": settings.strength,
        # Videos would be arrays by default.
        "output_type": "pil",
        **_FIXED,
    }
    return {name: value for name, value in wanted.items() if name in names and value is not None}


def guiders(pipe: Any) -> list[Any]:
    """Return the parts that hold the guidance of pipelines whose call has no argument for it.

    HunyuanImage has a second guider for prompts with lettering.
    """
    parts = (getattr(pipe, name, None) for name in ("guider", "ocr_guider"))
    return [part for part in parts if hasattr(part, "guidance_scale")]


def unused_notes(pipe: Any, settings: ResolvedRequest) -> list[str]:
    """Return notes on settings that this pipeline ignores."""
    kind, names, notes = family(type(pipe).__name__), call_names(pipe), []
    # Pipelines with both kinds of guidance use a negative prompt only if the true guidance is above 1.
    unused = kind.guidance == "guidance_scale" and {"guidance_scale", "true_cfg_scale"} <= names
    if settings.negative and (unused or "negative_prompt" not in names):
        notes.append("This base does not use a negative prompt; it was left out.")
    elif settings.negative and not kind.has_negative_run(settings.guidance):
        notes.append(f"A negative prompt has no effect with a guidance of {settings.guidance:g}; it was left out.")
    # 0 and 1 mean no guidance.
    if settings.guidance > 1 and not _takes_guidance(pipe, kind):
        notes.append(f"This base takes no guidance; the {settings.guidance:g} was left out.")
    # After the step `start`, HunyuanImage uses adaptive projected guidance instead.
    starts = [getattr(guider, "adaptive_projected_guidance_start_step", None) for guider in guiders(pipe)]
    first, *others = [start + 1 for start in starts if start is not None] or [settings.steps]
    if first < settings.steps and settings.guidance != 1:
        lettering = f" (the first {others[0]} where the prompt quotes text)" if others else ""
        scale = guiders(pipe)[0].adaptive_projected_guidance_scale
        notes.append(
            f"The guidance of {settings.guidance:g} was for the first {first} of {settings.steps} steps{lettering}; "
            f"after them this base has its own, of {scale:g}."
        )
    if settings.frames and "num_frames" not in names:
        notes.append("This base generates images that stand still; the number of frames was left out.")
    return notes


def _takes_guidance(pipe: Any, kind: Family) -> bool:
    """Return whether the base has an input for guidance.

    FLUX.1 schnell was distilled without one. FLUX.2 Klein and FLUX.3 Klein have their guidance built in.
    """
    if is_modular(pipe):
        return bool(guiders(pipe))
    if kind.embedded:
        return bool(pipe.transformer.config.get("guidance_embeds", True))
    return not (kind.distils and pipe.config.is_distilled)


def output_images(output: Any) -> list[tuple[Image, ...]]:
    """Return one entry for each prompt: a single image, or the frames of a video."""
    outputs = (getattr(output, name, None) for name in ("frames", "images", "image"))
    items = next(each for each in outputs if each is not None)
    return [tuple(each) if isinstance(each, list | tuple) else (each,) for each in items]
