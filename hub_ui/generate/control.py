"""Control images: what a control LoRA is steered by, made of an image that a person gives.

Edges are made here, by OpenCV. Depth and poses need a network of their own, which is read from Hugging Face's cache
and never downloaded. An image that is a control image already passes through.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
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
from hub_ui.generate.pose import find_pose, normalize
from hub_ui.generate.request import GenerationRequest

_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
_MOST_BYTES = 100 * 1024 * 1024
_MOST_PIXELS = 80_000_000
# Only a cut that takes more than this share of a side away is worth a word.
_WORTH_SAYING = 0.02
# The share of pixels whose contrast counts as an edge's, and what contrast that is at least and at most.
_EDGES, _LEAST_CONTRAST, _MOST_CONTRAST = 0.08, 40.0, 400.0
_WEAK = 0.4
_DEPTH_SIDE, _PATCH = 518, 14


@dataclass(frozen=True, kw_only=True, slots=True)
class Helper:
    """A network that makes control images."""

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
POSE = Helper(label="ViTPose base", repo="usyd-community/vitpose-base-simple", megabytes=344, license="Apache-2.0")


def prepare_control_image(
    request: GenerationRequest, width: int, height: int, cache: Path | None = None
) -> tuple[Image.Image, tuple[str, ...]]:
    """The control image as the network is to see it, in that size, and notes for the person.

    `cache` is Hugging Face's, None for the usual one. Raises UsageError for a file that is no usable image.
    """
    if request.control is None:
        raise UsageError("A control LoRA is steered by a picture. Choose one (--control FILE).")
    make = _MAKERS.get(request.control_kind)
    if make is None:
        raise UsageError(
            f"“{request.control_kind}” is no kind of control picture. Choose one of: {', '.join(_MAKERS)}."
        )
    image, notes = _open_image(request.control)
    scale = max(width / image.width, height / image.height)
    lost = 1 - min(width / (image.width * scale), height / (image.height * scale))
    if lost > _WORTH_SAYING:
        sides = "left and right" if image.width * scale - width > image.height * scale - height else "top and bottom"
        notes.append(f"The control picture was cut {sides} to fit {width} x {height}.")
    control, more = make(ImageOps.fit(image, (width, height), Image.Resampling.LANCZOS), cache)
    return control, (*notes, *more)


def _open_image(path: Path) -> tuple[Image.Image, list[str]]:
    """Upright, in RGB, without transparency. Raises UsageError for what is no image, or far too large."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise UsageError(f"{path.name} is too large for a control picture. Make it smaller first.")
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=_FORMATS) as image:
                if image.width * image.height > _MOST_PIXELS:
                    raise Image.DecompressionBombError
                notes = [f"{path.name} moves: its first frame was used."] if getattr(image, "n_frames", 1) > 1 else []
                image.load()
                return _to_rgb(ImageOps.exif_transpose(image)), notes
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UsageError(f"{path.name} has too many pixels for a control picture. Make it smaller first.") from error
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        raise UsageError(f"{path.name} can't be read as a picture. Give a PNG, JPEG or WebP.") from error


def _to_rgb(image: Image.Image) -> Image.Image:
    """Depth is often saved in 16 bits, which Pillow would cut off instead of scaling."""
    if image.mode.startswith(("I", "F")):
        return _to_grey(np.asarray(image, dtype=np.float64))
    if "A" in image.getbands() or "transparency" in image.info:
        with_alpha = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", with_alpha.size, "white"), with_alpha).convert("RGB")
    return image.convert("RGB")


def _to_grey(values: NDArray[np.float64]) -> Image.Image:
    """From black to white, whatever the range of the numbers is."""
    finite = np.nan_to_num(values, posinf=0.0, neginf=0.0)
    low, high = float(finite.min()), float(finite.max())
    scaled = (finite - low) * (255.0 / (high - low)) if high > low else np.zeros_like(finite)
    return Image.fromarray(scaled.round().astype(np.uint8)).convert("RGB")


def _canny(image: Image.Image, _cache: Path | None) -> tuple[Image.Image, list[str]]:
    """White edges on black. The image itself sets how much contrast makes an edge, so that dim ones have some too."""
    gray = cv2.GaussianBlur(cv2.cvtColor(np.asarray(image), cv2.COLOR_RGB2GRAY), (3, 3), 0)
    # As Canny itself measures it.
    across, down = (np.abs(cv2.Sobel(gray, cv2.CV_64F, *way)) for way in ((1, 0), (0, 1)))
    strong = float(np.clip(np.quantile(across + down, 1 - _EDGES), _LEAST_CONTRAST, _MOST_CONTRAST))
    edges = cv2.Canny(gray, strong * _WEAK, strong)
    notes = [] if edges.any() else ["No edges were found in the control picture, so it steers nothing."]
    return Image.fromarray(np.asarray(edges, dtype=np.uint8)).convert("RGB"), notes


def _depth(image: Image.Image, cache: Path | None) -> tuple[Image.Image, list[str]]:
    """Near is bright, as Depth Anything measures it and the control LoRAs were trained on."""
    folder = _find_model(DEPTH, "depth", cache)
    import torch
    from transformers import AutoModelForDepthEstimation

    models: Any = AutoModelForDepthEstimation
    model = models.from_pretrained(folder, local_files_only=True, use_safetensors=True).eval()
    # In the size that the network was trained on, in whole patches.
    scale = _DEPTH_SIDE / min(image.size)
    width, height = (max(1, round(side * scale / _PATCH)) * _PATCH for side in image.size)
    pixels = normalize(image.resize((width, height), Image.Resampling.BICUBIC))
    with torch.inference_mode():
        depth = model(pixel_values=torch.from_numpy(pixels).float()).predicted_depth
        depth = torch.nn.functional.interpolate(depth[:, None], size=image.size[::-1], mode="bicubic")
    return _to_grey(depth[0, 0].double().numpy()), [f"Depth is from {DEPTH.label}."]


def _pose(image: Image.Image, cache: Path | None) -> tuple[Image.Image, list[str]]:
    skeleton, anybody = find_pose(image, _find_model(POSE, "pose", cache))
    nobody = [] if anybody else ["Nobody was found in the control picture, so it steers nothing."]
    return skeleton, [f"The pose is from {POSE.label}, which takes the picture for one person's.", *nobody]


_MAKERS: Mapping[str, Callable[[Image.Image, Path | None], tuple[Image.Image, list[str]]]] = {
    "canny": _canny,
    "depth": _depth,
    "pose": _pose,
    "ready": lambda image, _cache: (image, []),
}


def _find_model(helper: Helper, kind: str, cache: Path | None) -> Path:
    with suppress(LocalEntryNotFoundError, OSError):
        folder = Path(snapshot_download(helper.repo, cache_dir=cache, local_files_only=True))
        if (folder / "model.safetensors").is_file():
            return folder
    raise PreviewError(
        f"A {kind} picture is made by {helper.label} ({helper.megabytes} MB, {helper.license}), which is not on this "
        f"disk. Fetch it with “hf download {helper.repo}”, or give a {kind} picture that is ready "
        "(--control-kind ready)."
    )
