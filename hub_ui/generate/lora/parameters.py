"""Handles that read and write parameters, even if accelerate or diffusers offload them, and facts about their types.

LoRAs are never merged into quantised weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import safe_open

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

# diffusers' hook that moves groups of modules to the device and back.
GROUP_OFFLOADING = "group_offloading"
# diffusers' hook that stores weights in 8-bit floats and casts them for each call.
_LAYERWISE_CASTING = "layerwise_casting"


def hook_of(module: nn.Module, name: str) -> Any:
    """Return diffusers' hook of this name on a module, or None."""
    registry: Any = getattr(module, "_diffusers_hook", None)
    return None if registry is None else registry.get_hook(name)


@dataclass(frozen=True, kw_only=True)
class ParamHandle:
    """One parameter of a module. `owners` are the modules around its module; any of them may offload the parameter."""

    module: nn.Module
    name: str
    owners: tuple[nn.Module, ...] = ()

    @property
    def parameter(self) -> Any:
        return getattr(self.module, self.name)

    def read(self) -> Tensor:
        if self.parameter.is_meta:
            offloaded: Tensor = self._weights_map()[self.name]
            return offloaded
        group = self._group()
        if group is not None and group.offload_to_disk_path is not None:
            with safe_open(group.safetensors_file_path, framework="pt") as file:
                stored: Tensor = file.get_tensor(group.tensor_to_key[self.parameter])
            return stored
        values: Tensor = self.parameter.data
        return values

    def write(self, value: Tensor) -> None:
        """Replace the parameter's values; the parameter object stays the same. The old values are lost."""
        parameter = self.parameter
        if parameter.is_meta:
            weights = self._weights_map()
            # accelerate's mapping is a read-only view of a larger one.
            weights.dataset[weights.prefix + self.name] = value
            return
        group = self._group()
        if group is not None and group.offload_to_disk_path is not None:
            _write_file(group, group.tensor_to_key[parameter], value.cpu())
        elif group is not None and parameter in group.cpu_param_dict:
            # With streams, diffusers restores the parameter from this copy after each call.
            old = group.cpu_param_dict[parameter]
            value = value.to(old.device)
            value = value.pin_memory() if old.is_pinned() and not value.is_pinned() else value
            group.cpu_param_dict[parameter] = value
        parameter.data = value.to(parameter.device)

    def _weights_map(self) -> Any:
        weights = getattr(getattr(self.module, "_hf_hook", None), "weights_map", None)
        if weights is None:
            raise RuntimeError("its weights are on no device now")
        return weights

    def _group(self) -> Any:
        """Return diffusers' offload group that contains this parameter, or None."""
        for owner in (self.module, *reversed(self.owners)):
            if (hook := hook_of(owner, GROUP_OFFLOADING)) is not None:
                in_modules = (param for module in hook.group.modules for param in module.parameters())
                if any(param is self.parameter for param in (*hook.group.parameters, *in_modules)):
                    return hook.group
        return None


def _write_file(group: Any, key: str, value: Tensor) -> None:
    """Write the group's tensors to a new file, and delete the group's old files.

    Windows can't replace or delete a file that is mapped into memory. Such an old file is deleted after a later write,
    or with its folder.
    """
    from safetensors.torch import load_file, save_file

    old = Path(group.safetensors_file_path)
    name, *number = old.stem.split(".")
    new = old.with_name(f"{name}.{int(number[0]) + 1 if number else 1}.safetensors")
    tensors = {**load_file(old, device="cpu"), key: value}
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, new)
    group.safetensors_file_path = str(new)
    tensors.clear()
    for path in {old, *old.parent.glob(f"{name}.*")} - {new}:
        with suppress(OSError):
            path.unlink()


def param_handles(part: nn.Module, name: str) -> Mapping[str, ParamHandle]:
    """Return the "weight" and "bias" of a module, or a bare parameter as "weight".

    Raises AttributeError if `name` is neither.
    """
    steps = name.split(".")
    owners = tuple(part.get_submodule(".".join(steps[:i])) for i in range(len(steps)))
    try:
        module = part.get_submodule(name)
    except AttributeError:
        module = None
    if module is not None and getattr(module, "weight", None) is not None:
        return {
            key: ParamHandle(module=module, name=key, owners=owners)
            for key in ("weight", "bias")
            if getattr(module, key, None) is not None
        }
    if steps[-1] not in dict(owners[-1].named_parameters(recurse=False)):
        raise AttributeError(name)
    return {"weight": ParamHandle(module=owners[-1], name=steps[-1], owners=owners)}


def compute_dtype(module: nn.Module, name: str = "weight") -> torch.dtype:
    """Return the type that a module computes in: its weight's type, or the type that a weight is dequantised to."""
    import torch

    casting = hook_of(module, _LAYERWISE_CASTING)
    # GGUF's and bitsandbytes' 4-bit layers have a `compute_dtype`. SDNQ's dequantizer has a `result_dtype`. The weights
    # of torchao and quanto report the compute type as their dtype.
    of_sdnq = getattr(getattr(module, "sdnq_dequantizer", None), "result_dtype", None)
    declared = getattr(module, "compute_dtype", of_sdnq) if casting is None else casting.compute_dtype
    if isinstance(declared, torch.dtype):
        return declared
    values = (getattr(module, name, None), getattr(module, "bias", None))
    known = [value.dtype for value in values if value is not None and value.dtype in _float_dtypes()]
    # bitsandbytes' 8-bit layers without a bias compute in float16 (LLM.int8).
    return known[0] if known else torch.float16


def is_quantised(module: nn.Module, name: str = "weight") -> bool:
    """Return whether a weight is not a plain tensor in the type that its module computes in."""
    value = getattr(module, name)
    return not _is_plain(value) or value.dtype != compute_dtype(module, name)


def logical_shape(module: nn.Module, value: Tensor) -> tuple[int, ...]:
    """Return the shape of a parameter's unpacked values, because the shape of packed values would fit no LoRA."""
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
