"""What is generated: the images, and how they came about."""

from dataclasses import dataclass

from PIL.Image import Image

from hub_ui.generate.comparison import Comparison
from hub_ui.generate.coverage import Coverage
from hub_ui.generate.request import GenerationRequest


@dataclass(frozen=True, kw_only=True)
class GeneratedImage:
    """`frames` holds the whole clip where the base draws films; `image` is then its middle frame.

    `seconds` is this picture's share of the run that made it, 0 when it was there already.
    """

    image: Image
    seconds: float
    frames: tuple[Image, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class GenerationReport:
    """How pictures came about. `coverage` has one entry for each LoRA of the job, in its order.

    `base` is for people, `base_id` is what a Job takes to have the same base again, `base_revision` its commit.
    `place` is where it ran: "local" or "replicate". `notes` are sentences worth reading: what could not be mapped, a
    retry with less memory. `control` is the control picture as the network saw it.
    """

    base: str
    base_id: str
    device: str
    coverage: tuple[Coverage, ...]
    switch_seconds: float
    seed: int
    steps: int
    guidance: float
    width: int
    height: int
    sampler: str
    base_revision: str | None = None
    place: str = "local"
    notes: tuple[str, ...] = ()
    control: Image | None = None


@dataclass(frozen=True, kw_only=True)
class GenerationResult:
    """`images` are in the order of the sheet's cells. All come from one seed and the same first noise."""

    request: GenerationRequest
    comparison: Comparison
    images: tuple[GeneratedImage, ...]
    report: GenerationReport
