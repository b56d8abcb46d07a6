"""What is to be seen in one picture, before it is drawn."""

import random
from dataclasses import dataclass

from hub_ui.demo.train.vocabulary import BACKGROUNDS, COLOURS, THINGS, UNREADABLE


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


def random_scene(rng: random.Random, *, pair_share: float = 0.22) -> Scene:
    """One thing anywhere, or two side by side."""
    background = rng.choice(list(BACKGROUNDS))
    if rng.random() < pair_share:
        return Scene(things=(_half(rng, background, 0.27), _half(rng, background, 0.73)), background=background)
    return Scene(things=(lone_thing(rng, background),), background=background)


def lone_thing(rng: random.Random, background: str, *, smallest: float = 0.4, largest: float = 0.66) -> Thing:
    """One thing that lies wholly inside the picture, with a margin of 5 %."""
    size = rng.uniform(smallest, largest)
    reach = 0.5 - size / 2 - 0.05
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


def _half(rng: random.Random, background: str, x: float) -> Thing:
    return Thing(
        name=rng.choice(THINGS),
        colour=readable_colour(rng, background),
        x=x + rng.uniform(-0.02, 0.02),
        y=0.5 + rng.uniform(-0.12, 0.12),
        size=rng.uniform(0.34, 0.42),
    )
