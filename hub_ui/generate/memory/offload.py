"""Offload levels: where a pipeline's weights are kept, and what to try next when memory runs out.

whole           all weights on the device model_offload   one part at a time on the device, the others in RAM
group_offload   one layer at a time, while the next one is copied from RAM disk_offload    one layer at a time, copied
from files

The first three levels give the same bits. disk_offload stores convolutions in another layout, which changes the order
of sums and so the rounding; in half precision this is visible. Decoding piece by piece changes an image a little, and
is chosen separately from the level.
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

# The stage at which memory ran out.
Stage = Literal["loading", "generating", "decoding"]
# Bytes of RAM that stay free in addition to pinned weights, because pinned memory is never swapped out.
_UNPINNED = 8_000_000_000
# The largest side of a piece that is decoded at once, in pixels. Some autoencoders have a larger default, which can be
# a whole image.
_PIECE = 512
# The names of diffusers' hooks for group offloading.
_GROUP_HOOKS = (GROUP_OFFLOADING, "layer_execution_tracker", "lazy_prefetch_group_offloading")


@dataclass(frozen=True, kw_only=True, slots=True)
class Placement:
    """How a pipeline is kept in memory.

    `planned` is the level if memory suffices as expected. `levels` are the levels of the pipeline on its device.
    """

    level: OffloadLevel = "whole"
    is_tiled: bool = False
    planned: OffloadLevel = "whole"
    levels: tuple[OffloadLevel, ...] = LEVELS

    def lower(self, stage: Stage) -> Placement | None:
        """Return the placement to try after memory ran out in that stage, or None after the last."""
        if stage == "decoding" and not self.is_tiled:
            return replace(self, is_tiled=True)
        after = self.levels[self.levels.index(self.level) + 1 :]
        return replace(self, level=after[0]) if after else None


# The whole pipeline on the device, without a lower level.
WHOLE = Placement(levels=("whole",))


def first_fit(pipe: Any, device: Device, wanted: Placement) -> Placement:
    """Move a pipeline to the device, at a lower level if memory runs out, and return its placement.

    Raises the error of the last level if none fits.
    """
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
        # Continue outside of the handler, because the error keeps the memory alive.
        release_memory(device)
        placement = lower


def prepare(pipe: Any, device: Device) -> None:
    """Apply faster or safer settings of a device, before the pipeline is moved there."""
    if device.traits.slices_attention and hasattr(pipe, "enable_attention_slicing"):
        # Without it, MPS returns wrong images or none when memory runs out; slices keep its peaks low.
        pipe.enable_attention_slicing()
    if device.dtype in device.traits.channels_last:
        import torch

        # This is up to three times faster on a CPU. Video networks also have 3D convolutions, which have no such
        # layout.
        for part in (getattr(pipe, name, None) for name in ("unet", "vae")):
            if part is not None and all(parameter.dim() < 5 for parameter in part.parameters()):
                part.to(memory_format=torch.channels_last)


def release_memory(device: Device) -> None:
    """Free the memory of a dropped pipeline."""
    import torch

    gc.collect()
    empty = getattr(getattr(torch, device.kind), "empty_cache", None)
    if empty is not None:
        empty()


def place(pipe: Any, device: Device, placement: Placement) -> None:
    """Move a pipeline from any level to another. At every level, a batch is decoded one image at a time."""
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
    """Remove all hooks that move weights.

    Weights stay on their device, and weights in files are read back.
    """
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
    # diffusers would add the hooks in this list again.
    if hasattr(pipe, "_all_hooks"):
        pipe._all_hooks = []


def free_parts(pipe: Any) -> None:
    """Move the parts that ran last off the device, if parts are offloaded one by one."""
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
    # Modular pipelines have no such method. Each part offloads the part before it, and the first part the last.
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
        # Autoencoders are small and keep values between calls, so they are not offloaded in groups.
        if is_autoencoder(name):
            part.to(device.name)
            continue
        if on_disk:
            _untie(part)
            # The files can store only this layout.
            part.to(memory_format=torch.contiguous_format)
        apply_group_offloading(
            part,
            onload_device=torch.device(device.name),
            offload_device=torch.device("cpu"),
            offload_type="leaf_level",
            use_stream=streams,
            low_cpu_mem_usage=weights + _UNPINNED > available_memory(),
            # Each part needs its own folder, because files are named by layers, whose names repeat between parts.
            offload_to_disk_path=_folder(part) if on_disk else None,
        )
        for group in _groups(part) if on_disk else ():
            # diffusers passes only the type of a torch.device on to safetensors, not its index. A string keeps the
            # index.
            group.onload_device = device.name


def _groups(part: Any) -> list[Any]:
    """Return diffusers' groups of modules that are offloaded together."""
    hooks = (hook_of(module, GROUP_OFFLOADING) for module in part.modules())
    return [hook.group for hook in hooks if hook is not None]


def is_offloaded(network: Any) -> bool:
    """Return whether accelerate or diffusers moves the weights of a network while it runs."""
    return hasattr(network, "_hf_hook") or bool(_groups(network))


def _untie(part: Any) -> None:
    """Give each module that shares a parameter its own copy, such as the two tables of words of T5.

    diffusers writes the parameters of each module into a file and empties them, so the second file of a shared
    parameter would be empty.
    """
    from torch import nn

    seen: set[int] = set()
    for module in part.modules():
        for name, parameter in module.named_parameters(recurse=False):
            if id(parameter) in seen:
                setattr(module, name, nn.Parameter(parameter.data, requires_grad=False))
            seen.add(id(parameter))


def _folder(part: Any) -> str:
    """Create a folder that is deleted when the part is moved to another level or dropped."""
    folder, delete = weights_folder()
    part._delete_offload_folder = weakref.finalize(part, delete)
    return str(folder)


def _read_back(group: Any) -> None:
    from safetensors.torch import load_file

    path = Path(group.safetensors_file_path)
    for key, value in load_file(path).items() if path.exists() else ():
        group.key_to_tensor[key].data = value.clone()


def set_tiling(pipe: Any, *, is_tiled: bool) -> None:
    """Set whether images are decoded piece by piece."""
    vae: Any = getattr(pipe, "vae", None)
    _call(vae, "enable_tiling" if is_tiled else "disable_tiling")
    side, latent = getattr(vae, "tile_sample_min_size", None), getattr(vae, "tile_latent_min_size", None)
    if is_tiled and isinstance(side, int) and isinstance(latent, int) and side > _PIECE:
        vae.tile_sample_min_size, vae.tile_latent_min_size = _PIECE, latent * _PIECE // side


def _call(thing: Any, name: str) -> None:
    method = getattr(thing, name, None)
    if method is not None:
        method()
