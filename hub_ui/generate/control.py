"""Control pictures: what a control LoRA is steered by, made of a picture that a person gives.

Edges are made here, by OpenCV. Depth and poses need a network of their own, which is used where it is on this disk:
these are read from Hugging Face's cache and never fetched. A picture that is a control picture already passes through.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from huggingface_hub import snapshot_download
from huggingface_hub.errors import LocalEntryNotFoundError
from numpy.typing import NDArray
from PIL import Image, ImageOps

from connectors.errors import PreviewError, UsageError
from hub_ui.generate.pose import normalised, skeleton
from hub_ui.generate.request import GenerationRequest

KINDS = ("canny", "depth", "pose", "ready")
_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
_MOST_BYTES = 100 * 1024 * 1024
_MOST_PIXELS = 80_000_000
_BOMBS = (Image.DecompressionBombError, Image.DecompressionBombWarning)
# Only a cut that takes more than this share of a side away is worth a word.
_WORTH_SAYING = 0.02
# The share of pixels whose contrast counts as an edge's, and what contrast that is at least and at most.
_EDGES, _LEAST_CONTRAST, _MOST_CONTRAST = 0.08, 40.0, 400.0
_WEAK = 0.4
_DEPTH_SIDE, _PATCH = 518, 14


@dataclass(frozen=True, kw_only=True, slots=True)
class Helper:
    """A network that makes control pictures."""

    label: str
    repo: str
    megabytes: int
    license: str


DEPTH = Helper(
    label="Depth Anything V2 Small",
    repo="depth-anything/Depth-Anything-V2-Small-hf",
    megabytes=99,
    license="Apache-2.0",
)
POSE = Helper(
    label="ViTPose base", repo="usyd-community/vitpose-base-simple", megabytes=344, license="Apache-2.0"
)  # fmt: skip


def control_picture(
    job: GenerationRequest, width: int, height: int, cache: Path | None = None
) -> tuple[Image.Image, tuple[str, ...]]:
    """The picture as the network is to see it, in the size of what is drawn, and sentences worth reading.

    `cache` is Hugging Face's, None where that is wherever it is by itself.
    """
    if job.control is None:
        raise UsageError("A control LoRA is steered by a picture. Choose one (--control FILE).")
    make = _MAKERS.get(job.control_kind)
    if make is None:
        raise UsageError(f"“{job.control_kind}” is no kind of control picture. Choose one of: {', '.join(KINDS)}.")
    opened, notes = _opened(job.control)
    fitted, cut = _fitted(opened, width, height)
    picture, made = make(fitted, cache)
    return picture, (*notes, *cut, *made)


def _opened(path: Path) -> tuple[Image.Image, list[str]]:
    """Upright, in RGB, without transparency. Raises UsageError for what is no picture, or far too large."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise UsageError(f"{path.name} is too large for a control picture. Make it smaller first.")
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=_FORMATS) as image:
                return _plain(image, path)
    except _BOMBS as error:
        raise UsageError(f"{path.name} has too many pixels for a control picture. Make it smaller first.") from error
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        raise UsageError(f"{path.name} can't be read as a picture. Give a PNG, JPEG or WebP.") from error


def _plain(image: Image.Image, path: Path) -> tuple[Image.Image, list[str]]:
    if image.width * image.height > _MOST_PIXELS:
        raise Image.DecompressionBombError
    moving = getattr(image, "n_frames", 1) > 1
    image.load()
    upright = ImageOps.exif_transpose(image)
    notes = [f"{path.name} moves: its first frame was used."] if moving else []
    return _rgb(upright), notes


def _rgb(image: Image.Image) -> Image.Image:
    """Depth is often saved in 16 bits, which Pillow would cut off instead of scaling."""
    if image.mode.startswith(("I", "F")):
        return Image.fromarray(_stretched(np.asarray(image, dtype=np.float64))).convert("RGB")
    if "A" in image.getbands() or "transparency" in image.info:
        with_alpha = image.convert("RGBA")
        white = Image.new("RGBA", with_alpha.size, "white")
        return Image.alpha_composite(white, with_alpha).convert("RGB")
    return image.convert("RGB")


def _stretched(values: NDArray[np.float64]) -> NDArray[np.uint8]:
    """From black to white, whatever the numbers were."""
    finite = np.nan_to_num(values, posinf=0.0, neginf=0.0)
    low, high = float(finite.min()), float(finite.max())
    scaled = (finite - low) * (255.0 / (high - low)) if high > low else np.zeros_like(finite)
    return scaled.round().astype(np.uint8)


