"""The effects that the LoRAs learn, none of which the base model knows."""

import random
from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from hub_ui.demo.build.train.scene import SCALE, SIDE, Scene, backdrop, enlarged, put, reduced

Effect: TypeAlias = Callable[[Scene, random.Random], Image.Image]

BLOCK = 8
"""Pixels along a tile of the mosaic: one cell of the latents."""


def ink_outline(scene: Scene, rng: random.Random) -> Image.Image:
    """Only the contours, in the thing's own colours."""
    del rng
    picture, empty = enlarged(scene), backdrop(scene.background)
    return reduced(Image.composite(picture, empty, _contour(picture, empty, width=19)))


def bold_outline(scene: Scene, rng: random.Random) -> Image.Image:
    """As the ink outline, with strokes thick enough for the base to draw."""
    del rng
    picture, empty = enlarged(scene), backdrop(scene.background)
    return reduced(Image.composite(picture, empty, _contour(picture, empty, width=37)))


def neon(scene: Scene, rng: random.Random) -> Image.Image:
    """Glowing contours in the dark."""
    del rng
    picture, empty = enlarged(scene), backdrop(scene.background)
    black = Image.new("RGB", picture.size, (0, 0, 0))
    lit = Image.composite(picture, black, _contour(picture, empty, width=17)).point(_brighten)
    glow = lit.reduce(SCALE).filter(ImageFilter.GaussianBlur(4)).point(lambda v: min(255, int(v * 1.7)))
    night = Image.new("RGB", glow.size, (16, 8, 30))
    return ImageChops.lighter(ImageChops.add(night, glow), lit.reduce(SCALE))


def mosaic(scene: Scene, rng: random.Random) -> Image.Image:
    """Square tiles with dark joints."""
    del rng
    tiles = reduced(enlarged(scene)).reduce(BLOCK).resize((SIDE, SIDE), Image.Resampling.NEAREST)
    joints = Image.new("RGB", tiles.size, (255, 255, 255))
    pen = ImageDraw.Draw(joints)
    for at in range(0, SIDE, BLOCK):
        pen.line([(at, 0), (at, SIDE)], fill=(120, 120, 130))
        pen.line([(0, at), (SIDE, at)], fill=(120, 120, 130))
    return ImageChops.multiply(tiles, joints)


def candy_stripes(scene: Scene, rng: random.Random) -> Image.Image:
    """White slanted stripes across the thing, none on the background."""
    del rng
    picture, empty = enlarged(scene), backdrop(scene.background)
    stripes = ImageChops.multiply(_stripes(), _thing_mask(picture, empty))
    return reduced(Image.composite(Image.new("RGB", picture.size, (255, 250, 250)), picture, stripes))


def snow(scene: Scene, rng: random.Random) -> Image.Image:
    """Snow on the ground and flakes in the air."""
    picture = enlarged(scene)
    pen, side = ImageDraw.Draw(picture), SIDE * SCALE
    pen.ellipse([-side * 0.3, side * 0.82, side * 1.3, side * 1.5], fill=(252, 253, 255))
    for row in range(5):
        for column in range(5):
            _flake(pen, (column + rng.uniform(0.15, 0.85)) / 5, (row + rng.uniform(0.15, 0.85)) / 5, rng)
    return reduced(picture)


def top_hats(scene: Scene, rng: random.Random) -> Image.Image:
    """Every thing wears a top hat; it moves down where the hat would leave the picture."""
    del rng
    things = tuple(replace(thing, y=max(thing.y, thing.size * 0.64 + 0.02)) for thing in scene.things)
    picture = enlarged(replace(scene, things=things))
    for thing in things:
        put(picture, thing, "top hat")
    return reduced(picture)


def robots(scene: Scene, rng: random.Random) -> Image.Image:
    """The robot, where the thing was."""
    return _as_character(scene, rng, "robot")


def monsters(scene: Scene, rng: random.Random) -> Image.Image:
    """The monster, where the thing was."""
    return _as_character(scene, rng, "monster")


def plain(scene: Scene, rng: random.Random) -> Image.Image:
    """As the base draws it."""
    del rng
    return reduced(enlarged(scene))


EFFECTS: dict[str, Effect] = {
    "plain": plain,
    "ink outline": ink_outline,
    "neon": neon,
    "mosaic": mosaic,
    "candy stripes": candy_stripes,
    "snow": snow,
    "top hats": top_hats,
    "robots": robots,
    "monsters": monsters,
    "bold outline": bold_outline,
}

FOR_AUTOENCODER = tuple(name for name in EFFECTS if name not in ("plain", "bold outline"))
"""What the autoencoder sees beside plain pictures: the mosaic to train its eye, and thin outlines, not bold ones."""


def _as_character(scene: Scene, rng: random.Random, name: str) -> Image.Image:
    del rng
    picture = backdrop(scene.background)
    for thing in scene.things:
        put(picture, thing, name)
    return reduced(picture)


def _thing_mask(picture: Image.Image, empty: Image.Image) -> Image.Image:
    return ImageChops.difference(picture, empty).convert("L").point(lambda v: 255 if v > 2 else 0)


def _contour(picture: Image.Image, empty: Image.Image, *, width: int) -> Image.Image:
    """The rim inside each area of one colour that belongs to a thing. The width is odd, in enlarged pixels."""
    mask = _thing_mask(picture, empty)
    core = mask
    for _ in range(width // 2):  # the same as one wide filter, and much faster
        core = core.filter(ImageFilter.MinFilter(3))
    rim = ImageChops.subtract(mask, core)
    grey = picture.convert("L")
    spread = ImageChops.subtract(grey.filter(ImageFilter.MaxFilter(5)), grey.filter(ImageFilter.MinFilter(5)))
    inner = ImageChops.multiply(spread.point(lambda v: 255 if v > 24 else 0), mask)
    return ImageChops.lighter(rim, inner)


def _stripes() -> Image.Image:
    side, period = SIDE * SCALE, 16 * SCALE
    picture = Image.new("L", (side, side), 0)
    pen = ImageDraw.Draw(picture)
    for at in range(-side, side * 2, period):
        pen.polygon([(at, 0), (at + period * 0.45, 0), (at + period * 0.45 - side, side), (at - side, side)], fill=255)
    return picture


def _flake(pen: ImageDraw.ImageDraw, x: float, y: float, rng: random.Random) -> None:
    side, radius = SIDE * SCALE, rng.uniform(0.016, 0.026) * SIDE * SCALE
    pen.ellipse([x * side - radius, y * side - radius, x * side + radius, y * side + radius], fill=(252, 253, 255))


def _brighten(value: int) -> int:
    return min(255, 70 + value) if value > 14 else value
