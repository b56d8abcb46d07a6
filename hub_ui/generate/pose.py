"""A person's joints as ViTPose finds them, drawn as OpenPose draws them: what pose control networks are trained on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

# Width and height of the network's input, and the mean and deviation of its training images.
_INPUT = (192, 256)
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_CONFIDENCE = 0.3
# COCO's joints by number (5 and 6 are the shoulders); 17 is the neck, which COCO lacks and OpenPose draws.
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


def find_pose(image: Image.Image, folder: Path) -> tuple[Image.Image, bool]:
    """The skeleton of one person in the image, by the network in `folder`, and whether anybody was found."""
    import torch
    from transformers import VitPoseForPoseEstimation

    kind: Any = VitPoseForPoseEstimation
    model = kind.from_pretrained(folder, local_files_only=True, use_safetensors=True).eval()
    with torch.inference_mode():
        heat = model(pixel_values=torch.from_numpy(normalize(ImageOps.pad(image, _INPUT))).float()).heatmaps[0]
    found = find_joints(np.asarray(heat.double().numpy(), dtype=np.float64), image.size)
    return draw_skeleton(found, image.size), any(found)


def find_joints(heat: NDArray[np.float64], size: tuple[int, int]) -> list[Joint]:
    """Where each map is hottest, in pixels of an image of that size, which was fitted into the network's input."""
    _, rows, columns = heat.shape
    scale = min(_INPUT[0] / size[0], _INPUT[1] / size[1])
    left, top = ((seen - side * scale) / 2 for seen, side in zip(_INPUT, size, strict=True))
    found: list[Joint] = []
    for one in heat:
        row, column = np.unravel_index(int(one.argmax()), one.shape)
        x = ((float(column) + 0.5) * _INPUT[0] / columns - left) / scale
        y = ((float(row) + 0.5) * _INPUT[1] / rows - top) / scale
        found.append((x, y) if float(one.max()) >= _CONFIDENCE else None)
    one, other = found[5], found[6]
    return [*found, ((one[0] + other[0]) / 2, (one[1] + other[1]) / 2) if one and other else None]


def draw_skeleton(joints: list[Joint], size: tuple[int, int]) -> Image.Image:
    canvas = np.zeros((size[1], size[0], 3), dtype=np.uint8)
    thickness = 2 * max(2, min(size) // 128)
    pixels = [(round(joint[0]), round(joint[1])) if joint else None for joint in joints]
    for (one, other), colour in zip(_LIMBS, _COLOURS, strict=False):
        start, end = pixels[one], pixels[other]
        if start and end:
            cv2.line(canvas, start, end, colour, thickness, cv2.LINE_AA)
    for pixel, colour in zip(pixels, _COLOURS, strict=True):
        if pixel:
            cv2.circle(canvas, pixel, thickness, colour, -1, cv2.LINE_AA)
    return Image.fromarray(canvas)


def normalize(image: Image.Image) -> NDArray[np.float64]:
    """A batch of one (1, 3, height, width), as networks that were trained on ImageNet take it."""
    values = np.asarray(image, dtype=np.float64) / 255
    return np.asarray(((values - _MEAN) / _DEVIATION).transpose(2, 0, 1)[None], dtype=np.float64)
