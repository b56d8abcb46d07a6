"""The contents of an image, before it is drawn."""

import random
from dataclasses import dataclass

from hub_ui.demo.build.train.vocabulary import BACKGROUNDS, COLOURS, THINGS, UNREADABLE


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
    """How freely things lie: how many pictures hold two, the sizes, and how far a thing may be off its spot."""

    pairs: float
    smallest: float
    largest: float
    stray: float = 1.0
    pair_smallest: float = 0.34
    pair_stray: tuple[float, float] = (0.02, 0.12)


DETAILED = Layout(pairs=0.22, smallest=0.4, largest=0.66)
"""For the autoencoder: smaller things, more detail to keep."""

LOOSE = Layout(pairs=0.2, smallest=0.5, largest=0.74)
"""For the base's first lessons."""

NEAT = Layout(pairs=0.2, smallest=0.6, largest=0.7, stray=0.03, pair_smallest=0.38, pair_stray=(0.01, 0.03))
"""For all later lessons: where everything has its spot, a small model learns what things look like much sooner."""


def random_scene(rng: random.Random, layout: Layout = NEAT) -> Scene:
    """One thing, or two side by side."""
    background = rng.choice(list(BACKGROUNDS))
    if rng.random() < layout.pairs:
        halves = (_half(rng, background, layout, 0.27), _half(rng, background, layout, 0.73))
        return Scene(things=halves, background=background)
    return Scene(things=(lone_thing(rng, background, layout),), background=background)


def lone_thing(rng: random.Random, background: str, layout: Layout) -> Thing:
    """One thing that lies wholly inside the picture, with a margin of 5 %."""
    size = rng.uniform(layout.smallest, layout.largest)
    reach = min(layout.stray, 0.5 - size / 2 - 0.05)
    return Thing(
        name=rng.choice(THINGS),
        colour=readable_colour(rng, background),
        x=0.5 + rng.uniform(-reach, reach),
        y=0.5 + rng.uniform(-reach, reach),
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
        x=x + rng.uniform(-aside, aside),
        y=0.5 + rng.uniform(-along, along),
        size=rng.uniform(layout.pair_smallest, 0.42),
    )
