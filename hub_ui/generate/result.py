"""Generated images and their report: how much of each LoRA took effect on the base, and why the rest did not."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO, Literal

from PIL.Image import Image

from connectors.errors import UsageError
from hub_ui.base.i18n import _
from hub_ui.generate.compare.comparison import Comparison
from hub_ui.generate.request import GenerationRequest

# x264's constant rate factor: lower is larger and nearer to the frames, which 16 is to the eye.
_MP4_QUALITY = "16"


@dataclass(frozen=True, kw_only=True, slots=True)
class Missed:
    """Tensors that go nowhere for one `reason`, which completes "48 tensors ..."."""

    reason: str
    keys: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Coverage:
    """`applied` of `total` tensors of the file take effect. Alphas count with their layer.

    `remark` is what the file leaves open about those that do; it goes on after a semicolon.
    """

    title: str
    applied: int
    total: int
    missed: tuple[Missed, ...] = ()
    remark: str = ""

    @property
    def whole(self) -> bool:
        return self.applied == self.total

    def sentence(self) -> str:
        """ "456 of 504 tensors applied; 48 of text encoder 2, which this base does not have" """
        head = _("{n} of {m} tensors applied").format(n=self.applied, m=self.total)
        missed = (f"{len(missed.keys)} {missed.reason}" for missed in self.missed)
        return "; ".join(filter(None, [head, *missed, self.remark]))


@dataclass(frozen=True, kw_only=True, slots=True)
class Measure:
    """Of the images of one column: the mean, and the least and the most of any prompt and seed."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Measures:
    """What is measured of each column of a comparison of LoRAs, in their order: a help for the eye, and no judgement.

    `change` is how far the colours of its images are from those without a LoRA (`against` "base"), or on a sheet
    without such images from those of the other LoRAs ("others"): 0 for the same, 1 for black against white.
    `seen_change` is the same as CLIP sees images, and `prompt` how near it sees them to their prompt, each as a cosine.
    `model` names that CLIP. Without it, the two are empty.
    """

    against: Literal["base", "others"]
    change: tuple[Measure, ...]
    model: str = ""
    seen_change: tuple[Measure, ...] = ()
    prompt: tuple[Measure, ...] = ()


@dataclass(frozen=True, kw_only=True)
class GeneratedImage:
    """`frames` holds a video's clip, and `image` its middle frame; `seconds` is 0 for an image from the cache.

    `rows`: how many images the pipeline generated in the same call. `adapters`: how its LoRAs were applied, "merged"
    into weights, "hooked" beside them, "merged and hooked", or "" for the base alone.
    """

    image: Image
    seconds: float
    frames: tuple[Image, ...] = ()
    rows: int = 1
    adapters: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class GenerationReport:
    """How images were made. `coverage` has one entry for each LoRA of the request, in order.

    `base` is for display, `base_id` for a GenerationRequest, `base_revision` its commit, `base_sha256` of files that no
    commit pins. `place` is "local" or "replicate". `precision` is an id of precisions.toml. `notes` are
    sentences for the user. `control` is the control image as the network saw it.
    `draft` names the files that a draft was made with, as refs; None is for images in full.
    `dtype`, `rows` and `adapters` are empty where they are unknown: the type of the base's numbers, the most rows in a
    call, and how LoRAs were applied in all images together (see GeneratedImage). `level` is where the weights were kept
    at the end (see offload.py), and `attention` what computed it, empty for torch's own (see batch.py).
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
    base_sha256: str | None = None
    place: str = "local"
    precision: str = "full"
    notes: tuple[str, ...] = ()
    control: Image | None = None
    dtype: str = ""
    rows: int = 0
    adapters: str = ""
    level: str = ""
    draft: tuple[str, ...] | None = None
    measures: Measures | None = None
    attention: str = ""


@dataclass(frozen=True, kw_only=True)
class GenerationResult:
    """`images` are in the order of the comparison's cells, from one seed and the same initial noise."""

    request: GenerationRequest
    comparison: Comparison
    images: tuple[GeneratedImage, ...]
    report: GenerationReport


def application_of(made: Iterable[GeneratedImage | GenerationReport]) -> str:
    """How LoRAs were applied in all of them together."""
    found = [each.adapters for each in made]
    return " and ".join(how for how in ("merged", "hooked") if any(how in one for one in found))


def clip_suffixes() -> Sequence[str]:
    """Of the smaller files that a video becomes here. PyAV is an optional extra."""
    return (".webp", ".mp4") if find_spec("av") else (".webp",)


def check_mp4(*, is_video: bool) -> None:
    """Raises UsageError for what can't be an MP4."""
    if not is_video:
        raise UsageError(_("An MP4 is a video, and this is an image. Name it .png or .webp."))
    if ".mp4" not in clip_suffixes():
        raise UsageError(_("PyAV writes MP4s. Install it in hub-ui's folder: .venv/bin/pip install '.[video]'"))


def write_mp4(frames: Sequence[Image], rate: int, comment: str, path: Path | BinaryIO) -> None:
    check_mp4(is_video=bool(frames))
    import av

    video: Any = av.VideoFrame
    # Two by two pixels share a colour.
    width, height = (side - side % 2 for side in frames[0].size)
    with av.open(path, "w", format="mp4") as clip:
        clip.metadata["comment"] = comment
        stream = clip.add_stream("libx264", rate=rate, options={"crf": _MP4_QUALITY})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for frame in frames:
            clip.mux(stream.encode(video.from_image(frame.convert("RGB").crop((0, 0, width, height)))))
        clip.mux(stream.encode())
