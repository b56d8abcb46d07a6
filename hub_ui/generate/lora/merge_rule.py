"""Whether patches are merged into weights or added while modules run: decided from the request alone.

What it depends on are the LoRAs, their weights, the shapes and types of the base's weights, and the number of steps;
never free memory, nor what was generated before. Either way rounds differently, so that anything else would give the
same request other images.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hub_ui.generate.lora.modules import ModuleKey, Shape
from hub_ui.generate.lora.patch import Patch, rank_of

# The tokens of a layer in one step, at least: 512 pixels are 128 to 8192 in a UNet, 1024 and more in a transformer.
_TOKENS = 512
# Writing a weight takes as long as computing so many ranks of it (measured on a processor: 20 to 60).
_WRITING = 40
# Bytes of weights that are merged into for speed, at most: their originals are kept in the computer's memory. SDXL's
# UNet takes 5 GB in half precision; FLUX's network, which takes 24, is fast enough with hooks.
_BUDGET = 8_000_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class ModuleChange:
    """The patches of one module that have a weight. `shape` and `itemsize` (in bytes) are those of its weight."""

    shape: Shape
    itemsize: int
    patches: Sequence[Patch]

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * self.itemsize


@dataclass(frozen=True, kw_only=True, slots=True)
class MergeRule:
    """For images of so many steps; None means many."""

    steps: int | None

    def choose(
        self, required: Mapping[ModuleKey, ModuleChange], optional: Mapping[ModuleKey, ModuleChange]
    ) -> frozenset[ModuleKey]:
        """The modules to merge of those that need not be, beside those that have to."""
        worth = {at: change for at, change in optional.items() if self._saves_time(change)}
        total = sum(change.nbytes for changes in (required, worth) for change in changes.values())
        return frozenset(worth) if total <= _BUDGET else frozenset()

    def _saves_time(self, change: ModuleChange) -> bool:
        return saves_time(change.shape, sum(map(rank_of, change.patches)), self.steps)


def saves_time(shape: Shape, rank: int, steps: int | None) -> bool:
    """Whether merging a low-rank patch is faster than adding it in each of so many steps; None means many."""
    if steps is None or len(shape) < 2:
        return True
    outputs, inputs = shape[0], math.prod(shape[1:])
    merging = outputs * inputs * (rank + _WRITING)
    adding = (inputs + outputs) * rank * _TOKENS * steps
    return merging <= adding
