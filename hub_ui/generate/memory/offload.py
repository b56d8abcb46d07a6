"""Offload levels: where a pipeline's weights are kept while other parts run, and what is tried when memory runs out.

whole           all weights on the device
model_offload   one part at a time on the device, the others in the computer's memory
group_offload   one layer at a time, while the next one is copied from the computer's memory
disk_offload    the same, copied from files

A level changes an image by rounding alone: in files, convolutions have a layout of their own, which is summed up in
another order, and in half precision that can be seen. The other levels give the same bits. Decoding piece by piece
changes an image a little: it is chosen apart from the level.
"""

from __future__ import annotations

import gc
import weakref
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from hub_ui.generate.lora.parameters import GROUP_OFFLOADING, hook_of
from hub_ui.generate.memory.device import (
    LEVELS,
    Device,
    OffloadLevel,
    available_memory,
    is_out_of_memory,
    pinned_bytes,
    weights_folder,
)
from hub_ui.generate.memory.plan import is_autoencoder

# What was going on when memory ran out.
Stage = Literal["loading", "generating", "decoding"]
# Memory that stays free beside weights that are pinned: pinned memory is never swapped out.
_UNPINNED = 8_000_000_000
# The largest side of a piece that is decoded at once, in pixels: the larger default of some autoencoders is a whole
# image.
_PIECE = 512
# Names of diffusers' hooks.
_GROUP_HOOKS = (GROUP_OFFLOADING, "layer_execution_tracker", "lazy_prefetch_group_offloading")


@dataclass(frozen=True, kw_only=True, slots=True)
class Placement:
    """How a pipeline is kept in memory. `planned` is the level where memory suffices as expected, of the `levels` that
    the pipeline has on its device.
    """

    level: OffloadLevel = "whole"
    is_tiled: bool = False
    planned: OffloadLevel = "whole"
    levels: tuple[OffloadLevel, ...] = LEVELS

    def lower(self, stage: Stage) -> Placement | None:
        """What to try after memory ran out in that stage; None after the last."""
        if stage == "decoding" and not self.is_tiled:
            return replace(self, is_tiled=True)
        after = self.levels[self.levels.index(self.level) + 1 :]
        return replace(self, level=after[0]) if after else None


# All of it on the device, or not at all.
WHOLE = Placement(levels=("whole",))


def first_fit(pipe: Any, device: Device, wanted: Placement) -> Placement:
    """Puts a pipeline on the device, at a lower level where memory runs out. Raises after the last."""
    placement = wanted
    while True:
        try:
            place(pipe, device, placement)
        except (RuntimeError, MemoryError) as error:
            lower = placement.lower("loading")
            if not is_out_of_memory(error) or lower is None:
                raise
        else:
            return placement
        # Outside of the handler, because the error keeps the memory alive.
        release_memory(device)
        placement = lower


def prepare(pipe: Any, device: Device) -> None:
    """Sets what a device computes faster or safer with, before the pipeline is moved there."""
    if device.traits.slices_attention and hasattr(pipe, "enable_attention_slicing"):
        # Without it, MPS returns wrong images or none when memory runs out; slices keep its peaks low.
        pipe.enable_attention_slicing()
    if device.dtype in device.traits.channels_last:
        import torch

        # Up to three times faster on a CPU. Video networks have 3D convolutions too, which have no such layout.
        for part in (getattr(pipe, name, None) for name in ("unet", "vae")):
            if part is not None and all(parameter.dim() < 5 for parameter in part.parameters()):
                part.to(memory_format=torch.channels_last)


def release_memory(device: Device) -> None:
    """Frees the memory of a dropped pipeline."""
    import torch

    gc.collect()
    empty = getattr(getattr(torch, device.kind), "empty_cache", None)
    if empty is not None:
        empty()


def place(pipe: Any, device: Device, placement: Placement) -> None:
    """Moves a pipeline to a level, from any other. Every level decodes the images of a batch one by one."""
    _call(getattr(pipe, "vae", None), "enable_slicing")
    set_tiling(pipe, is_tiled=placement.is_tiled)
    remove_offloading(pipe)
    if placement.level == "whole":
        pipe.to(device.name)
        return
    pipe.to("cpu")
    release_memory(device)
    if placement.level == "model_offload":
        _offload_parts(pipe, device)
        return
    with device.current():
        _offload_groups(pipe, device, on_disk=placement.level == "disk_offload")


def remove_offloading(pipe: Any) -> None:
    """Takes off all hooks that move weights. Their values stay where they are, and those in files come back."""
    from accelerate.hooks import remove_hook_from_module  # type: ignore[import-untyped]

    for part in _networks(pipe).values():
        for group in _groups(part):
            if group.offload_to_disk_path is not None:
                _read_back(group)
        for module in part.modules():
            for name in _GROUP_HOOKS:
                if hook_of(module, name) is not None:
                    module._diffusers_hook.remove_hook(name, recurse=False)
        _call(part, "_delete_offload_folder")
        if hasattr(part, "_hf_hook"):
            remove_hook_from_module(part, recurse=True)
    # A pipeline's own list of hooks, which it would put back.
    if hasattr(pipe, "_all_hooks"):
        pipe._all_hooks = []


