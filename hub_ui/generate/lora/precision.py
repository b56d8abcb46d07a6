"""How a module stores its weight and in which type it computes: quantised weights are never merged into."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

# The name of diffusers' hook that stores weights in 8-bit floats and casts them for each call.
_LAYERWISE_CASTING = "layerwise_casting"


def compute_dtype(module: nn.Module, name: str = "weight") -> torch.dtype:
    """The type that a module computes in: that of its weight, or what a quantised weight is converted to."""
    import torch

    registry: Any = getattr(module, "_diffusers_hook", None)
    casting = None if registry is None else registry.get_hook(_LAYERWISE_CASTING)
    # GGUF and bitsandbytes' 4-bit layers have an attribute of that name. torchao's and quanto's weights say it.
    declared = getattr(module, "compute_dtype", None) if casting is None else casting.compute_dtype
    if isinstance(declared, torch.dtype):
        return declared
    values = (getattr(module, name, None), getattr(module, "bias", None))
    known = [value.dtype for value in values if value is not None and value.dtype in _float_dtypes()]
    # bitsandbytes' 8-bit layers without a bias: LLM.int8 computes in float16.
    return known[0] if known else torch.float16


def is_quantised(module: nn.Module, name: str = "weight") -> bool:
    """Whether a weight is something else than a plain tensor in the type that its module computes in."""
    value = getattr(module, name)
    return not _is_plain(value) or value.dtype != compute_dtype(module, name)


def logical_shape(module: nn.Module, value: Tensor) -> tuple[int, ...]:
    """The shape of a parameter's values; that of packed ones is none that a LoRA could fit."""
    from torch import nn

    if isinstance(module, nn.Linear) and value is module.weight and not _is_plain(value):
        return module.out_features, module.in_features
    return tuple(value.shape)


def _is_plain(value: Tensor) -> bool:
    import torch

    return type(value) in (torch.Tensor, torch.nn.Parameter) and value.dtype in _float_dtypes()


def _float_dtypes() -> tuple[torch.dtype, ...]:
    import torch

    return torch.float32, torch.bfloat16, torch.float16, torch.float64
