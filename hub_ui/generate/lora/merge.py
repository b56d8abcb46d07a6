"""What is written into a module and restored bit for bit afterwards: merged patches, and more inputs.

Whether patches are merged into weights or added while modules run is decided from the request alone. What it depends on
are the LoRAs, their weights, the shapes and types of the base's weights, and the number of steps; never free memory,
nor what was generated before. Either way rounds differently, so that anything else would give the same request other
images.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from connectors.errors import DoesNotFit
from hub_ui.base.i18n import _
from hub_ui.generate.lora.algorithms import rows_together
from hub_ui.generate.lora.modules import ModuleKey, Shape, matrix
from hub_ui.generate.lora.parameters import ParamHandle, param_handles
from hub_ui.generate.lora.patch import Params, Patch
from hub_ui.generate.lora.structured import cost_of, form_of
from hub_ui.generate.memory.device import kind_of, pinned_bytes
from hub_ui.generate.memory.plan import MERGED_AT_MOST, MERGED_AT_ONCE

if TYPE_CHECKING:
    from torch import Tensor, nn


WeightedPatch = tuple[Patch, float]
# Bytes of originals in pinned memory, at most: no other program can use it.
_PINNED = 8_000_000_000
# The tokens of a layer in one step, at least: 512 pixels are 128 to 8192 in a UNet, 1024 and more in a transformer.
_TOKENS = 512
# Writing a weight takes as long as computing so many ranks of it (measured on a processor: 20 to 60).
_WRITING = 40


@dataclass(kw_only=True, slots=True)
class _Original:
    """A parameter's own values, and what has been merged into the new ones: the identity and weight of each patch."""

    param: ParamHandle
    values: Tensor
    merged: tuple[tuple[int, float], ...] | None = None


class Originals:
    """The values of parameters before anything was merged into them. They are kept, never computed back.

    `device` is the one to compute on, wherever the values are: the same on every level of offloading.
    """

    def __init__(self, device: str | None = None) -> None:
        self._originals: dict[tuple[int, str], _Original] = {}
        self._device = device

    def merge(self, params: Params, patches: Iterable[WeightedPatch]) -> None:
        """Sets the parameters to their own values plus these patches, and nothing of what was merged before."""
        weighted = [(patch, amount) for patch, amount in patches if amount != 0]
        for name, param in params.items():
            wanted = [(patch, amount) for patch, amount in weighted if patch.affects(name)]
            original = self._originals.get(_key(param))
            if not wanted:
                if original is not None:
                    self._restore(original)
                continue
            merged = tuple((id(patch), amount) for patch, amount in wanted)
            is_new = original is None
            if original is None:
                kept = [each.values for each in self._originals.values()]
                pinned = sum(pinned_bytes(values.nbytes) for values in kept if values.is_pinned())
                original = _Original(param=param, values=_copy_to_host(param.read(), pin=pinned < _PINNED))
                self._originals[_key(param)] = original
            if original.merged != merged:
                original.merged = None
                self._merge(original, name, wanted, is_new=is_new)
                original.merged = merged

    def restore_all(self) -> None:
        for original in list(self._originals.values()):
            self._restore(original)

    def _merge(self, original: _Original, name: str, patches: Sequence[WeightedPatch], *, is_new: bool) -> None:
        """Computes in float32, some rows at a time, and rounds once. `is_new`: the parameter has its own values yet."""
        import torch

        param, own = original.param, original.values
        with torch.inference_mode(False), torch.no_grad():
            now = param.read()
            # On a GPU the memory stays the same; elsewhere the own values are kept where they are.
            new = now if now.device != own.device else torch.empty_like(own)
            wanted = self._device or str(now.device)
            device = wanted if kind_of(wanted).merges else "cpu"
            for rows in _tiles(tuple(own.shape), [patch for patch, _ in patches]):
                base = (now if is_new else own)[rows].to(device, torch.float32)
                new[rows] = _plus(base, name, patches, rows).to(own.dtype)
            param.write(new)

    def _restore(self, original: _Original) -> None:
        param = original.param
        now = param.read()
        if now.device != original.values.device:
            now.copy_(original.values)
        param.write(original.values if now.device == original.values.device else now)
        # Only now: what could not be restored is tried again.
        del self._originals[_key(param)]

    def __len__(self) -> int:
        return len(self._originals)


