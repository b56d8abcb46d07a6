"""A person's joints as ViTPose finds them, drawn as OpenPose draws them: what pose control networks are trained on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

# Width and height of what the network sees, and the mean and deviation of its training pictures.
_SEEN = (192, 256)
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_SURE = 0.3
# COCO's joints by number (5 and 6 are the shoulders); 17 is the neck, which COCO lacks and OpenPose draws.
_NECK = 17
_LIMBS = (
    (17, 6), (17, 5), (6, 8), (8, 10), (5, 7), (7, 9), (17, 12), (12, 14), (14, 16), (17, 11), (11, 13), (13, 15),
    (17, 0), (0, 2), (2, 4), (0, 1), (1, 3),
)  # fmt: skip
_COLOURS = (
    (255, 0, 0), (255, 85, 0), (255, 170, 0), (255, 255, 0), (170, 255, 0), (85, 255, 0), (0, 255, 0), (0, 255, 85),
    (0, 255, 170), (0, 255, 255), (0, 170, 255), (0, 85, 255), (0, 0, 255), (85, 0, 255), (170, 0, 255), (255, 0, 255),
    (255, 0, 170), (255, 0, 85),
)  # fmt: skip

Joint = tuple[float, float] | None


def skeleton(image: Image.Image, model: Path) -> tuple[Image.Image, bool]:
    """The drawing, and whether there was anybody to draw. The picture is taken to show one person."""
    return drawn(joints(_heat(image, model), image.size), image.size)


def joints(heat: NDArray[np.float64], size: tuple[int, int]) -> list[Joint]:
    """Where each map is hottest, in pixels of a picture that was fitted into what the network saw."""
    _, rows, columns = heat.shape
    scale = min(_SEEN[0] / size[0], _SEEN[1] / size[1])
    left, top = ((seen - side * scale) / 2 for seen, side in zip(_SEEN, size, strict=True))
    found: list[Joint] = []
    for one in heat:
        row, column = np.unravel_index(int(one.argmax()), one.shape)
        x = ((float(column) + 0.5) * _SEEN[0] / columns - left) / scale
        y = ((float(row) + 0.5) * _SEEN[1] / rows - top) / scale
        found.append((x, y) if float(one.max()) >= _SURE else None)
    return [*found, _between(found[5], found[6])]


def drawn(found: list[Joint], size: tuple[int, int]) -> tuple[Image.Image, bool]:
    canvas = np.zeros((size[1], size[0], 3), dtype=np.uint8)
    thick = max(2, min(size) // 128)
    for (one, other), colour in zip(_LIMBS, _COLOURS, strict=False):
        start, end = found[one], found[other]
        if start and end:
            cv2.line(canvas, _pixel(start), _pixel(end), colour, thick * 2, cv2.LINE_AA)
    for joint, colour in zip(found, _COLOURS, strict=True):
        if joint:
            cv2.circle(canvas, _pixel(joint), thick * 2, colour, -1, cv2.LINE_AA)
    return Image.fromarray(canvas), any(found)


def _heat(image: Image.Image, folder: Path) -> NDArray[np.float64]:
    import torch
    from transformers import VitPoseForPoseEstimation

    values = torch.from_numpy(normalised(ImageOps.pad(image, _SEEN))).float()
    kind: Any = VitPoseForPoseEstimation
    model = kind.from_pretrained(folder, local_files_only=True, use_safetensors=True).eval()
    with torch.inference_mode():
        return np.asarray(model(pixel_values=values).heatmaps[0].double().numpy(), dtype=np.float64)


def normalised(image: Image.Image) -> NDArray[np.float64]:
    """A batch of one, as networks that were trained on ImageNet take it."""
    values = np.asarray(image, dtype=np.float64) / 255
    return np.asarray(((values - _MEAN) / _DEVIATION).transpose(2, 0, 1)[None], dtype=np.float64)


def _between(one: Joint, other: Joint) -> Joint:
    return ((one[0] + other[0]) / 2, (one[1] + other[1]) / 2) if one and other else None


def _pixel(joint: tuple[float, float]) -> tuple[int, int]:
    return round(joint[0]), round(joint[1])
