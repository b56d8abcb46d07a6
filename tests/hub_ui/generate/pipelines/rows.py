"""A row of the comparison: which file on which pipeline, and who can read it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

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
from tests.hub_ui.generate.pipelines.spellings import Spelling, dotted, underscored

Make = Callable[[Any, int], File]


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """`make` takes the pipeline and a seed. `alone`: why diffusers alone can't be asked; None where it can.

    `stacked`: whether two of them at once are compared too.
    """

    base: Base
    name: str
    make: Make
    alone: str | None = None
    stacked: bool = True

    def __str__(self) -> str:
        return self.name


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
REAL_SIZE = "diffusers' converter has the real network's sizes written into it"


def dit_rows(base: Base, name: str, wanted: str = BLOCKS) -> tuple[Row, ...]:
    """What diffusers' own training scripts write, and the same names in other frames."""
    peft = file(dotted("transformer", "transformer.", wanted), PEFT)
    return (
        Row(base=base, name=f"{name} diffusers", make=peft),
        Row(base=base, name=f"{name} diffusers with metadata", make=described(peft, "transformer")),
        Row(
            base=base,
            name=f"{name} peft",
            make=file(dotted("transformer", "base_model.model.", wanted), PEFT),
            alone=REFUSED,
        ),
        Row(
            base=base,
            name=f"{name} bare names",
            make=file(dotted("transformer", "", wanted), PEFT_DEFAULT),
            alone=SILENT,
        ),
        Row(
            base=base,
            name=f"{name} lycoris names",
            make=file(underscored("transformer", "lycoris_", wanted), KOHYA),
            alone=SILENT,
        ),
    )
