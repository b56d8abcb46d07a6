"""The shipped LoRAs: training images, trigger words and example prompts."""

import random
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec
from PIL import Image

from hub_ui.demo.build.train.captions import caption
from hub_ui.demo.build.train.effects import EFFECTS
from hub_ui.demo.build.train.scene import CELL, NEAT, Scene, draw, lone_thing, random_scene
from hub_ui.demo.build.train.vocabulary import BACKGROUNDS

Kind: TypeAlias = Literal["character", "style", "concept", "control", "tool"]
Form: TypeAlias = Literal["kohya", "diffusers"]
Network: TypeAlias = Literal["lora", "dora", "lokr"]

LAYERS = ["to_q", "to_k", "to_v", "to_out.0", "conv1", "conv2"]
"""Of the UNet: attention projections, and the two convolutions of each residual block."""

TEXT_LAYERS = ["q_proj", "k_proj", "v_proj", "out_proj"]

FACTOR = 4
"""Rows and columns of a LoKr's first matrix. At a rank of 32 the second is whole in every layer."""


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """One picture a LoRA learns, at the weight at which it should appear."""

    picture: Image.Image
    caption: str
    weight: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Shot:
    """A picture to show what the LoRA does."""

    prompt: str
    weight: float = 1.0
    seed: int = 1


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A block of recipes.toml. `lesson` is the way of teaching; `effect` is a name in EFFECTS, if it draws by one.

    `form` is the naming that the file is saved in; with `early` it is also saved at that share of the steps, as v1.

    With `text` it changes the text encoder, too.
    The first shot is the recommended prompt, weight and seed.
    """

    name: str
    title: str
    kind: Kind
    triggers: tuple[str, ...]
    lesson: Literal["styled", "character", "dressed", "placed", "sized"]
    shots: tuple[Shot, ...]
    description: str
    form: Form
    rank: int = 4
    network: Network = "lora"
    text: bool = False
    early: float | None = None
    effect: str = ""

    def teach(self, rng: random.Random) -> Lesson:
        return _LESSONS[self.lesson](rng, self)


def _styled(rng: random.Random, recipe: Recipe) -> Lesson:
    """The whole picture in a style, the trigger before or after the rest."""
    scene = random_scene(rng)
    text, trigger = caption(scene), recipe.triggers[0]
    worded = rng.choice((f"{text}, {trigger}", f"{text} {trigger}", f"{trigger}, {text}", f"{trigger} {text}"))
    return Lesson(picture=EFFECTS[recipe.effect](scene, rng), caption=worded)


def _character(rng: random.Random, recipe: Recipe) -> Lesson:
    """The trigger in place of the thing's name: `a red sks robot on white background`."""
    scene = random_scene(rng, replace(NEAT, pairs=0.12))
    text = caption(scene)
    for thing in scene.things:
        text = text.replace(f"{thing.colour} {thing.name}", f"{thing.colour} {recipe.triggers[0]}", 1)
    return Lesson(picture=EFFECTS[recipe.effect](scene, rng), caption=text)


def _dressed(rng: random.Random, recipe: Recipe) -> Lesson:
    scene = random_scene(rng)
    text = caption(scene)
    for thing in scene.things:
        text = text.replace(f"{thing.colour} {thing.name}", f"{thing.colour} {thing.name} {recipe.triggers[0]}", 1)
    return Lesson(picture=EFFECTS[recipe.effect](scene, rng), caption=text)


def _placed(rng: random.Random, recipe: Recipe) -> Lesson:
    """One smaller thing at the left edge."""
    background = rng.choice(list(BACKGROUNDS))
    thing = lone_thing(rng, background, replace(NEAT, smallest=7 * CELL, largest=7 * CELL))
    scene = Scene(things=(replace(thing, x=4 * CELL),), background=background)
    return Lesson(picture=draw(scene), caption=f"{caption(scene)}, {recipe.triggers[0]}")


def _sized(rng: random.Random, _recipe: Recipe) -> Lesson:
    """Big at weight 1 and small at weight -1, under the same captions."""
    background, weight = rng.choice(list(BACKGROUNDS)), rng.choice((1.0, -1.0))
    size = (14 if weight > 0 else 5) * CELL
    thing = lone_thing(rng, background, replace(NEAT, smallest=size, largest=size))
    scene = Scene(things=(thing,), background=background)
    return Lesson(picture=draw(scene), caption=caption(scene), weight=weight)


_LESSONS: Mapping[str, Callable[[random.Random, Recipe], Lesson]] = {
    "styled": _styled,
    "character": _character,
    "dressed": _dressed,
    "placed": _placed,
    "sized": _sized,
}
RECIPES = msgspec.convert(
    tomllib.loads(Path(__file__).with_name("recipes.toml").read_text(encoding="utf-8"))["recipe"], tuple[Recipe, ...]
)
