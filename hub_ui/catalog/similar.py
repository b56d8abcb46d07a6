"""What makes a LoRA like another one.

Likeness is what two LoRAs share: words of the title, tags, the kind and the base model, within one architecture. Each
is worth its weight times how rare it is: how often the catalog can be halved until all that is left has it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hub_ui.catalog.row import UNDER, Row

Named = Literal["creator", "tag", "base"]

_MOST_WORDS = 16
_MOST_TAGS = 24


@dataclass(frozen=True, kw_only=True, slots=True)
class Trait:
    """A value of a row that another one may share; `field` is "title" or a filter."""

    field: Literal["title", "tag", "kind", "base"]
    value: str
    weight: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Model:
    """What a LoRA is compared by. `architectures` are base filters, of which one must fit."""

    refs: tuple[str, ...]
    architectures: tuple[str, ...]
    traits: tuple[Trait, ...]


def model(row: Row) -> Model:
    words = list(dict.fromkeys(row.title.split()))[:_MOST_WORDS]
    names = [key for key in row.keys if key.startswith("=")]
    return Model(
        refs=row.refs,
        architectures=tuple(dict.fromkeys(group.partition(UNDER)[0] for group in row.groups)),
        traits=(
            *(Trait(field="title", value=word, weight=4) for word in words if word != "|"),
            *(Trait(field="tag", value=tag, weight=3) for tag in row.tags[:_MOST_TAGS]),
            *(Trait(field="kind", value=row.kind, weight=2) for _ in range(1) if row.kind),
            *(Trait(field="base", value=name, weight=1) for name in names),
        ),
    )


def rarity(having: int, total: int) -> int:
    """0 for what more than half of them have."""
    return max(0, (total // having).bit_length() - 1) if having else 0