def _key(param: ParamHandle) -> tuple[int, str]:
    return id(param.module), param.name


def _copy_to_host(own: Tensor, *, pin: bool) -> Tensor:
    """The values of a GPU with memory of its own, if possible in memory that it copies from quickly; others as they
    are."""
    import torch

    kind = kind_of(own.device.type)
    if not kind.has_own_memory:
        return own
    kept = torch.empty_like(own, device="cpu", pin_memory=pin and kind.pins)
    return kept.copy_(own)


def _tiles(shape: tuple[int, ...], patches: Sequence[Patch]) -> Iterator[slice]:
    """Rows of a weight that are computed at once; all of them where a patch can't be taken apart."""
    together = [rows_together(patch.algorithm, patch.factors) for patch in patches]
    if math.prod(shape) <= MERGED_AT_ONCE or None in together:
        yield slice(None)
        return
    step = math.lcm(*(rows for rows in together if rows is not None))
    rows = max(1, MERGED_AT_ONCE // math.prod(shape[1:]) // step) * step
    yield from (slice(start, min(start + rows, shape[0])) for start in range(0, shape[0], rows))


def _plus(base: Tensor, name: str, patches: Iterable[WeightedPatch], rows: slice) -> Tensor:
    total: Tensor | None = None
    for patch, amount in patches:
        delta = patch.delta(base, amount, rows) if name == "weight" else patch.bias_delta(base, base, amount)
        if delta is not None:
            total = delta if total is None else total.add_(delta)
    return base if total is None else total.add_(base)


def expand_input(parts: Mapping[str, nn.Module], at: ModuleKey, inputs: int) -> Callable[[], None]:
    """Gives a layer more inputs for a control LoRA, and returns the function that restores it.

    FLUX's `x_embedder` gets 128 inputs in place of 64, with weight 0 for the new ones. The module object stays the
    same. Raises DoesNotFit for a layer whose weights are packed.
    """
    import torch

    network: Any = parts[at[0]]
    param = param_handles(network, at[1])["weight"]
    layer: Any = param.module
    weight, config = param.read(), getattr(network, "config", None)
    if not weight.is_floating_point():
        text = _("A control LoRA can't widen the quantised input of this base. Choose full precision (--quality full).")
        raise DoesNotFit(text)
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


@dataclass(frozen=True, kw_only=True, slots=True)
class ModuleChange:
    """The patches of one module that have a weight. `shape` and `itemsize` (in bytes) are those of its weight."""

    shape: Shape
    itemsize: int
    patches: Sequence[Patch]


def choose_merged(
    required: Mapping[ModuleKey, ModuleChange], optional: Mapping[ModuleKey, ModuleChange], steps: float
) -> frozenset[ModuleKey]:
    """The modules to merge for images of so many steps, of those that need not be, beside those that have to."""
    worth = {at: change for at, change in optional.items() if _saves_time(change, steps)}
    total = sum(math.prod(each.shape) * each.itemsize for each in (*required.values(), *worth.values()))
    return frozenset(worth) if total <= MERGED_AT_MOST else frozenset()


def _saves_time(change: ModuleChange, steps: float) -> bool:
    """Whether merging is faster than adding in each of so many steps."""
    outputs, inputs = matrix(change.shape)
    if steps == math.inf or len(change.shape) < 2:
        return True
    # A DoRA takes the norms of the whole weight either way.
    if any(patch.factors.has("magnitude") for patch in change.patches):
        return True
    merging = outputs * inputs * (sum(patch.rank for patch in change.patches) + _WRITING)
    adding = sum(_cost(patch, change.shape) for patch in change.patches)
    return merging <= adding * _TOKENS * steps


def _cost(patch: Patch, shape: Shape) -> int:
    """Multiplications for each token, if it is added to outputs."""
    if patch.is_low_rank:
        return sum(matrix(shape)) * patch.rank
    form = form_of(patch, shape)
    return math.prod(shape) if form is None else cost_of(patch, form, shape)
