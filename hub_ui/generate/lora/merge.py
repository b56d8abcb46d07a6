"""New weights in a module's place, and its own ones back afterwards, bit for bit; and where that pays."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hub_ui.generate.lora.modules import ParamHandle
from hub_ui.generate.lora.patch import Patch, Slots

if TYPE_CHECKING:
    from torch import Tensor

Weighed = tuple[Patch, float]


@dataclass(kw_only=True, slots=True)
class _Kept:
    """A slot's own weight, and what was last merged into the one that is in its place."""

    slot: ParamHandle
    own: Tensor
    merged: tuple[tuple[int, float], ...] = ()


class Originals:
    """The weights that were replaced. They are kept as they are, not computed back."""

    def __init__(self) -> None:
        self._kept: dict[tuple[int, str], _Kept] = {}

    def merge(self, slots: Slots, patches: Iterable[Weighed]) -> None:
        """The module's own weights plus what the patches add to them; whatever was merged before is gone."""
        weighed = [(patch, amount) for patch, amount in patches if amount != 0]
        known = tuple((id(patch), amount) for patch, amount in weighed)
        for name, slot in slots.items():
            kept = self._kept.get(_key(slot))
            if kept is not None and kept.merged == known:
                continue
            own = slot.read() if kept is None else kept.own.to(slot.read().device)
            new = _merged(own, name, weighed)
            if new is None:
                self._restore(slot)
            else:
                self._kept[_key(slot)] = _Kept(slot=slot, own=own, merged=known)
                slot.put(new)

    def restore_all(self) -> None:
        for kept in list(self._kept.values()):
            self._restore(kept.slot)

    def _restore(self, slot: ParamHandle) -> None:
        kept = self._kept.get(_key(slot))
        if kept is not None:
            slot.put(kept.own)
            # Not before: what could not be put back is tried again.
            del self._kept[_key(slot)]

    def __len__(self) -> int:
        return len(self._kept)


def _merged(own: Tensor, name: str, weighed: Iterable[Weighed]) -> Tensor | None:
    """In float32, then rounded once. None where nothing is added."""
    import torch

    with torch.inference_mode(False), torch.no_grad():
        # Apple's devices lack some of what rotations need, and share their memory with the processor.
        base, total = own.to("cpu" if own.device.type == "mps" else own.device, torch.float32), None
        for patch, amount in weighed:
            gained = patch.delta(base, amount) if name == "weight" else patch.bias_delta(base, base, amount)
            if gained is not None:
                total = gained if total is None else total.add_(gained)
        return None if total is None else total.add_(base).to(own.dtype)


def _key(slot: ParamHandle) -> tuple[int, str]:
    return id(slot.module), slot.name


# What a step at least brings to a layer: 512 pixels are 128 to 8192 tokens in a UNet, 1024 and more in a transformer.
_TOKENS = 512
# Writing a weight anew takes as long as so many ranks' share of computing it (measured on a processor: 20 to 60).
_WRITING = 40


def pays(shape: tuple[int, ...], rank: int, steps: int | None) -> bool:
    """Whether merging a low-rank patch takes less time than adding it in each of so many steps; None are many.

    Merging computes out * in products of the rank once and writes them, adding computes (in + out) for each token.
    """
    if steps is None or len(shape) < 2:
        return True
    outputs, inputs = shape[0], math.prod(shape[1:])
    merging = outputs * inputs * (rank + _WRITING)
    adding = (inputs + outputs) * rank * _TOKENS * steps
    return merging <= adding
