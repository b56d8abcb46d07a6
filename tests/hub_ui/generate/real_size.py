"""Pipelines of published size on simulated GPUs, without weights: only shapes, so that bytes can be counted.

The tensors of networks and all that is computed of them are torch's "meta" tensors, which take no memory. Small
tensors that pipelines make themselves (timesteps, positions, masks) keep their values, because pipelines decide by
them. An attention takes no matrix of its own, as on GPUs.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.fx.experimental import _config as fx_config
from torch.nn.functional import scaled_dot_product_attention

from tests.hub_ui.generate.simulated_cuda import (
    CPU,
    Calls,
    Card,
    Operations,
    SimulatedCuda,
    address_of,
    simulating,
    tensors_in,
)

META = torch.device("meta")
_ATEN = torch.ops.aten
_ELEMENTWISE = (
    _ATEN.add.Tensor, _ATEN.sub.Tensor, _ATEN.mul.Tensor, _ATEN.silu.default, _ATEN.gelu.default, _ATEN.neg.default,
    _ATEN.rsqrt.default, _ATEN.tanh.default,
)  # fmt: skip
_NORMS = (_ATEN.native_layer_norm.default, _ATEN.native_group_norm.default)
_MOVES = (Tensor.to, Tensor.cpu, Tensor.cuda, Tensor.pin_memory, torch.empty_like)


class _Shapes(SimulatedCuda):
    def device_of(self, tensor: Tensor) -> torch.device:
        real = tensor.device
        return self._places.get(address_of(tensor), CPU if real == META else real)


class _CallsOfShapes(Calls):
    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is scaled_dot_product_attention:
            query, _, value = (*args, *(kwargs or {}).values())[:3]
            return query.new_empty(*query.shape[:-1], value.shape[-1])
        if func not in _MOVES:
            return super().__torch_function__(func, types, args, kwargs)
        # A tensor of inference without values can't take the place of a parameter's.
        with torch.inference_mode(False), torch.no_grad():
            return super().__torch_function__(func, types, args, kwargs)

    def make(self, func: Any, args: Any, given: dict[str, Any]) -> Any:
        if not any(each.is_meta for each in tensors_in(args)):
            return super().make(func, args, given)
        device = self.cuda.named(given["device"])
        with self.cuda.target(device):
            return func(*args, **{**given, "device": META})


class _OperationsOfShapes(Operations):  # type: ignore[no-untyped-call]
    def compute(self, func: Any, args: Any, given: Any) -> Any:
        if not any(each.is_meta for each in tensors_in((args, given))):
            return super().compute(func, args, given)
        if func is _ATEN._local_scalar_dense.default:
            return True if args[0].dtype == torch.bool else 1
        if func._schema.is_mutable and isinstance(args[0], Tensor) and not args[0].is_meta:
            return args[0]
        if func in _NORMS:
            # torch goes a long way round for these shapes.
            return args[0].new_empty(args[0].shape), args[0].new_empty(0), args[0].new_empty(0)
        if func in _ELEMENTWISE:
            return _elementwise(*args)
        return super().compute(func, *_without_values((args, given)))


def _elementwise(one: Any, other: Any = None) -> Tensor:
    shapes = [value.shape for value in (one, other) if isinstance(value, Tensor)]
    dtype = one.dtype if other is None else torch.result_type(one, other)
    shape: Any = torch.broadcast_shapes  # untyped
    return torch.empty(shape(*shapes), dtype=dtype, device=META)


def _without_values(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return type(value)(map(_without_values, value))
    if isinstance(value, dict):
        return {name: _without_values(each) for name, each in value.items()}
    if not isinstance(value, Tensor) or value.is_meta:
        return value
    return torch.empty_strided(value.shape, value.stride(), dtype=value.dtype, device=META)


@contextmanager
def _files_of_shapes() -> Iterator[None]:
    """Files of tensors without values: empty, with their shapes in a table."""
    files: dict[str, dict[str, Tensor]] = {}

    def save(tensors: dict[str, Tensor], path: str) -> None:
        Path(path).touch()
        files[path] = {name: torch.empty_like(value) for name, value in tensors.items()}

    def load(path: str, device: str = "cpu") -> dict[str, Tensor]:
        return {name: value.to(device) for name, value in files[str(path)].items()}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("safetensors.torch.save_file", save)
        patch.setattr("safetensors.torch.load_file", load)
        yield


@contextmanager
def without_values(*cards: Card) -> Iterator[SimulatedCuda]:
    """Within it, this thread's torch has these devices, and computes shapes alone."""
    cuda = _Shapes(cards=cards)
    # All words of a text count.
    all_count = fx_config.patch(meta_nonzero_assume_all_nonzero=True)  # type: ignore[attr-defined]
    with all_count, _files_of_shapes(), simulating(cuda, _CallsOfShapes(cuda), _OperationsOfShapes(cuda)):
        yield cuda
