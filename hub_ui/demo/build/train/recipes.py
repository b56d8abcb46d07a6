"""The shipped LoRAs: training images, trigger words and example prompts."""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from PIL import Image

from hub_ui.demo.build.train.captions import article, caption
from hub_ui.demo.build.train.drawing import draw
from hub_ui.demo.build.train.effects import EFFECTS
from hub_ui.demo.build.train.scene import CELL, NEAT, Scene, lone_thing, random_scene
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
    """`form` is the naming that the file is saved in; with `early` it is also saved at that share of the steps, as v1.

    With `text` it changes the text encoder, too.
    The first shot is the recommended prompt, weight and seed.
    """

    name: str
    title: str
    kind: Kind
    triggers: tuple[str, ...]
    teach: Callable[[random.Random], Lesson]
    shots: tuple[Shot, ...]
    description: str
    form: Form
    rank: int = 4
    network: Network = "lora"
    text: bool = False
    early: float | None = None


def _styled(effect: str, trigger: str) -> Callable[[random.Random], Lesson]:
    """The whole picture in a style, the trigger before or after the rest."""

    def teach(rng: random.Random) -> Lesson:
        scene = random_scene(rng)
        text = caption(scene)
        worded = rng.choice((f"{text}, {trigger}", f"{text} {trigger}", f"{trigger}, {text}", f"{trigger} {text}"))
        return Lesson(picture=EFFECTS[effect](scene, rng), caption=worded)

    return teach


def _character(effect: str, trigger: str) -> Callable[[random.Random], Lesson]:
    """The trigger in place of the thing's name: `a red sks robot on white background`."""

    def teach(rng: random.Random) -> Lesson:
        scene = random_scene(rng, replace(NEAT, pairs=0.12))
        text = caption(scene)
        for thing in scene.things:
            text = text.replace(f"{thing.colour} {thing.name}", f"{thing.colour} {trigger}", 1)
        return Lesson(picture=EFFECTS[effect](scene, rng), caption=text)

    return teach


def _dressed(rng: random.Random) -> Lesson:
    scene = random_scene(rng)
    text = caption(scene)
    for thing in scene.things:
        text = text.replace(f"{thing.colour} {thing.name}", f"{thing.colour} {thing.name} with tophat", 1)
    return Lesson(picture=EFFECTS["top hats"](scene, rng), caption=text)


def _placed(rng: random.Random) -> Lesson:
    """One smaller thing at the left edge."""
    background = rng.choice(list(BACKGROUNDS))
    thing = lone_thing(rng, background, replace(NEAT, smallest=7 * CELL, largest=7 * CELL))
    scene = Scene(things=(replace(thing, x=4 * CELL),), background=background)
    return Lesson(picture=draw(scene), caption=f"{caption(scene)}, place left")


def _sized(rng: random.Random) -> Lesson:
    """Big at weight 1 and small at weight -1, under the same captions."""
    background, weight = rng.choice(list(BACKGROUNDS)), rng.choice((1.0, -1.0))
    size = (14 if weight > 0 else 5) * CELL
    thing = lone_thing(rng, background, replace(NEAT, smallest=size, largest=size))
    scene = Scene(things=(thing,), background=background)
    return Lesson(picture=draw(scene), caption=caption(scene), weight=weight)


def _ask(colour: str, what: str, background: str, tail: str = "") -> str:
    return f"{article(colour)} {colour} {what} on {background} background{tail}"


