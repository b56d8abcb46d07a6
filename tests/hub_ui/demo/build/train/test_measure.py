"""What the base's pictures are measured by."""

import pytest
import torch
from PIL import Image, ImageFilter

from hub_ui.demo.build.train.drawing import draw
from hub_ui.demo.build.train.measure import contact_sheet, gradient_energy, lone_scenes, report, stacked
from hub_ui.demo.build.train.vocabulary import THINGS


def test_a_blurred_picture_has_less_gradient_energy() -> None:
    drawing = draw(lone_scenes(1, "neat", 1)[0])
    blurred = drawing.filter(ImageFilter.GaussianBlur(2))
    assert gradient_energy(stacked([blurred])) < 0.5 * gradient_energy(stacked([drawing]))


def test_one_step_between_two_columns_is_its_square_over_the_pairs() -> None:
    picture = torch.zeros(1, 3, 4, 4)
    picture[..., 2:] = 1.0
    assert gradient_energy(picture) == pytest.approx(1 / 3)


def test_every_thing_is_asked_for_equally_often() -> None:
    shown = [scene.things[0].name for scene in lone_scenes(2 * len(THINGS), "neat", 1)]
    assert all(shown.count(name) == 2 for name in THINGS)


def test_a_report_says_what_was_taken_for_what() -> None:
    scenes = lone_scenes(2, "neat", 1)
    pictures = stacked([draw(scene) for scene in scenes])
    last = torch.nn.Linear(3, len(THINGS))
    torch.nn.init.zeros_(last.weight)
    last.bias.data.copy_(torch.eye(len(THINGS))[0])
    always = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), last)
    assert report(always, pictures, pictures, scenes) == (
        "sharpness 1.00, 50.0% named rightly; missed: square as circle (1)"
    )


def test_a_contact_sheet_has_eight_pictures_in_a_row() -> None:
    assert contact_sheet([Image.new("RGB", (4, 4))] * 9).size == (32, 8)
