"""Names with one typo: words of titles in the recordings, each with a letter missing, added, changed and moved."""

import random
from collections.abc import Iterable, Iterator
from pathlib import Path
from string import ascii_lowercase

from connectors.query import Query
from connectors.record import Lora
from hub_ui.catalog.catalog import Catalog
from hub_ui.catalog.row import words

_SHORTEST = 5
_MOST_OF_A_TITLE = 3


def lost(loras: Iterable[Lora], folder: Path) -> tuple[int, list[str]]:
    """How many were asked for, and those that found nothing."""
    given = tuple(loras)
    with Catalog.open(folder / "typos.sqlite") as catalog:
        catalog.add(given)
        asked = sorted({typo for lora in given for name in names(lora) for typo in with_typos(name)})
        return len(asked), [text for text in asked if not catalog.search(Query(text=text, nsfw="explicit")).total]


def names(lora: Lora) -> list[str]:
    found = (word for word in words(lora.title) if word.isascii() and word.isalpha() and len(word) >= _SHORTEST)
    return list(found)[:_MOST_OF_A_TITLE]


def with_typos(name: str) -> Iterator[str]:
    """Four, the same for the same name."""
    draw = random.Random(name)
    at, letter = draw.randrange(len(name) - 1), draw.choice(ascii_lowercase)
    yield name[:at] + name[at + 1 :]
    yield name[:at] + letter + name[at:]
    yield name[:at] + letter + name[at + 1 :]
    yield name[:at] + name[at + 1] + name[at] + name[at + 2 :]
