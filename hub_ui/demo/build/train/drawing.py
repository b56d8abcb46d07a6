"""Draws scenes. The same scene always gives the same image."""

from PIL import Image, ImageDraw

from hub_ui.demo.build.train.scene import Scene, Thing
from hub_ui.demo.build.train.shapes import PAINTERS, Pen
from hub_ui.demo.build.train.vocabulary import BACKGROUNDS, COLOURS

SIDE = 128
"""Pixels along each side of a picture."""

SCALE = 3
"""Pictures are drawn this many times larger and then reduced, which smooths their edges."""


def draw(scene: Scene) -> Image.Image:
    """The picture at its native size, RGB."""
    return reduced(enlarged(scene))


def enlarged(scene: Scene) -> Image.Image:
    """The picture before it is reduced."""
    picture = backdrop(scene.background)
    for thing in scene.things:
        put(picture, thing, thing.name)
    return picture


def reduced(picture: Image.Image) -> Image.Image:
    """From drawing size to native size."""
    return picture.reduce(SCALE)


def put(picture: Image.Image, thing: Thing, painter: str) -> None:
    """Draw with the named painter at the thing's place, into an enlarged picture."""
    side = SIDE * SCALE
    pen = Pen(
        draw=ImageDraw.Draw(picture),
        x=thing.x * side,
        y=thing.y * side,
        radius=thing.size * side / 2,
        colour=COLOURS[thing.colour],
    )
    PAINTERS[painter](pen)


def backdrop(name: str) -> Image.Image:
    """The enlarged background alone."""
    side = SIDE * SCALE
    picture = Image.new("RGB", (side, side), BACKGROUNDS[name])
    pen = ImageDraw.Draw(picture)
    if name == "meadow":
        pen.rectangle([0, side * 0.6875, side, side], fill=(120, 200, 96))
    if name == "night":
        pen.ellipse([side * 0.78, side * 0.05, side * 0.95, side * 0.22], fill=(250, 240, 190))
        pen.ellipse([side * 0.73, side * 0.03, side * 0.89, side * 0.19], fill=BACKGROUNDS[name])
    return picture
