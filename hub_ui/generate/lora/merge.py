"""What is written into a module and restored bit for bit afterwards: merged patches, and more inputs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hub_ui.generate.lora.modules import ModuleKey, ParamHandle, param_handles
from hub_ui.generate.lora.patch import Params, Patch

if TYPE_CHECKING:
    from torch import Tensor, nn


WeightedPatch = tuple[Patch, float]


@dataclass(kw_only=True, slots=True)
class _Original:
    """A parameter's own values, and what has been merged into the new ones: the identity and weight of each patch."""

    param: ParamHandle
    values: Tensor
    merged: tuple[tuple[int, float], ...] = ()


class Originals:
    """The values of parameters before anything was merged into them. They are kept, never computed back."""

    def __init__(self) -> None:
        self._originals: dict[tuple[int, str], _Original] = {}

    def merge(self, params: Params, patches: Iterable[WeightedPatch]) -> None:
        """Sets the parameters to their own values plus these patches, and nothing of what was merged before."""
        weighted = [(patch, amount) for patch, amount in patches if amount != 0]
        merged = tuple((id(patch), amount) for patch, amount in weighted)
        for name, param in params.items():
            before = self._originals.get(_key(param))
            if before is not None and before.merged == merged:
                continue
            own = param.read() if before is None else before.values.to(param.read().device)
            new = _merge(own, name, weighted)
            if new is not None:
                self._originals[_key(param)] = _Original(param=param, values=own, merged=merged)
                param.write(new)
            elif before is not None:
                self._restore(before)

    def restore_all(self) -> None:
        for original in list(self._originals.values()):
            self._restore(original)

    def _restore(self, original: _Original) -> None:
        original.param.write(original.values)
        # Only now: what could not be restored is tried again.
        del self._originals[_key(original.param)]

    def __len__(self) -> int:
        return len(self._originals)


def _key(param: ParamHandle) -> tuple[int, str]:
    return id(param.module), param.name


def _merge(own: Tensor, name: str, weighted: Iterable[WeightedPatch]) -> Tensor | None:
    """The new values, computed in float32 and rounded once. None where nothing is added."""
    import torch

    with torch.inference_mode(False), torch.no_grad():
        # Apple's GPUs lack some of the operations for rotations, and share their memory with the processor.
        base, total = own.to("cpu" if own.device.type == "mps" else own.device, torch.float32), None
        for patch, amount in weighted:
            delta = patch.delta(base, amount) if name == "weight" else patch.bias_delta(base, base, amount)
            if delta is not None:
                total = delta if total is None else total.add_(delta)
        return None if total is None else total.add_(base).to(own.dtype)


# The tokens of a layer in one step, at least: 512 pixels are 128 to 8192 in a UNet, 1024 and more in a transformer.
_TOKENS = 512
# Writing a weight takes as long as computing so many ranks of it (measured on a processor: 20 to 60).
_WRITING = 40
# Bytes of weights that low-rank patches are merged into, at most: their originals are kept in the computer's memory.
# SDXL's UNet takes 5 GB in half precision; FLUX's network, which takes 24, is fast enough with hooks.
MERGE_BUDGET = 8_000_000_000


def saves_time(shape: tuple[int, ...], rank: int, steps: int | None) -> bool:
    """Whether merging a low-rank patch is faster than adding it in each of so many steps; None means many."""
    if steps is None or len(shape) < 2:
        return True
    outputs, inputs = shape[0], math.prod(shape[1:])
    merging = outputs * inputs * (rank + _WRITING)
    adding = (inputs + outputs) * rank * _TOKENS * steps
    return merging <= adding


def expand_input(parts: Mapping[str, nn.Module], at: ModuleKey, inputs: int) -> Callable[[], None]:
    """Gives a layer more inputs for a control LoRA, and returns the function that restores it.

    FLUX's `x_embedder` gets 128 inputs in place of 64, with weight 0 for the new ones. The module object stays the
    same.
    """
    import torch

    network: Any = parts[at[0]]
    param = param_handles(network, at[1])["weight"]
    layer: Any = param.module
    weight, config = param.read(), getattr(network, "config", None)
    is_configured = getattr(config, "in_channels", None) == weight.shape[1]
    with torch.inference_mode(False), torch.no_grad():
        param.write(torch.cat([weight, weight.new_zeros(weight.shape[0], inputs - weight.shape[1])], 1))
    layer.in_features = inputs
    if is_configured:
        # From this the pipeline computes how many channels the noise has.
        network.register_to_config(in_channels=inputs)

    def restore() -> None:
        param.write(weight)
        layer.in_features = weight.shape[1]
        if is_configured:
            network._internal_dict = config

    return restore
