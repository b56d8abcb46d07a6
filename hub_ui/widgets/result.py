"""A generation's images: two with a slider, a row or a grid of them, and how much of the files took effect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from hub_ui.generate.comparison import ComparisonKind
from hub_ui.generate.coverage import Missed
from hub_ui.widgets.render import Renderer


@dataclass(frozen=True, kw_only=True)
class Tile:
    """One image by its address. `weight` is the varied LoRA's, which a click copies to the form."""

    src: str
    label: str
    weight: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Result:
    """`left` and `right` number the tiles under the slider; a grid has `rows` and `columns`; `refs` are its LoRAs.

    `proof` says how much of the files took effect, `whole` whether all did. `saves` are (link text, address, file
    name). `settings` is for "copy settings". `varied` is the position of the varied LoRA, `name` is its name, and
    `title` names the others' weights too. `fits`: images of other proportions are shown whole.
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
    saves: tuple[tuple[str, str, str], ...] = ()
    settings: str = ""
    varied: int = 0
    title: str = ""
    name: str = ""
    fits: bool = False

    def showing(self, index: int) -> Result:
        """With another tile on the right of the slider."""
        return replace(self, right=index) if 0 <= index < len(self.tiles) else self

    @property
    def table(self) -> Sequence[Sequence[Tile]]:
        width = max(1, len(self.columns))
        return [self.tiles[at : at + width] for at in range(0, len(self.tiles), width)]


EMPTY: dict[ComparisonKind, str] = {
    "pair": "Two images will appear here: the base alone, and with your LoRAs, from the same seed.",
    "strip": "A row of images will appear here: the LoRA at several weights, from the base alone to the full effect.",
    "trigger": "Two images will appear here, both with your LoRAs: without the trigger words, and with them.",
    "both": "Four images will appear here: the base alone, each of two LoRAs, and both together.",
    "grid": "A table of images will appear here: your prompts down, weights of the LoRA across.",
}
SEVERAL: dict[ComparisonKind, str] = {
    "strip": "A row of images will appear here: one LoRA at several weights, while the others keep theirs.",
    "grid": "A table of images will appear here: your prompts down, weights of one LoRA across, while the others keep "
    "theirs.",
}


def result_html(render: Renderer, result: Result) -> str:
    return render("result", r=result, indexed=list(enumerate(result.tiles)))


def empty_result_html(render: Renderer, kind: ComparisonKind = "pair", *, several: bool = False) -> str:
    """`several`: more than one LoRA is tried."""
    return render("result_empty", text=(SEVERAL if several else {}).get(kind, EMPTY[kind]))


def progress_html(render: Renderer, text: str, fraction: float | None, *, preview: str = "", left: str = "") -> str:
    """`fraction` in 0..1, or None while the length is unknown. `preview` is an image's address."""
    percent = None if fraction is None else round(100 * fraction)
    return render("progress", text=text, percent=percent, preview=preview, left=left)
