"""Changes that are written into modules and restored bit for bit: merged patches and expanded inputs.

The choice between merging patches and adding them in hooks depends on the request alone: on the LoRAs, their weights,
the shapes and types of the base's weights, and the number of steps. It never depends on free memory or on earlier
requests. The two ways round differently, so otherwise the same request could give different images.
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
# The most bytes of originals to store in pinned memory, which other programs can't use.
_PINNED = 8_000_000_000
# A low estimate of a layer's tokens per step: 512 pixels give 128 to 8192 in a UNet, 1024 and more in a transformer.
_TOKENS = 512
# Writing a weight takes as long as computing this many ranks of it (measured on a CPU: 20 to 60).
_WRITING = 40


@dataclass(kw_only=True, slots=True)
class _Original:
    """A parameter's original values, and the merged patches by identity and weight."""

    param: ParamHandle
    values: Tensor
    merged: tuple[tuple[int, float], ...] | None = None


class Originals:
    """The original values of parameters that patches are merged into.

    The values are copied, because subtracting a patch would not restore every bit. `device` is the device to compute
    on; it is the same for every offload level, so that the results are the same.
    """

    def __init__(self, device: str | None = None) -> None:
        self._originals: dict[tuple[int, str], _Original] = {}
        self._device = device

    def merge(self, params: Params, patches: Iterable[WeightedPatch]) -> None:
        """Set the parameters to their original values plus these patches. Earlier patches are removed."""
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
                stored = [other.values for other in self._originals.values()]
                pinned = sum(pinned_bytes(values.nbytes) for values in stored if values.is_pinned())
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
        """Compute in float32, some rows at a time, and round once.

        If `is_new` is set, the parameter still has its original values.
        """
        import torch

        param, source = original.param, original.values
        with torch.inference_mode(False), torch.no_grad():
            current = param.read()
            # Reuse the parameter's memory, unless it stores the original values.
            new = current if current.device != source.device else torch.empty_like(source)
            wanted = self._device or str(current.device)
            device = wanted if kind_of(wanted).merges else "cpu"
            for rows in _tiles(tuple(source.shape), [patch for patch, _ in patches]):
                base = (current if is_new else source)[rows].to(device, torch.float32)
                new[rows] = _plus(base, name, patches, rows).to(source.dtype)
            param.write(new)

    def _restore(self, original: _Original) -> None:
        param = original.param
        current = param.read()
        if current.device != original.values.device:
            current.copy_(original.values)
        param.write(original.values if current.device == original.values.device else current)
        # Forget the original last, so that a failed restore is tried again.
        del self._originals[_key(param)]

    def __len__(self) -> int:
        return len(self._originals)


def _key(param: ParamHandle) -> tuple[int, str]:
    return id(param.module), param.name


def _copy_to_host(values: Tensor, *, pin: bool) -> Tensor:
    """Copy values from a GPU with its own memory to the host, pinned if possible. Return other values unchanged."""
    import torch

    kind = kind_of(values.device.type)
    if not kind.has_own_memory:
        return values
    host = torch.empty_like(values, device="cpu", pin_memory=pin and kind.pins)
    return host.copy_(values)


def _tiles(shape: tuple[int, ...], patches: Sequence[Patch]) -> Iterator[slice]:
    """Yield the rows of a weight to compute at once, or all rows if a patch can't be split."""
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
    """Expand a layer's inputs for a control LoRA, and return a function that restores the layer.

    FLUX's `x_embedder` gets 128 inputs instead of 64; the new inputs have weight 0. The layer is changed in place.
    Raises DoesNotFit for a quantised layer.
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
        # diffusers' pipeline computes the number of noise channels from this value.
        network.register_to_config(in_channels=inputs)

    def restore() -> None:
        param.write(weight)
        layer.in_features = weight.shape[1]
        if is_configured:
            network._internal_dict = config

    return restore


@dataclass(frozen=True, kw_only=True, slots=True)
class ModuleChange:
    """The active patches of one module. `shape` and `itemsize` (in bytes) describe the module's weight."""

    shape: Shape
    itemsize: int
    patches: Sequence[Patch]


def choose_merged(
    required: Mapping[ModuleKey, ModuleChange], optional: Mapping[ModuleKey, ModuleChange], steps: float
) -> frozenset[ModuleKey]:
    """Return the optional modules that are worth merging for images of `steps` steps.

    Return no modules if the originals of these and the required modules would need too much memory.
    """
    worth = {at: change for at, change in optional.items() if _saves_time(change, steps)}
    total = sum(math.prod(change.shape) * change.itemsize for change in (*required.values(), *worth.values()))
    return frozenset(worth) if total <= MERGED_AT_MOST else frozenset()


def _saves_time(change: ModuleChange, steps: float) -> bool:
    """Return whether merging once is faster than adding the patches in each of `steps` steps."""
    outputs, inputs = matrix(change.shape)
    if steps == math.inf or len(change.shape) < 2:
        return True
    # A DoRA needs the norms of the whole weight either way, so merging costs little more.
    if any(patch.factors.has("magnitude") for patch in change.patches):
        return True
    merging = outputs * inputs * (sum(patch.rank for patch in change.patches) + _WRITING)
    adding = sum(_cost(patch, change.shape) for patch in change.patches)
    return merging <= adding * _TOKENS * steps


def _cost(patch: Patch, shape: Shape) -> int:
    """Return the multiplications per token of adding a patch to outputs."""
    if patch.is_low_rank:
        return sum(matrix(shape)) * patch.rank
    form = form_of(patch, shape)
    return math.prod(shape) if form is None else cost_of(patch, form, shape)
