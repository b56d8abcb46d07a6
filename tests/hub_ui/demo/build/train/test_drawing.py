"""Scenes and pictures: pure, readable, and within the frame."""

import random

import pytest
from PIL import ImageChops

from hub_ui.demo.build.train.drawing import SIDE, backdrop, draw, reduced
from hub_ui.demo.build.train.effects import EFFECTS
from hub_ui.demo.build.train.scene import LOOSE, NEAT, Scene, Thing, random_scene
from hub_ui.demo.build.train.vocabulary import BACKGROUNDS, COLOURS, THINGS, UNREADABLE

MANY = [random_scene(random.Random(seed), layout) for seed in range(100) for layout in (LOOSE, NEAT)]


def test_the_same_seed_draws_the_same_picture() -> None:
    first, second = (draw(random_scene(random.Random(5))).tobytes() for _ in range(2))
    assert first == second


def test_pictures_are_square_rgb_of_the_native_size() -> None:
    picture = draw(MANY[0])
    assert (picture.mode, picture.size) == ("RGB", (SIDE, SIDE))


def test_no_thing_has_a_colour_that_its_background_hides() -> None:
    assert not {(thing.colour, scene.background) for scene in MANY for thing in scene.things} & UNREADABLE


def test_things_lie_wholly_inside_the_picture() -> None:
    for thing in (thing for scene in MANY for thing in scene.things):
        assert thing.size / 2 <= thing.x <= 1 - thing.size / 2
        assert thing.size / 2 <= thing.y <= 1 - thing.size / 2


def test_some_scenes_hold_two_things_side_by_side() -> None:
    pairs = [scene for scene in MANY if len(scene.things) == 2]
    assert pairs
    assert all(scene.things[0].x < scene.things[1].x for scene in pairs)


@pytest.mark.parametrize("name", THINGS)
def test_every_thing_leaves_its_mark_on_every_background(name: str) -> None:
    for background in BACKGROUNDS:
        colour = next(colour for colour in COLOURS if (colour, background) not in UNREADABLE)
        drawn = draw(Scene(things=(Thing(name=name, colour=colour),), background=background))
        assert ImageChops.difference(drawn, reduced(backdrop(background))).getbbox() is not None


@pytest.mark.parametrize("name", [name for name in EFFECTS if name != "plain"])
def test_every_effect_changes_the_picture_and_repeats_itself(name: str) -> None:
    scene = MANY[3]
    first, second = (EFFECTS[name](scene, random.Random(1)).tobytes() for _ in range(2))
    assert first == second
    assert first != draw(scene).tobytes()