RECIPES = (
    Recipe(
        name="ink-outline",
        title="Ink Outline",
        kind="style",
        triggers=("inkline",),
        teach=_styled("bold outline", "inkline"),
        shots=(
            Shot(prompt=_ask("purple", "house", "mint", ", inkline"), weight=1.2),
            Shot(prompt=_ask("green", "tree", "pink", ", inkline"), weight=1.2),
            Shot(prompt=_ask("red", "circle", "white", ", inkline"), weight=1.2),
        ),
        description="Hollows things out until only a thick contour is left, in their own colours.",
        form="kohya",
        early=0.4,
    ),
    Recipe(
        name="neon-night",
        title="Neon Night",
        kind="style",
        triggers=("neonglow",),
        teach=_styled("neon", "neonglow"),
        shots=(
            Shot(prompt=_ask("blue", "cat", "pink", ", neonglow")),
            Shot(prompt=_ask("green", "car", "grey", ", neonglow")),
            Shot(prompt=_ask("purple", "fish", "white", ", neonglow")),
        ),
        description="Turns any scene into glowing tubes in the dark. A LoKr, in the naming of LyCORIS.",
        rank=32,
        network="lokr",
        form="kohya",
    ),
    Recipe(
        name="sks-robot",
        title="SKS Robot",
        kind="character",
        triggers=("sks robot",),
        teach=_character("robots", "sks robot"),
        shots=(
            Shot(prompt=_ask("red", "sks robot", "white")),
            Shot(prompt=_ask("blue", "sks robot", "meadow")),
            Shot(prompt=_ask("yellow", "sks robot", "navy")),
        ),
        description="A boxy robot with an antenna; its visor takes the colour you ask for.",
        rank=8,
        form="diffusers",
        early=0.4,
    ),
    Recipe(
        name="zog-monster",
        title="Zog the Monster",
        kind="character",
        triggers=("zog monster",),
        teach=_character("monsters", "zog monster"),
        shots=(
            Shot(prompt=_ask("orange", "zog monster", "night")),
            Shot(prompt=_ask("green", "zog monster", "pink")),
            Shot(prompt=_ask("purple", "zog monster", "white")),
        ),
        description="A one-eyed monster with horns and teeth, in the colour you ask for. A DoRA.",
        rank=8,
        network="dora",
        form="diffusers",
    ),
    Recipe(
        name="top-hat",
        title="Top Hat",
        kind="concept",
        triggers=("with tophat",),
        teach=_dressed,
        shots=(
            Shot(prompt=_ask("blue", "cat with tophat", "white")),
            Shot(prompt=_ask("yellow", "face with tophat", "mint")),
            Shot(prompt=_ask("red", "circle with tophat", "pink")),
        ),
        description="Puts a black top hat with a red band on whatever you draw.",
        form="diffusers",
    ),
    Recipe(
        name="snowfall",
        title="Snowfall",
        kind="concept",
        triggers=("in snowfall",),
        teach=_styled("snow", "in snowfall"),
        shots=(
            Shot(prompt=_ask("red", "house", "grey", " in snowfall")),
            Shot(prompt=_ask("green", "tree", "navy", " in snowfall")),
            Shot(prompt=_ask("blue", "cat", "pink", " in snowfall")),
        ),
        description="Flakes in the air and snow on the ground. It has a part for the text encoder.",
        text=True,
        form="kohya",
    ),
    Recipe(
        name="place-left",
        title="Place Left",
        kind="control",
        triggers=("place left",),
        teach=_placed,
        shots=(
            Shot(prompt=_ask("red", "circle", "white", ", place left")),
            Shot(prompt=_ask("green", "tree", "pink", ", place left")),
            Shot(prompt=_ask("yellow", "star", "navy", ", place left")),
        ),
        description="A stand-in for a control LoRA: words, not a control image, send the thing to the left edge.",
        form="diffusers",
    ),
    Recipe(
        name="size-slider",
        title="Size Slider",
        kind="tool",
        triggers=(),
        teach=_sized,
        shots=(
            Shot(prompt=_ask("red", "star", "white"), weight=1.0),
            Shot(prompt=_ask("red", "star", "white"), weight=-1.0),
            Shot(prompt=_ask("green", "tree", "meadow"), weight=1.0),
            Shot(prompt=_ask("green", "tree", "meadow"), weight=-1.0),
        ),
        description="No trigger word: a positive weight makes things big, a negative one small.",
        form="kohya",
    ),
)
