"""LoRAs that are like another one, and the values that a filter has in the catalog: what the index does, as a scan.

Likeness is what two LoRAs share: words of the title, tags, the kind and the base model, within one architecture. Each
is worth its weight times how rare it is: how often the catalog can be halved until all that is left has it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from hub_ui.catalog.plan import VALUES, order_key, tie
from hub_ui.catalog.row import UNDER, Row
from hub_ui.catalog.search import most_first

Rows = Callable[[], Iterable[tuple[int, Row]]]
Named = Literal["creator", "tag", "base"]

_MOST_WORDS = 16
_MOST_TAGS = 24


@dataclass(frozen=True, kw_only=True, slots=True)
class Trait:
    """A value of a row that another one may share; `field` is "title" or a filter."""

    field: Literal["title", "tag", "kind", "base"]
    value: str
    weight: int

    def is_in(self, row: Row) -> bool:
        return f" {self.value} " in row.title if self.field == "title" else self.value in VALUES[self.field](row)


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


def find_similar(rows: Rows, model: Model, *, limit: int, nsfw: int) -> tuple[int, ...]:
    """Row ids, most alike first."""
    having: Counter[Trait] = Counter()
    total = 0
    for _, row in rows():
        total += 1
        having.update(trait for trait in model.traits if trait.is_in(row))
    worth = {trait: trait.weight * rarity(having[trait], total) for trait in model.traits}
    scored = []
    for row_id, row in rows():
        score = sum(value for trait, value in worth.items() if trait.is_in(row))
        if score and _may_be_shown(row, model, nsfw):
            scored.append((-score, -order_key(row, "relevance", tie(row)), row_id))
    return tuple(row_id for *_, row_id in sorted(scored)[:limit])


def find_values(rows: Rows, field: Named, prefix: str, *, limit: int) -> tuple[tuple[str, int], ...]:
    """Names that begin with `prefix`, and how many LoRAs have each, most frequent first."""
    listed = (row for _, row in rows() if row.kind != "runner")
    counts = Counter(value for row in listed for value in VALUES[field](row) if _begins(value, prefix))
    return tuple(most_first(counts).items())[:limit]


def _begins(value: str, prefix: str) -> bool:
    # With "=" in front a base model stands twice.
    return value.startswith(prefix) and not value.startswith("=")


def _may_be_shown(row: Row, model: Model, nsfw: int) -> bool:
    fits = not model.architectures or not set(model.architectures).isdisjoint(row.keys)
    is_listed = row.nsfw <= nsfw and row.access != "removed" and row.kind != "runner"
    return fits and is_listed and set(model.refs).isdisjoint(row.refs)
