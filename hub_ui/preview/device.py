"""Where pictures are made: CUDA, Apple's MPS, or the CPU; and how to fit a base into what memory there is."""

from __future__ import annotations

import gc
from dataclasses import dataclass
from typing import Any

from hub_ui.preview import footprint
from hub_ui.preview.bases import BaseChoice

# Trained in bfloat16: half precision overflows in them.
_NEEDS_BF16 = ("flux1", "flux2", "sd3", "qwen-image", "z-image", "chroma", "lumina2", "sana", "cogview4", "auraflow")


@dataclass(frozen=True, kw_only=True, slots=True)
class Device:
    """`label` is for people; `kind` and `dtype` are torch's names."""

    label: str
    kind: str
    dtype: str
    free_bytes: int | None = None


def pick(choice: BaseChoice) -> Device:
    """The fastest device there is."""
    import torch

    wide = choice.architecture in _NEEDS_BF16
    if torch.cuda.is_available():
        free, _total = torch.cuda.mem_get_info()
        dtype = "bfloat16" if wide and torch.cuda.is_bf16_supported() else "float16"
        return Device(label=torch.cuda.get_device_name(), kind="cuda", dtype=dtype, free_bytes=free)
    if torch.backends.mps.is_available():
        return Device(label="Apple GPU", kind="mps", dtype="bfloat16" if wide else "float16")
    return Device(label="CPU", kind="cpu", dtype="float32")


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
        if part is not None:
            part.to(memory_format=torch.channels_last)
