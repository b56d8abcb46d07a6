"""A generation's images: two with a slider, a row or a grid of them, and how much of the files took effect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from hub_ui.generate.comparison import ComparisonKind
from hub_ui.generate.coverage import Missed
from hub_ui.generate.request import GenerationRequest
from hub_ui.i18n import N_


@dataclass(frozen=True, kw_only=True)
class Tile:
    """One image by its address. `weight` is the varied LoRA's, where the other LoRAs have theirs; `settings` is for
    "copy settings".
    """

    src: str
    label: str
    weight: float | None = None
    settings: str = ""

    @property
    def file(self) -> str:
        """The name under which it is saved."""
        return self.src.rpartition("/")[2]


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A setting of two images."""

    name: str
    left: str
    right: str


@dataclass(frozen=True, kw_only=True)
class Result:
    """`left` and `right` number the tiles under the slider; a grid has `rows` and `columns`; `refs` are its LoRAs.

    `proof` says how much of the files took effect, `whole` whether all did. `sheet` is the address of the whole
    comparison as one image. `varied` is the position of the varied LoRA, `name` is its name, and `title` names the
    others' weights too. `fits`: images of other proportions are shown whole. `request` made it; `offered` are the
    weights of a row under a pair. `link` is an address with its settings, `link_note` what that leaves out. Of two
    results, the first `split` tiles are the first one's, and `differences` those of the shown images.
    """

    kind: ComparisonKind
    tiles: tuple[Tile, ...]
    width: int
    height: int
    proof: str
    whole: bool
    detail: str
    refs: tuple[str, ...] = ()
    left: int = 0
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
    split: int = 0
    differences: tuple[Difference, ...] = ()

    def showing(self, index: int) -> Result:
        """With another tile on the right of the slider; of two results, on the side of its own."""
        if not 0 <= index < len(self.tiles):
            return self
        return replace(self, left=index) if index < self.split else replace(self, right=index)

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
        weight = self.right_tile.weight
        return weight if self.offered and self.right > 1 else None

    @property
    def table(self) -> Sequence[Sequence[Tile]]:
        width = max(1, len(self.columns))
        return [self.tiles[at : at + width] for at in range(0, len(self.tiles), width)]


EMPTY: dict[ComparisonKind, str] = {
    "pair": N_("Two images will appear here: the base alone, and with your LoRAs, from the same seed."),
    "strip": N_(
        "A row of images will appear here: the LoRA at several weights, from the base alone to the full effect."
    ),
    "trigger": N_("Two images will appear here, both with your LoRAs: without the trigger words, and with them."),
    "both": N_("Four images will appear here: the base alone, each of two LoRAs, and both together."),
    "grid": N_("A table of images will appear here: your prompts down, weights of the LoRA across."),
}
SEVERAL: dict[ComparisonKind, str] = {
    "strip": N_("A row of images will appear here: one LoRA at several weights, while the others keep theirs."),
    "grid": N_(
        "A table of images will appear here: your prompts down, weights of one LoRA across, while the others keep "
        "theirs."
    ),
}
