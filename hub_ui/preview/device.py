"""Where pictures are made: CUDA, Apple's MPS, or the CPU; and how to fit a base into what memory there is."""

from __future__ import annotations

import gc
from dataclasses import dataclass
from typing import Any

from hub_ui.preview import footprint, memory
from hub_ui.preview.bases import BaseChoice


@dataclass(frozen=True, kw_only=True, slots=True)
class Device:
    """`label` is for people; `kind` and `dtype` are torch's names."""

    label: str
    kind: str
    dtype: str
    free_bytes: int | None = None


def pick(choice: BaseChoice) -> Device:
    """The fastest device there is, and the type that the base can be trusted in there."""
    import torch

    if torch.cuda.is_available():
        free, _total = torch.cuda.mem_get_info()
        # Emulated it takes several times as long.
        has_bfloat16 = torch.cuda.is_bf16_supported(including_emulation=False)
        dtype = choice.dtype if has_bfloat16 else _without_bfloat16(choice, free)
        return Device(label=torch.cuda.get_device_name(), kind="cuda", dtype=dtype, free_bytes=free)
    if torch.backends.mps.is_available():
        return Device(label="Apple GPU", kind="mps", dtype=choice.dtype)
    # Processors are slow with half numbers, but slower still where the disk has to stand in for memory. Not by what is
    # free just now: the same picture has to come out again tomorrow.
    large = 2 * footprint.need(choice) > memory.installed()
    return Device(label="CPU", kind="cpu", dtype="bfloat16" if large else "float32")


def _without_bfloat16(choice: BaseChoice, free: int) -> str:
    """On older GPUs. What was trained in bfloat16 overflows in float16, so rather in full precision, if it fits."""
    fits = 2 * footprint.need(choice) <= free
    return "float32" if choice.dtype == "bfloat16" and fits else "float16"


def place(pipe: Any, device: Device, choice: BaseChoice) -> None:
    """Moves a pipeline to the device, or sets it to travel there part by part where the whole has no room."""
    footprint.apply(pipe, device, footprint.first(choice, device))
    if device.kind == "mps" and hasattr(pipe, "enable_attention_slicing"):
        # Above this, MPS hands back wrong pictures or none when memory runs out; slices keep its peaks low.
        pipe.enable_attention_slicing()
    if device.kind == "cpu":
        _channels_last(pipe)


def release(device: Device) -> None:
    """Gives the memory of a dropped pipeline back."""
    import torch

    gc.collect()
    if device.kind == "cuda":
        torch.cuda.empty_cache()
    if device.kind == "mps":
        torch.mps.empty_cache()


def _channels_last(pipe: Any) -> None:
    """Convolutions on a CPU are up to three times faster in this layout."""
    import torch

    for name in ("unet", "vae"):
        part = getattr(pipe, name, None)
        # Networks for films have convolutions over time too, which have no such layout.
        if part is not None and all(parameter.dim() < 5 for parameter in part.parameters()):
            part.to(memory_format=torch.channels_last)
