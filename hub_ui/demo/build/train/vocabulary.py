"""The words that the tiny model knows, and the colours they stand for."""

import random
import string
import tomllib
from pathlib import Path
from typing import TypeAlias

import msgspec

RGB: TypeAlias = tuple[int, int, int]

_FILE = tomllib.loads(Path(__file__).with_name("vocabulary.toml").read_text(encoding="utf-8"))
COLOURS = msgspec.convert(_FILE["colours"], dict[str, RGB])
BACKGROUNDS = msgspec.convert(_FILE["backgrounds"], dict[str, RGB])
THINGS: tuple[str, ...] = tuple(_FILE["words"]["things"])
GLUE: tuple[str, ...] = tuple(_FILE["words"]["glue"])

UNREADABLE = frozenset({("white", "white"), ("black", "navy"), ("black", "night"), ("blue", "navy")})
"""(colour, background) pairs too close to tell apart: never drawn."""

TRIGGERS: tuple[str, ...] = tuple(_FILE["words"]["triggers"])
"""Words kept for the LoRAs."""


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
