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
    """Pipelines whose class name begins with `name`. `blank` replaces a missing negative prompt.

    `padded`: all embeddings have one length, so different prompts can share a batch without changing the images.
    `lists`: it takes several prompts at once. `edits`: it can take an image to change. `emphasis`: all of its text
    encoders are CLIPs, which read 75 tokens at once, and whose embeddings A1111's emphasis multiplies.

    `embedded`: the guidance is an input of the network. Elsewhere a guidance above `unguided` runs the network a second
    time in each step; `more_runs` are those for other kinds of guidance, which the pipeline does by default.
    `distils`: it ignores guidance where its own config says `is_distilled`.
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
        """Whether the network runs a second time in each step, for the negative prompt."""
        return not self.embedded and guidance > self.unguided

    def runs(self, guidance: float) -> int:
        """How often the network runs in one step."""
        return 1 + self.has_negative_run(guidance) + self.more_runs


_FILE = tomllib.loads(Path(__file__).with_name("pipeline_families.toml").read_text(encoding="utf-8"))
FAMILIES = msgspec.convert(_FILE["family"], tuple[Family, ...])
# The requested size, not the nearest of a list; no cleaning of prompts, which needs more packages, and no other prompt.
_FIXED = {"use_resolution_binning": False, "_auto_resize": False, "clean_caption": False, "use_pe": False}


def family(pipeline: str) -> Family:
    """Finds a family by the name of the pipeline's class."""
    return next(family for family in FAMILIES if pipeline.startswith(family.name))


def is_modular(pipe: Any) -> bool:
    """Pipelines of modular blocks: a guider holds their guidance, and the call names its output."""
    return hasattr(pipe, "blocks") and hasattr(pipe, "load_components")


def call_names(pipe: Any) -> frozenset[str]:
    """The names of the call's arguments."""
    if is_modular(pipe):
        return frozenset(each.name for each in pipe.blocks.inputs if each.name)
    return frozenset(inspect.signature(type(pipe).__call__).parameters)


def call_arguments(
    pipe: Any,
    settings: ResolvedRequest,
    prompts: Sequence[str],
    control: Image | None = None,
    start: Image | None = None,
) -> dict[str, Any]:
    """The arguments of the pipeline's call for these settings, for one prompt or several.

    `start` is the image to start from, in the size of the result.
    """
    kind, names = family(type(pipe).__name__), call_names(pipe)
    negative = settings.negative or kind.blank
    negatives = [negative] * len(prompts) if negative is not None else [None]
    wanted: dict[str, Any] = {
        # A single prompt is passed as a string, as in other people's scripts.
        "prompt": list(prompts) if len(prompts) > 1 else prompts[0],
        "negative_prompt": negatives if len(negatives) > 1 else negatives[0],
        "num_inference_steps": settings.steps,
        kind.guidance: settings.guidance,
        "width": settings.width,
        "height": settings.height,
        # Kontext takes this for the size, and width and height for the aspect ratio.
        "max_area": settings.width * settings.height,
        "num_frames": settings.frames or None,
        "control_image": control,
        # As many images as prompts.
        "image": control if kind.edits else [start] * len(prompts) if start is not None and kind.lists else start,
        "strength": settings.strength,
        # Videos are arrays by default.
        "output_type": "pil",
        **_FIXED,
    }
    return {name: value for name, value in wanted.items() if name in names and value is not None}


def guiders(pipe: Any) -> list[Any]:
    """The parts that hold the guidance of pipelines whose call takes none; HunyuanImage has one more for lettering."""
    parts = (getattr(pipe, name, None) for name in ("guider", "ocr_guider"))
    return [part for part in parts if hasattr(part, "guidance_scale")]


def unused_notes(pipe: Any, settings: ResolvedRequest) -> list[str]:
    """Notes on settings that this pipeline ignores."""
    kind, names, notes = family(type(pipe).__name__), call_names(pipe), []
    # With another kind of guidance, a negative prompt works only when the true guidance is above 1.
    unused = "negative_prompt" not in names or {"guidance_scale", "true_cfg_scale"} <= names
    if settings.negative and unused and kind.guidance == "guidance_scale":
        notes.append("This base does not use a negative prompt; it was left out.")
    elif settings.negative and not kind.has_negative_run(settings.guidance):
        notes.append(f"A negative prompt has no effect with a guidance of {settings.guidance:g}; it was left out.")
    # 0 and 1 are what people write for none.
    if settings.guidance > 1 and not _takes_guidance(pipe, kind):
        notes.append(f"This base takes no guidance; the {settings.guidance:g} was left out.")
    # Its first step without the guidance asked for is the one after `start`.
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
    """FLUX.1 schnell was distilled without an input for it, and FLUX.2 Klein with its guidance built in."""
    if kind.embedded:
        return bool(pipe.transformer.config.get("guidance_embeds", True))
    return not (kind.distils and pipe.config.is_distilled)


def output_images(output: Any) -> list[tuple[Image, ...]]:
    """One entry for each prompt: a single image, or the frames of a video."""
    frames = getattr(output, "frames", None)
    if frames is not None:
        return [tuple(video) for video in frames]
    return [tuple(image) if isinstance(image, list | tuple) else (image,) for image in output.images]
