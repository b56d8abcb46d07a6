from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image

from hub_ui.generate import comparison
from hub_ui.generate.comparison import Comparison
from hub_ui.generate.request import GenerationRequest
from hub_ui.generate.result import GeneratedImage, GenerationReport, GenerationResult
from hub_ui.images.contact_sheet import contact
from tests.hub_ui.generate.test_comparison import lora

REPORT = GenerationReport(
    base="", base_id="", device="", coverage=(), switch_seconds=0, seed=0, steps=1, guidance=1, width=256, height=128,
    sampler="",
)  # fmt: skip
COLOURS = [(200, 0, 0), (0, 200, 0), (0, 0, 200), (200, 200, 0)]


def made(sheet: Comparison, size: tuple[int, int] = (256, 128)) -> GenerationResult:
    images = (Image.new("RGB", size, COLOURS[i % 4]) for i in range(len(sheet.cells)))
    pictures = tuple(GeneratedImage(image=image, seconds=0) for image in images)
    return GenerationResult(
        request=GenerationRequest(adapters=(lora(),), prompt="a cat"), comparison=sheet, images=pictures, report=REPORT
    )


def job(**fields: Any) -> GenerationRequest:
    return GenerationRequest(adapters=(lora(),), prompt="a cat", **fields)


def area(paper: Image.Image, colour: tuple[int, int, int]) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of what has this colour."""
    rows, columns = np.nonzero((np.asarray(paper) == colour).all(axis=2))
    return int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1


def test_pictures_stand_in_their_rows_and_columns() -> None:
    paper = contact(made(comparison.prompt_grid(job(), ["a cat", "a dog"], (0, 1))))
    red, green, blue = (area(paper, colour) for colour in COLOURS[:3])
    assert (red[2] - red[0], red[3] - red[1]) == (256, 128)
    assert (green[0] > red[2], green[1] == red[1]) == (True, True)
    assert (blue[0] == red[0], blue[1] > red[3]) == (True, True)


def test_labels_are_dark_on_light_and_outside_the_pictures() -> None:
    paper = contact(made(comparison.prompt_grid(job(), ["a cat", "a dog"], (0, 1))))
    left, top, _, bottom = area(paper, COLOURS[0])
    above, beside = (np.asarray(paper.crop(box)) for box in ((left, 0, left + 256, top), (0, top, left, bottom)))
    assert (above.min() < 60, beside.min() < 60) == (True, True)
    assert paper.getpixel((1, 1)) == (250, 250, 248)


@pytest.mark.parametrize("prompt", ["a long prompt of many words " * 20, "x" * 500])
def test_long_prompts_take_no_more_room_than_a_picture(prompt: str) -> None:
    paper = contact(made(comparison.prompt_grid(job(), [prompt], (0, 1))))
    assert area(paper, COLOURS[0])[0] <= 256 + 3 * 12


def test_tiny_pictures_are_shown_larger() -> None:
    paper = contact(made(comparison.before_after(job()), size=(32, 32)))
    left, top, right, bottom = area(paper, COLOURS[0])
    assert (right - left, bottom - top) == (192, 192)
