"""A row of the comparison: which file on which pipeline, and who can read it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.hub_ui.generate.pipelines.bases import TINY
from tests.hub_ui.generate.pipelines.files import (
    KOHYA,
    PEFT,
    PEFT_DEFAULT,
    Endings,
    Ranks,
    low_rank,
    same,
    together,
    with_metadata,
)
from tests.hub_ui.generate.pipelines.frame import Base, File
from tests.hub_ui.generate.pipelines.spellings import Spelling, own

Make = Callable[[Any, int], File]


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """`make` takes the pipeline and a seed. `alone`: why diffusers alone can't be asked; None where it can."""

    base: Base
    name: str
    make: Make
    alone: str | None = None

    def __str__(self) -> str:
        return f"{self.base} {self.name}"


def rows(base: str, *table: tuple[str, Make] | tuple[str, Make, str]) -> tuple[Row, ...]:
    """Of one base: name, file, and why diffusers alone can't be asked."""
    return tuple(
        Row(base=TINY[base], name=entry[0], make=entry[1], alone=entry[2] if len(entry) == 3 else None)
        for entry in table
    )


def file(spelling: Spelling, endings: Endings, ranks: Ranks = same(4, 2.0)) -> Make:  # noqa: B008
    return lambda pipe, seed: low_rank(pipe, spelling(pipe), endings, seed=seed, ranks=ranks)


def parts(*makes: Make) -> Make:
    return lambda pipe, seed: together(*(make(pipe, seed + 10 * i) for i, make in enumerate(makes)))


def described(make: Make, component: str, rank_stabilised: bool = False) -> Make:
    """Of rank 4, with an alpha of 6."""
    return lambda pipe, seed: with_metadata(make(pipe, seed), pipe, component, 4, 6.0, rank_stabilised)


BLOCKS = r"transformer_blocks"
T5 = r"SelfAttention|DenseReluDense"
SILENT = "diffusers leaves such names aside in silence"
REFUSED = "diffusers refuses such names"
UNREAD = "diffusers does not read all of it"
REAL_SIZE = "diffusers' converter has the real network's sizes written into it"


def dit_rows(base: str) -> tuple[Row, ...]:
    """What diffusers' own training scripts write, and the same names in other frames."""
    peft = file(own("transformer", "transformer.", BLOCKS), PEFT)
    return rows(
        base,
        ("diffusers", peft),
        ("diffusers with metadata", described(peft, "transformer")),
        ("peft", file(own("transformer", "base_model.model.", BLOCKS), PEFT), REFUSED),
        ("bare names", file(own("transformer", "", BLOCKS), PEFT_DEFAULT), SILENT),
        ("lycoris names", file(own("transformer", "lycoris_", BLOCKS), KOHYA), SILENT),
    )
