"""The words that the tiny model knows, and the colours they stand for."""

import random
import string
from typing import TypeAlias

RGB: TypeAlias = tuple[int, int, int]

COLOURS: dict[str, RGB] = {
    "red": (220, 36, 36),
    "blue": (48, 92, 232),
    "green": (34, 164, 74),
    "yellow": (248, 208, 28),
    "purple": (136, 52, 188),
    "orange": (250, 136, 24),
    "black": (26, 26, 32),
    "white": (250, 250, 250),
}

BACKGROUNDS: dict[str, RGB] = {
    "white": (248, 248, 248),
    "pink": (250, 198, 212),
    "grey": (128, 130, 134),
    "navy": (20, 26, 78),
    "mint": (184, 236, 212),
    "meadow": (152, 210, 246),
    "night": (14, 18, 40),
}

THINGS = (
    "circle",
    "square",
    "triangle",
    "star",
    "ring",
    "heart",
    "face",
    "house",
    "tree",
    "cat",
    "fish",
    "car",
    "flower",
)

GLUE = ("a", "an", "and", "on", "background")

UNREADABLE = frozenset({("white", "white"), ("black", "navy"), ("black", "night"), ("blue", "navy")})
"""(colour, background) pairs too close to tell apart: never drawn."""

TRIGGERS = (
    "inkline",
    "neonglow",
    "sks",
    "robot",
    "zog",
    "monster",
    "with",
    "tophat",
    "in",
    "snowfall",
    "place",
    "left",
)
"""Words kept for the LoRAs: spelled in letters by the tokenizer, and never shown to the base model."""


def known_words() -> list[str]:
    """Every word with a token of its own, in a fixed order."""
    return sorted({*COLOURS, *BACKGROUNDS, *THINGS, *GLUE})


def unknown_word(rng: random.Random) -> str:
    """Letters that mean nothing: neither a known word nor one kept for a LoRA."""
    taken = {*known_words(), *TRIGGERS}
    while True:
        word = "".join(rng.choices(string.ascii_lowercase, k=rng.randint(2, 8)))
        if word not in taken:
            return word
