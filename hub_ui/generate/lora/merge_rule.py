"""Whether patches are merged into weights or added while modules run: decided from the request alone.

What it depends on are the LoRAs, their weights, the shapes and types of the base's weights, and the number of steps;
never free memory, nor what was generated before. Either way rounds differently, so that anything else would give the
same request other images.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hub_ui.generate.lora.modules import ModuleKey, Shape, matrix
from hub_ui.generate.lora.patch import LowRankPatch, Patch, WeightPatch, rank_of
from hub_ui.generate.lora.structured import cost_of, form_of
from hub_ui.generate.memory_plan import MERGED_AT_MOST

# The tokens of a layer in one step, at least: 512 pixels are 128 to 8192 in a UNet, 1024 and more in a transformer.
_TOKENS = 512
# Writing a weight takes as long as computing so many ranks of it (measured on a processor: 20 to 60).
_WRITING = 40


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
        return frozenset(worth) if total <= MERGED_AT_MOST else frozenset()

    def _saves_time(self, change: ModuleChange) -> bool:
        """Whether merging is faster than adding in each of so many steps."""
        outputs, inputs = matrix(change.shape)
        if self.steps is None or len(change.shape) < 2:
            return True
        # A DoRA takes the norms of the whole weight either way.
        if any(isinstance(patch, WeightPatch) and patch.factors.has("magnitude") for patch in change.patches):
            return True
        merging = outputs * inputs * (sum(map(rank_of, change.patches)) + _WRITING)
        adding = sum(_cost(patch, change.shape) for patch in change.patches)
        return merging <= adding * _TOKENS * self.steps


def _cost(patch: Patch, shape: Shape) -> int:
    """Multiplications for each token, if it is added to outputs."""
    if isinstance(patch, LowRankPatch):
        return sum(matrix(shape)) * rank_of(patch)
    form = form_of(patch, shape)
    return math.prod(shape) if form is None else cost_of(patch, form, shape)
