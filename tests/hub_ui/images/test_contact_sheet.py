"""The images of a comparison as one: where they stand, what is written beside them, and how they are cut out again."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from connectors.errors import UsageError
from hub_ui.generate.compare import comparison
from hub_ui.generate.compare.comparison import Comparison
from hub_ui.generate.result import GeneratedImage, GenerationResult
from hub_ui.images import contact_sheet, png_metadata
from hub_ui.images.provenance import Tiles
from tests.hub_ui.generate import making

COLOURS = [(200, 0, 0), (0, 200, 0), (0, 0, 200), (200, 200, 0)]


def made(sheet: Comparison, size: tuple[int, int] = (256, 128)) -> GenerationResult:
    images = (Image.new("RGB", size, COLOURS[i % 4]) for i in range(len(sheet.cells)))
    return making.made(sheet=sheet, images=tuple(GeneratedImage(image=image, seconds=0) for image in images))


def sheet_of(result: GenerationResult) -> Image.Image:
    return contact_sheet.contact(result)[0]


def area(paper: Image.Image, colour: tuple[int, int, int]) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of what has this colour."""
    rows, columns = np.nonzero((np.asarray(paper) == colour).all(axis=2))
    return int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1


def test_pictures_stand_in_their_rows_and_columns_and_labels_outside_of_them() -> None:
    paper = sheet_of(made(comparison.weight_sweep(making.job(), (0, 1), prompts=["a cat", "a dog"])))
    red, green, blue = (area(paper, colour) for colour in COLOURS[:3])
    assert (red[2] - red[0], red[3] - red[1]) == (256, 128)
    assert (green[0] > red[2], green[1] == red[1]) == (True, True)
    assert (blue[0] == red[0], blue[1] > red[3]) == (True, True)
    left, top, _, bottom = area(paper, COLOURS[0])
    above, beside = (np.asarray(paper.crop(box)) for box in ((left, 0, left + 256, top), (0, top, left, bottom)))
    assert (above.min() < 60, beside.min() < 60) == (True, True)
    assert paper.getpixel((1, 1)) == (250, 250, 248)


@pytest.mark.parametrize("prompt", ["a long prompt of many words " * 20, "x" * 500])
def test_long_prompts_take_no_more_room_than_a_picture(prompt: str) -> None:
    paper = sheet_of(made(comparison.weight_sweep(making.job(), (0, 1), prompts=[prompt])))
    assert area(paper, COLOURS[0])[0] <= 256 + 3 * 12


def test_tiny_pictures_are_shown_larger_and_too_large_a_sheet_smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    paper = sheet_of(made(comparison.before_after(making.job()), size=(32, 32)))
    left, top, right, bottom = area(paper, COLOURS[0])
    assert (right - left, bottom - top) == (192, 192)
    monkeypatch.setattr(contact_sheet, "_MOST_PIXELS", 256 * 128 // 2)
    _image, tiles = contact_sheet.contact(made(comparison.before_after(making.job())))
    assert (tiles.width, tiles.height) == (128, 64)


def saved(path: Path, size: tuple[int, int] = (256, 128)) -> tuple[Path, Tiles]:
    png_metadata.save_comparison(made(comparison.before_after(making.job()), size), path)
    tiles = png_metadata.read(path).tiles
    assert tiles is not None
    return path, tiles


@pytest.mark.parametrize("size", [(256, 128), (32, 32)])
def test_the_images_of_a_sheet_are_cut_out_of_its_file(tmp_path: Path, size: tuple[int, int]) -> None:
    images = contact_sheet.cut(*saved(tmp_path / "a.png", size))
    assert [image.getpixel((5, 5)) for image in images] == COLOURS[:2]
    assert contact_sheet.is_unchanged(images, saved(tmp_path / "b.png", size)[1])


def test_a_changed_image_is_noticed_and_one_outside_of_the_sheet_refused(tmp_path: Path) -> None:
    path, tiles = saved(tmp_path / "a.png")
    images = contact_sheet.cut(path, tiles)
    images[0].putpixel((0, 0), (1, 2, 3))
    assert not contact_sheet.is_unchanged(images, tiles)
    path, tiles = saved(tmp_path / "a.png")
    for bad in (replace(tiles, width=9999), replace(tiles, height=0), replace(tiles, corners=((-1, 0), (0, 0)))):
        with pytest.raises(UsageError, match="no sheet of a comparison that can be judged"):
            contact_sheet.cut(path, bad)


def test_choices_and_their_ranking_go_with_the_sheet_and_later_ones_in_their_place(tmp_path: Path) -> None:
    path, tiles = saved(tmp_path / "a.png")
    png_metadata.add_votes(path, "0-0-1-1", ["1. Ink: wins 60 %"], tmp_path / "once.png")
    png_metadata.add_votes(tmp_path / "once.png", "0-0-1-1_0-1-0-2", ["1. Ink: wins 70 %"], tmp_path / "twice.png")
    with Image.open(tmp_path / "once.png") as once, Image.open(tmp_path / "twice.png") as twice:
        assert (once.height > tiles.paper, twice.size == once.size) == (True, True)
    assert png_metadata.read(tmp_path / "twice.png").votes == "0-0-1-1_0-1-0-2"
    assert contact_sheet.is_unchanged(contact_sheet.cut(tmp_path / "twice.png", tiles), tiles)
    assert "a “cat” 猫" in png_metadata.read_any(tmp_path / "twice.png").prompt
    png_metadata.save(making.made(), 0, tmp_path / "a.png")
    with pytest.raises(UsageError, match=r"a\.png is no sheet of a comparison"):
        png_metadata.add_votes(tmp_path / "a.png", "", [], tmp_path / "b.png")
