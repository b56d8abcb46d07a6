"""What is compared with what: sheets of cells that share one seed, one size and one base, and differ in one thing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

SheetKind = Literal["one", "pair", "strip", "trigger", "both", "grid"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """One picture. `prompt` is as used, trigger words included; `weights` has one for each LoRA of the job.

    All weights 0 is the base alone.
    """

    label: str
    prompt: str
    weights: tuple[float, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Sheet:
    """`cells` run row by row; there are as many as `rows` times `columns` have labels."""

    kind: SheetKind
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cells: tuple[Cell, ...]
