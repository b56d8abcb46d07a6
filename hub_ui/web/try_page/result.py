"""A generation's images: two with a slider, a row or a grid of them, and how much of the files took effect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from hub_ui.generate.comparison import ComparisonKind
from hub_ui.generate.request import GenerationRequest
from hub_ui.generate.result import Missed


@dataclass(frozen=True, kw_only=True)
class Tile:
    """One image by its address. `weight` is the varied LoRA's, where the other LoRAs have theirs; `settings` is for
    "copy settings".
    """

    src: str
    label: str
    weight: float | None = None
    settings: str = ""


@dataclass(frozen=True, kw_only=True)
class Result:
    """The first tile is on the left of the slider, `right` numbers the other. A grid has `rows` and `columns`.

    `proof` says how much of the files took effect, `whole` whether all did. `sheet` is the address of the whole
    comparison as one image. `varied` is the position of the varied LoRA among `refs`, `name` is its name, and `title`
    names the others' weights too. `fits`: images of other proportions are shown whole. `request` made it; `offered` are
    the weights of a row under a pair. `link` is an address with its settings, `link_note` what that leaves out.
    """

    kind: ComparisonKind
    tiles: tuple[Tile, ...]
    width: int
    height: int
    proof: str
    whole: bool
    detail: str
    refs: tuple[str, ...] = ()
    right: int = 1
    rows: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    missed: tuple[Missed, ...] = ()
    notes: tuple[str, ...] = ()
    control: str = ""
    sheet: str = ""
    varied: int = 0
    title: str = ""
    name: str = ""
    fits: bool = False
    request: GenerationRequest | None = None
    offered: tuple[float, ...] = ()
    link: str = ""
    link_note: str = ""

    def showing(self, index: int | None) -> Result:
        """With another tile on the right of the slider."""
        return self if index is None or index >= len(self.tiles) else replace(self, right=index)

    @property
    def right_tile(self) -> Tile:
        """The tile on the right, which is saved."""
        return self.tiles[min(self.right, len(self.tiles) - 1)]

    @property
    def is_swept(self) -> bool:
        """Whether its tiles are named by their weights."""
        return self.kind == "strip" or bool(self.offered)

    @property
    def slots(self) -> Sequence[tuple[float, int | None]]:
        """The row under a pair: each weight with its tile, None for one that is not generated yet."""
        places = {tile.weight: i for i, tile in enumerate(self.tiles) if tile.weight is not None}
        return [(weight, places.get(weight)) for weight in self.offered]

    @property
    def missing(self) -> tuple[float, ...]:
        return tuple(weight for weight, tile in self.slots if tile is None)

    @property
    def usable(self) -> float | None:
        """The shown weight, if it is another one than the pair was made with."""
        return self.right_tile.weight if self.offered and self.right > 1 else None