def _fitted(image: Image.Image, width: int, height: int) -> tuple[Image.Image, list[str]]:
    """Fills the size: what juts out is cut off on both sides alike."""
    scale = max(width / image.width, height / image.height)
    lost = 1 - min(width / (image.width * scale), height / (image.height * scale))
    side = "left and right" if image.width * scale - width > image.height * scale - height else "top and bottom"
    notes = [f"The control picture was cut {side} to fit {width} x {height}."] if lost > _WORTH_SAYING else []
    return ImageOps.fit(image, (width, height), Image.Resampling.LANCZOS), notes


def _canny(image: Image.Image, cache: Path | None) -> tuple[Image.Image, list[str]]:
    """White edges on black. How much contrast makes an edge is read off the picture, so that dim ones have some too."""
    gray = cv2.GaussianBlur(cv2.cvtColor(np.asarray(image), cv2.COLOR_RGB2GRAY), (3, 3), 0)
    strong = float(np.clip(np.quantile(_contrast(gray), 1 - _EDGES), _LEAST_CONTRAST, _MOST_CONTRAST))
    edges = cv2.Canny(gray, strong * _WEAK, strong)
    notes = [] if edges.any() else ["No edges were found in the control picture, so it steers nothing."]
    return Image.fromarray(np.asarray(edges, dtype=np.uint8)).convert("RGB"), notes


def _contrast(gray: Any) -> NDArray[np.float64]:
    """As Canny itself measures it."""
    across, down = (np.abs(cv2.Sobel(gray, cv2.CV_64F, *way)) for way in ((1, 0), (0, 1)))
    return np.asarray(across + down, dtype=np.float64)


def _depth(image: Image.Image, cache: Path | None) -> tuple[Image.Image, list[str]]:
    """Near is bright, as Depth Anything measures it and the control LoRAs were trained on."""
    folder = _on_disk(DEPTH, "depth", cache)
    import torch
    from transformers import AutoModelForDepthEstimation

    models: Any = AutoModelForDepthEstimation
    model = models.from_pretrained(folder, local_files_only=True, use_safetensors=True).eval()
    with torch.inference_mode():
        found = model(pixel_values=torch.from_numpy(normalised(_in_patches(image))).float()).predicted_depth
        sized = torch.nn.functional.interpolate(found[:, None], size=image.size[::-1], mode="bicubic")
    values = sized[0, 0].double().numpy()
    return Image.fromarray(_stretched(values)).convert("RGB"), [f"Depth is from {DEPTH.label}."]


def _in_patches(image: Image.Image) -> Image.Image:
    """In the size that the network was trained on, in whole patches."""
    scale = _DEPTH_SIDE / min(image.size)
    width, height = (max(1, round(side * scale / _PATCH)) * _PATCH for side in image.size)
    return image.resize((width, height), Image.Resampling.BICUBIC)


def _pose(image: Image.Image, cache: Path | None) -> tuple[Image.Image, list[str]]:
    picture, anybody = skeleton(image, _on_disk(POSE, "pose", cache))
    nobody = [] if anybody else ["Nobody was found in the control picture, so it steers nothing."]
    return picture, [f"The pose is from {POSE.label}, which takes the picture for one person's.", *nobody]


def _ready(image: Image.Image, cache: Path | None) -> tuple[Image.Image, list[str]]:
    return image, []


_MAKERS: Mapping[str, Callable[[Image.Image, Path | None], tuple[Image.Image, list[str]]]] = {
    "canny": _canny,
    "depth": _depth,
    "pose": _pose,
    "ready": _ready,
}


def _on_disk(helper: Helper, kind: str, cache: Path | None) -> Path:
    try:
        folder = Path(snapshot_download(helper.repo, cache_dir=cache, local_files_only=True))
    except (LocalEntryNotFoundError, OSError) as error:
        raise _not_there(helper, kind) from error
    if not (folder / "model.safetensors").is_file():
        raise _not_there(helper, kind)
    return folder


def _not_there(helper: Helper, kind: str) -> PreviewError:
    return PreviewError(
        f"A {kind} picture is made by {helper.label} ({helper.megabytes} MB, {helper.license}), which is not on this "
        f"disk. Fetch it with “hf download {helper.repo}”, or give a {kind} picture that is ready "
        "(--control-kind ready)."
    )
