"""What is compared with what: sheets of cells that share one seed, one size and one base, and differ in one thing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from connectors.errors import UsageError
from hub_ui.generate.prompt import as_used, trigger_words, with_words, without_words

if TYPE_CHECKING:
    from hub_ui.generate.request import GenerationRequest

SheetKind = Literal["one", "pair", "strip", "trigger", "both", "grid"]
USUAL_STRIP = (0.0, 0.3, 0.6, 0.9, 1.2)
MOST_CELLS = 48
_LONGEST_TITLE = 40


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """One picture. `prompt` is as used, trigger words included; `weights` has one for each LoRA of the job.

    All weights 0 is the base alone.
    """

    label: str
    prompt: str
    weights: tuple[float, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """`cells` run row by row; there are as many as `rows` times `columns` have labels."""

    kind: SheetKind
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cells: tuple[Cell, ...]


def one(job: GenerationRequest) -> Comparison:
    """A single picture with all the LoRAs; of the base alone where there are none."""
    label = _loras(job, _own(job)) or "the base alone"
    return _row("one", (Cell(label=label, prompt=as_used(job), weights=_own(job)),))


def pair(job: GenerationRequest) -> Comparison:
    """Without and with the LoRAs, under the same prompt."""
    _need(job, 1, "A pair needs a LoRA to leave out and put on. Choose one.")
    prompt, off = as_used(job), (0.0,) * len(job.adapters)
    return _row(
        "pair",
        (
            Cell(label="without", prompt=prompt, weights=off),
            Cell(label=f"with {_loras(job, _own(job))}", prompt=prompt, weights=_own(job)),
        ),
    )


def strip(job: GenerationRequest, weights: Sequence[float] = USUAL_STRIP, varied: int = 0) -> Comparison:
    """One LoRA at several weights, the first unless `varied` says which; the others keep theirs."""
    _need(job, 1, "A strip needs a LoRA whose weight it can turn up. Choose one.")
    _check(weights, 1)
    prompt = as_used(job)
    cells = tuple(Cell(label=f"{w:g}", prompt=prompt, weights=_with(job, varied, w)) for w in weights)
    return Comparison(
        kind="strip", rows=(title(job, varied),), columns=tuple(cell.label for cell in cells), cells=cells
    )


def trigger(job: GenerationRequest) -> Comparison:
    """The LoRAs are on in both pictures; their trigger words are in the second prompt only."""
    _need(job, 1, "Trigger words belong to a LoRA. Choose one.")
    words = trigger_words(job.adapters)
    if not words:
        raise UsageError("No trigger words are known for this LoRA, so nothing can be compared. Try a pair instead.")
    without, said = without_words(job.prompt, words), ", ".join(words)
    return _row(
        "trigger",
        (
            Cell(label=f"without “{_short(said)}”", prompt=without, weights=_own(job)),
            Cell(label=f"with “{_short(said)}”", prompt=with_words(without, words), weights=_own(job)),
        ),
    )


def both(job: GenerationRequest) -> Comparison:
    """Two LoRAs: neither, one, the other, and both together."""
    count = sum(not adapter.follows for adapter in job.adapters)
    if count != 2:
        raise UsageError(f"This comparison needs two LoRAs, and there are {count}. Choose two.")
    prompt, own = as_used(job), _own(job)
    halves = places(job)[0].stop
    off = (0.0,) * len(own)
    choices = (off, (*own[:halves], *off[halves:]), (*off[:halves], *own[halves:]), own)
    return _row("both", tuple(Cell(label=_loras(job, w) or "without", prompt=prompt, weights=w) for w in choices))


def grid(
    job: GenerationRequest, prompts: Sequence[str], weights: Sequence[float] = USUAL_STRIP, varied: int = 0
) -> Comparison:
    """A row for each prompt, a column for each weight of one LoRA, the first unless `varied` says which."""
    _need(job, 1, "A grid needs a LoRA whose weight it can turn up. Choose one.")
    rows = tuple(" ".join(prompt.split()) for prompt in prompts if prompt.strip())
    if not rows:
        raise UsageError("A grid needs at least one prompt. Write one in each line.")
    _check(weights, len(rows))
    columns = tuple(f"{w:g}" for w in weights)
    cells = tuple(
        Cell(label=f"{_short(row)} · {label}", prompt=as_used(job, row), weights=_with(job, varied, weight))
        for row in rows
        for label, weight in zip(columns, weights, strict=True)
    )
    return Comparison(kind="grid", rows=rows, columns=columns, cells=cells)


def of_kind(
    kind: SheetKind,
    job: GenerationRequest,
    prompts: Sequence[str] = (),
    weights: Sequence[float] = USUAL_STRIP,
    varied: int = 0,
) -> Comparison:
    """The comparison of that name. `prompts` are a grid's rows, `weights` those of a strip or a grid.

    `varied` is the position of the LoRA that has these weights.
    """
    if kind == "strip":
        return strip(job, weights, varied)
    if kind == "grid":
        return grid(job, prompts, weights, varied)
    return {"one": one, "pair": pair, "trigger": trigger, "both": both}[kind](job)


def steps(low: float, high: float, count: int) -> tuple[float, ...]:
    """`count` weights from `low` to `high` at equal distances."""
    if not math.isfinite(low) or not math.isfinite(high) or low >= high:
        raise UsageError("A strip goes from a lower weight to a higher one, such as 0 to 1.2.")
    if not 2 <= count <= MOST_CELLS:
        raise UsageError(f"A strip has 2 to {MOST_CELLS} pictures.")
    return tuple(round(low + (high - low) * i / (count - 1), 3) for i in range(count))


def _row(kind: SheetKind, cells: tuple[Cell, ...]) -> Comparison:
    return Comparison(kind=kind, rows=("",), columns=tuple(cell.label for cell in cells), cells=cells)


def _own(job: GenerationRequest) -> tuple[float, ...]:
    return tuple(adapter.weight for adapter in job.adapters)


def places(job: GenerationRequest) -> tuple[range, ...]:
    """Where the adapters of each LoRA stand: its own, and those that follow it."""
    starts = [i for i, adapter in enumerate(job.adapters) if not i or not adapter.follows]
    return tuple(range(*ends) for ends in pairwise([*starts, len(job.adapters)]))


def _with(job: GenerationRequest, varied: int, weight: float) -> tuple[float, ...]:
    own, changed = _own(job), places(job)[varied]
    return (*own[: changed.start], *[weight] * len(changed), *own[changed.stop :])


def _need(job: GenerationRequest, count: int, otherwise: str) -> None:
    if len(job.adapters) < count:
        raise UsageError(otherwise)


def _check(weights: Sequence[float], rows: int) -> None:
    if not weights or not all(math.isfinite(weight) for weight in weights):
        raise UsageError("Weights are numbers such as 0, 0.5 and 1. Give at least one.")
    if rows * len(weights) > MOST_CELLS:
        raise UsageError(
            f"That would be {rows * len(weights)} pictures, and a sheet has room for {MOST_CELLS}. "
            "Take fewer weights or fewer prompts."
        )


def _loras(job: GenerationRequest, weights: Sequence[float]) -> str:
    """ "Ink 0.8 + Paper 0.5", without those that are off, and each LoRA once though it be two files."""
    pairs = zip(job.adapters, weights, strict=True)
    used = ((adapter.title, weight) for adapter, weight in pairs if weight and not adapter.follows)
    return " + ".join(f"{_short(title)} {weight:g}" for title, weight in used)


def varied(job: GenerationRequest, sheet: Comparison) -> int:
    """Which LoRA has another weight from cell to cell, counted from 0; of several, the first."""
    several = (len({cell.weights[place.start] for cell in sheet.cells}) > 1 for place in places(job))
    return next((i for i, found in enumerate(several) if found), 0)


def title(job: GenerationRequest, varied: int = 0) -> str:
    """ "Ink, with Paper 0.5": the LoRA whose weight is varied, and what the others keep."""
    others = _loras(job, _with(job, varied, 0.0))
    name = _short(job.adapters[places(job)[varied].start].title)
    return f"{name}, with {others}" if others else name


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_TITLE else text[: _LONGEST_TITLE - 1].rstrip() + "…"
