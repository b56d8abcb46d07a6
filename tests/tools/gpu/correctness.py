"""LoRAs on the device, held against diffusers' own or against what the files mean, in float32 and in 16 bits.

The rows are those of the test suite (tests/hub_ui/generate/pipelines), which run on the CPU there.
"""

import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from hub_ui.generate.lora.load import LoraCache
from tests.hub_ui.generate.pipelines.bench import Tiny, Weights, by_arithmetic, by_diffusers, by_manager
from tests.hub_ui.generate.pipelines.frame import Base, File, draw, load
from tests.hub_ui.generate.pipelines.rows import ALGORITHMS, FLUXES, OTHERS, SD3S, UNETS, Row
from tests.tools.gpu.card import Card, full_precision, moved
from tests.tools.gpu.results import Budget, Line, judged, left_out

BASES = tuple({row.base.name: row for row in reversed((*UNETS, *SD3S, *FLUXES, *OTHERS))}.values())
ROWS = (*BASES, *ALGORITHMS)
# In float32, of latents that are about 1. The test suite's is 1e-4 on a processor; kernels here add in other orders.
TOLERANCE = 1e-3
# In 16 bits rounding is larger than any mistake of a few layers would be. So both sides are held against float32: ours
# may be off by this many times what the other side is off by.
TIMES_AS_FAR = 2.0
# Below this, two roundings can't be told from each other.
_LEAST = 0.01
# What a device that lacks an operation raises, and what the sides say by themselves.
_FAILURES = (RuntimeError, ValueError, TypeError, NotImplementedError, AssertionError)

Latents = Mapping[Weights, torch.Tensor]


@dataclass(frozen=True, kw_only=True, slots=True)
class Bases:
    """The tiny bases on the card, each loaded once for a type."""

    card: Card
    folder: Path
    _loaded: dict[tuple[str, torch.dtype], Tiny] = field(default_factory=dict)

    def tiny(self, base: Base, dtype: torch.dtype) -> Tiny:
        """In two copies, called with tensors that are on the card too."""
        key = base.name, dtype
        if key not in self._loaded:
            folder = base.save(self.folder / f"base_{len(self._loaded)}")
            call: dict[str, Any] = {name: moved(value, self.card, dtype) for name, value in base.call.items()}
            own = replace(base, call=call)
            ours, theirs = (load(own, folder).to(self.card.kind, dtype) for _ in range(2))
            draw(ours, own)  # transformers hooks itself up at a first use
            self._loaded[key] = Tiny(base=own, ours=ours, theirs=theirs, drawn=draw(theirs, own), folder=folder)
        return self._loaded[key]


def lines(card: Card, budget: Budget, rows: Sequence[Row] = ROWS) -> Iterator[Line]:
    with tempfile.TemporaryDirectory() as name, full_precision(), warnings.catch_warnings(action="ignore"):
        bases = Bases(card=card, folder=Path(name))
        yield from _each(rows, budget, "float32", lambda row: _in_float32(row, bases))
        halves = [row for row in rows if row in BASES]
        yield from _each(halves, budget, str(card.half).removeprefix("torch."), lambda row: _in_half(row, bases))


def _each(rows: Sequence[Row], budget: Budget, dtype: str, compare: Callable[[Row], Line | None]) -> Iterator[Line]:
    """The rows that are wrong, each on its own line, then how many were compared."""
    done, wrong = 0, 0
    for row in rows:
        if budget.is_spent():
            yield left_out(f"{len(rows) - done} rows in {dtype}", "the time for this section was over")
            break
        try:
            found = compare(row)
        except _FAILURES as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0][:120]
            found = judged(f"{row}, {dtype}", reason, good=False)
        done += 1
        if found is not None:
            wrong += 1
            yield found
    tolerance = f"within {TOLERANCE:g}" if dtype == "float32" else f"within {TIMES_AS_FAR:g} times the others' rounding"
    yield judged(f"LoRA rows in {dtype}, {tolerance}", f"{done - wrong} of {done}", good=not wrong)


def _in_float32(row: Row, bases: Bases) -> Line | None:
    ours, theirs = _both_sides(row, bases, torch.float32)
    apart = {weights: float((ours[weights] - theirs[weights]).abs().max()) for weights in ours}
    worst = max(apart, key=lambda weights: apart[weights])
    if apart[worst] <= TOLERANCE:
        return None
    return judged(f"{row}, float32, weights {worst}", f"differs by {apart[worst]:.2g}", good=False)


def _in_half(row: Row, bases: Bases) -> Line | None:
    _, exact = _both_sides(row, bases, torch.float32)
    ours, theirs = _both_sides(row, bases, bases.card.half)
    for weights in exact:
        far, others = (_distance(side[weights], exact[weights]) for side in (ours, theirs))
        if far > TIMES_AS_FAR * max(others, _LEAST):
            return judged(
                f"{row}, {bases.card.half}, weights {weights}",
                f"{far:.2g} from float32, the other {others:.2g}",
                good=False,
            )
    return None


def _distance(ones: torch.Tensor, others: torch.Tensor) -> float:
    """The root of the mean square of the difference."""
    return float((ones.float() - others.float()).square().mean().sqrt())


def _both_sides(row: Row, bases: Bases, dtype: torch.dtype) -> tuple[Latents, Latents]:
    """Ours and the other side's. Raises AssertionError where the base changed, or weight 0 does not draw its image."""
    tiny = bases.tiny(row.base, dtype)
    files = [row.make(load(row.base, tiny.folder), seed) for seed in (1, 2)]
    with tempfile.TemporaryDirectory() as name:
        paths = [file.save(Path(name) / f"{i}.safetensors") for i, file in enumerate(files)]
        if row.alone:
            theirs = by_arithmetic(tiny, [_on_card(file, bases.card, dtype) for file in files])
        else:
            theirs = by_diffusers(tiny, paths)
        ours = by_manager(tiny, paths, LoraCache(2**28))
    off = next(iter(ours))
    assert torch.equal(ours[off], tiny.drawn), "weight 0 does not draw the base's own image"
    return ours, theirs


def _on_card(file: File, card: Card, dtype: torch.dtype) -> File:
    return replace(file, deltas={at: moved(delta, card, dtype) for at, delta in file.deltas.items()})
