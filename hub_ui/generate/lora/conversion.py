"""From a file to patches for one model: read, placed, checked, and counted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from connectors.errors import DoesNotFit
from hub_ui.generate.coverage import Missed
from hub_ui.generate.lora import load
from hub_ui.generate.lora.algorithms import Inseparable
from hub_ui.generate.lora.cache import Converted, Place
from hub_ui.generate.lora.key_mapping import place
from hub_ui.generate.lora.load import Weights
from hub_ui.generate.lora.modules import Model, Placed, slots_of
from hub_ui.generate.lora.patch import Module, Patch, Unfit, patches
from hub_ui.generate.lora.scale import Scales, scales_of
from hub_ui.generate.lora.wan_experts import is_for_low_noise
from hub_ui.generate.request import LoraInput

if TYPE_CHECKING:
    from torch import nn

Parts = Mapping[str, "nn.Module"]


def converted(adapter: LoraInput, parts: Parts, model: Model, architecture: str) -> Converted:
    """Raises DoesNotFit for a file of which nothing would take effect: a silent no-op would pass for a weak LoRA."""
    weights = load.read(adapter.path, adapter.title)
    shapes = {name: tuple(tensor.shape) for name, tensor in weights.tensors.items()}
    placement = place(shapes, model, architecture, low_noise=is_for_low_noise(adapter, weights.metadata))
    sorting = _Sorting(weights, parts, model)
    for placed in placement.placed:
        sorting.put(placed)
    return sorting.finished(adapter, placement.missed)


class _Sorting:
    """Patches by place, and by reason what can't become one."""

    def __init__(self, weights: Weights, parts: Parts, model: Model) -> None:
        self._weights = weights
        self._parts = parts
        self._model = model
        self._scales: Scales = scales_of(weights.metadata)
        self._modules: dict[Place, Module] = {}
        self._patches: dict[Place, tuple[Patch, ...]] = {}
        self._inputs: dict[Place, int] = {}
        self._applied: set[str] = set()
        self._missed: dict[str, list[str]] = {}

    def put(self, placed: Placed) -> None:
        """A layer takes effect on all of its targets or on none: half of a fused layer is another layer."""
        keys = placed.layer.keys.values()
        try:
            found = self._patches_of(placed)
        except (Unfit, Inseparable) as refused:
            self._missed.setdefault(str(refused.args[0]), []).extend(keys)
            return
        for at, new in found.items():
            self._patches[at] = (*self._patches.get(at, ()), *new)
        for target in placed.targets:
            if target.inputs is not None:
                self._inputs[target.component, target.module] = target.inputs
        self._applied.update(keys)

    def _patches_of(self, placed: Placed) -> dict[Place, list[Patch]]:
        found: dict[Place, list[Patch]] = {}
        for target in placed.targets:
            at = (target.component, target.module)
            new = patches(placed.layer, target, self._module(at), self._weights.tensors, self._scales)
            found.setdefault(at, []).extend(new)
        return found

    def _module(self, at: Place) -> Module:
        """Its shape is that of the model as it was loaded: another LoRA may have widened it since."""
        found = self._modules.get(at)
        if found is None:
            shapes = self._model[at[0]]
            shape = shapes.get(f"{at[1]}.weight") or shapes[at[1]]
            found = self._modules[at] = Module(shape=shape, slots=slots_of(self._parts[at[0]], at[1]))
        return found

    def finished(self, adapter: LoraInput, missed: tuple[Missed, ...]) -> Converted:
        all_missed = (*missed, *(Missed(reason=why, keys=tuple(keys)) for why, keys in self._missed.items()))
        told = {key for each in all_missed for key in each.keys} | self._applied
        rest = tuple(key for key in self._weights.tensors if key not in told)
        if rest:
            all_missed = (*all_missed, Missed(reason="that belong to no layer known here", keys=rest))
        if not self._applied:
            raise _misfit(adapter, len(self._weights.tensors), all_missed)
        return Converted(
            patches=self._patches,
            inputs=self._inputs,
            applied=len(self._applied),
            total=len(self._weights.tensors),
            missed=all_missed,
            size=_bytes(self._patches),
        )


def _bytes(patches: Mapping[Place, tuple[Patch, ...]]) -> int:
    """What patches keep in memory: pieces of one file share it, whatever was widened or cut has its own."""
    tensors = (tensor for some in patches.values() for patch in some for tensor in patch.tensors())
    storages = (tensor.untyped_storage() for tensor in tensors)
    return sum({storage.data_ptr(): storage.nbytes() for storage in storages}.values())


def _misfit(adapter: LoraInput, total: int, missed: tuple[Missed, ...]) -> DoesNotFit:
    reasons = "; ".join(f"{len(each.keys)} {each.reason}" for each in missed)
    return DoesNotFit(
        f"None of the {total} tensors of “{adapter.title}” fit this base model, so it would change nothing: {reasons}. "
        "Choose a base of the LoRA's own architecture."
    )