def free_parts(pipe: Any) -> None:
    """Takes the parts that ran last off the device again, where they are offloaded one by one."""
    if hasattr(pipe, "maybe_free_model_hooks"):
        pipe.maybe_free_model_hooks()
        return
    for part in _networks(pipe).values():
        if hasattr(part, "_hf_hook"):
            part.to("cpu")


def _networks(pipe: Any) -> dict[str, Any]:
    from torch import nn

    return {name: part for name, part in pipe.components.items() if isinstance(part, nn.Module)}


def _offload_parts(pipe: Any, device: Device) -> None:
    if hasattr(pipe, "enable_model_cpu_offload"):
        pipe.enable_model_cpu_offload(device=device.name)
        return
    # Modular pipelines have no such order. Each part makes room for the next, and the first for the last.
    from accelerate import cpu_offload_with_hook  # type: ignore[import-untyped]

    hooks: list[Any] = []
    for part in _networks(pipe).values():
        _, hook = cpu_offload_with_hook(part, device.name, prev_module_hook=hooks[-1] if hooks else None)
        hooks.append(hook)
    if len(hooks) > 1:
        hooks[0].hook.prev_module_hook = hooks[-1]


def _offload_groups(pipe: Any, device: Device, *, on_disk: bool) -> None:
    import torch
    from diffusers.hooks.group_offloading import apply_group_offloading

    networks = _networks(pipe)
    weights = sum(pinned_bytes(value.nbytes) for part in networks.values() for value in part.parameters())
    streams = device.traits.has_own_memory and not on_disk
    for name, part in networks.items():
        # Autoencoders are small, keep values between calls, and are no groups.
        if is_autoencoder(name):
            part.to(device.name)
            continue
        if on_disk:
            _untie(part)
            # Files take no other layout.
            part.to(memory_format=torch.contiguous_format)
        apply_group_offloading(
            part,
            onload_device=torch.device(device.name),
            offload_device=torch.device("cpu"),
            offload_type="leaf_level",
            use_stream=streams,
            low_cpu_mem_usage=weights + _UNPINNED > available_memory(),
            # Files are named by layers, which have the same names in several parts.
            offload_to_disk_path=_folder(part) if on_disk else None,
        )
        for group in _groups(part) if on_disk else ():
            # Of a torch.device, diffusers tells safetensors the kind alone, not which of several.
            group.onload_device = device.name


def _groups(part: Any) -> list[Any]:
    """diffusers' groups of modules that are offloaded together."""
    hooks = (hook_of(module, GROUP_OFFLOADING) for module in part.modules())
    return [hook.group for hook in hooks if hook is not None]


def is_offloaded(network: Any) -> bool:
    """Whether accelerate or diffusers move its weights while it runs."""
    return hasattr(network, "_hf_hook") or bool(_groups(network))


def _untie(part: Any) -> None:
    """Gives each module that shares a parameter, as T5's two tables of words do, one of its own with the same values.

    diffusers writes each module's parameters into a file and empties them: of a shared one, the second file is empty.
    """
    from torch import nn

    seen: set[int] = set()
    for module in part.modules():
        for name, parameter in module.named_parameters(recurse=False):
            if id(parameter) in seen:
                setattr(module, name, nn.Parameter(parameter.data, requires_grad=False))
            seen.add(id(parameter))


def _folder(part: Any) -> str:
    """A new folder that is deleted when the part is moved to another level, or dropped."""
    folder, delete = weights_folder()
    part._delete_offload_folder = weakref.finalize(part, delete)
    return str(folder)


def _read_back(group: Any) -> None:
    from safetensors.torch import load_file

    path = Path(group.safetensors_file_path)
    for key, value in load_file(path).items() if path.exists() else ():
        group.key_to_tensor[key].data = value.clone()


def set_tiling(pipe: Any, *, is_tiled: bool) -> None:
    """Whether images are decoded piece by piece."""
    vae: Any = getattr(pipe, "vae", None)
    _call(vae, "enable_tiling" if is_tiled else "disable_tiling")
    side, latent = getattr(vae, "tile_sample_min_size", None), getattr(vae, "tile_latent_min_size", None)
    if is_tiled and isinstance(side, int) and isinstance(latent, int) and side > _PIECE:
        vae.tile_sample_min_size, vae.tile_latent_min_size = _PIECE, latent * _PIECE // side


def _call(thing: Any, name: str) -> None:
    method = getattr(thing, name, None)
    if method is not None:
        method()
