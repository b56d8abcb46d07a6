"""Scenes: the contents of an image, and how it is drawn. The same scene always gives the same image."""

import random
from dataclasses import dataclass

from PIL import Image, ImageDraw

from hub_ui.demo.build.train.shapes import PAINTERS, Pen
from hub_ui.demo.build.train.vocabulary import BACKGROUNDS, COLOURS, THINGS, UNREADABLE

SIDE = 128
"""Pixels along each side of a picture."""

SCALE = 3
"""Pictures are drawn this many times larger and then reduced, which smooths their edges."""


@dataclass(frozen=True, kw_only=True)
class Thing:
    """Centre and size are fractions of the picture's side; the size is the full width."""

    name: str
    colour: str
    x: float = 0.5
    y: float = 0.5
    size: float = 0.5


@dataclass(frozen=True, kw_only=True)
class Scene:
    things: tuple[Thing, ...]
    background: str


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How freely things lie: how many pictures hold two, the sizes, and how far a thing may be off its spot.

    Sizes and places are whole multiples of `grid`, unless it is 0.
    """

    pairs: float
    smallest: float
    largest: float
    stray: tuple[float, float] = (1.0, 1.0)
    pair_smallest: float = 0.34
    pair_stray: tuple[float, float] = (0.02, 0.12)
    pair_largest: float = 0.42
    pair_x: float = 0.27
    grid: float = 0.0

    def snapped(self, value: float) -> float:
        return round(value / self.grid) * self.grid if self.grid else value


DETAILED = Layout(pairs=0.22, smallest=0.4, largest=0.66)
"""For the autoencoder: smaller things, more detail to keep."""

LOOSE = Layout(pairs=0.2, smallest=0.5, largest=0.74)
"""For the base's first lessons."""

CELL = 1 / 16
"""One cell of the latents."""

NEAT = Layout(
    pairs=0.1,
    smallest=11 * CELL,
    largest=11 * CELL,
    stray=(CELL, 0),
    pair_smallest=6 * CELL,
    pair_largest=6 * CELL,
    pair_x=4 * CELL,
    pair_stray=(0, 0),
    grid=CELL,
)
"""For all later lessons: a thing that lies on the cells has the same latents wherever it lies, so that edges are learnt
once, not for every fraction of a cell."""


def random_scene(rng: random.Random, layout: Layout = NEAT) -> Scene:
    """One thing, or two side by side."""
    background = rng.choice(list(BACKGROUNDS))
    if rng.random() < layout.pairs:
        halves = (_half(rng, background, layout, layout.pair_x), _half(rng, background, layout, 1 - layout.pair_x))
        return Scene(things=halves, background=background)
    return Scene(things=(lone_thing(rng, background, layout),), background=background)


def lone_thing(rng: random.Random, background: str, layout: Layout) -> Thing:
    """One thing that lies wholly inside the picture, with a margin of 5 %."""
    size = layout.snapped(rng.uniform(layout.smallest, layout.largest))
    aside, along = (min(stray, 0.5 - size / 2 - 0.05) for stray in layout.stray)
    return Thing(
        name=rng.choice(THINGS),
        colour=readable_colour(rng, background),
        x=0.5 + layout.snapped(rng.uniform(-aside, aside)),
        y=0.5 + layout.snapped(rng.uniform(-along, along)),
        size=size,
    )


def readable_colour(rng: random.Random, background: str) -> str:
    """A colour that stands out from the background."""
    return rng.choice([colour for colour in COLOURS if (colour, background) not in UNREADABLE])


def _half(rng: random.Random, background: str, layout: Layout, x: float) -> Thing:
    aside, along = layout.pair_stray
    return Thing(
        name=rng.choice(THINGS),
        colour=readable_colour(rng, background),
        x=x + layout.snapped(rng.uniform(-aside, aside)),
        y=0.5 + layout.snapped(rng.uniform(-along, along)),
        size=layout.snapped(rng.uniform(layout.pair_smallest, layout.pair_largest)),
    )


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
