"""Where pictures are made: CUDA, Apple's MPS, or the CPU; and how to fit a base into what memory there is."""

from __future__ import annotations

import gc
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import psutil

from connectors.errors import PreviewError
from hub_ui.generate import base_models
from hub_ui.generate.base_models import PipelineSpec, repo_layout
from hub_ui.generate.settings import ResolvedRequest

if TYPE_CHECKING:
    pass


def installed() -> int:
    """Bytes of memory that this computer has."""
    return int(psutil.virtual_memory().total)


def available() -> int:
    """Bytes of it that are free, or would be at once."""
    return int(psutil.virtual_memory().available)


def free(kind: str) -> int:
    """Bytes to be had on a device now; what torch holds in reserve counts as free."""
    import torch

    if kind == "cuda":
        return int(torch.cuda.mem_get_info()[0]) + torch.cuda.memory_reserved() - torch.cuda.memory_allocated()
    if kind == "mps":
        return int(torch.mps.recommended_max_memory()) - int(torch.mps.driver_allocated_memory())
    return available()


# Each takes less memory than the one before, and more time.
OffloadLevel = Literal["whole", "tiled", "offload", "groups"]
_LEVELS: dict[str, tuple[OffloadLevel, ...]] = {
    "cuda": ("whole", "tiled", "offload", "groups"),
    "mps": ("whole", "tiled"),
    "cpu": ("whole", "tiled"),
}
_GIGABYTE = 1_000_000_000
# The largest part of a base, of all its parts: what must fit when one part at a time lies on the device.
_LARGEST_PART = 0.75
# A rough figure for one picture of a batch while it is denoised, of a network of SDXL's size in half precision.
_BYTES_A_PIXEL = 2400
_SHARE_OF_FREE = 0.6
_LARGEST_BATCH = 8
_SAID_BY_TORCH = ("out of memory", "not enough memory", "can't allocate memory", "invalid buffer size")


def first(choice: PipelineSpec, device: Device) -> OffloadLevel:
    """The one to begin with, by the base's size and the memory that is free."""
    if device.kind != "cuda" or device.free_bytes is None:
        return "whole"
    taken = need(choice) * (2 if device.dtype == "float32" else 1)
    if taken <= device.free_bytes:
        return "whole"
    return "offload" if taken * _LARGEST_PART <= device.free_bytes else "groups"


def need(choice: PipelineSpec) -> int:
    """What the base takes on a device at half precision, one picture in the making included."""
    counted = repo_layout.in_base(Path(choice.source))
    if counted:
        return counted * 2 * 7 // 6
    return round((choice.memory or choice.gigabytes * 7 / 6 + 1) * _GIGABYTE)


def check(choice: PipelineSpec, device: Device, spare: int = 0) -> None:
    """Raises PreviewError for a base that this computer can't even hold: it would stand still for minutes, and fail.

    `spare` is what will be free by then.
    """
    free = available()
    taken = need(choice) * (2 if device.dtype == "float32" else 1)
    if device.kind != "cpu" or taken <= free + spare:
        return
    raise PreviewError(
        f"{choice.label} takes about {taken / _GIGABYTE:.0f} GB of memory, and {free / _GIGABYTE:.0f} GB are free. "
        f"{_instead(smaller_bases(choice))}"
    )


def too_heavy(choice: PipelineSpec, device: Device) -> PreviewError:
    """What is told when memory ran out while a base was loaded."""
    return PreviewError(
        f"{choice.label} takes about {need(choice) / _GIGABYTE:.0f} GB of memory, and this {device.label} ran out "
        f"of it while it was loaded. {_instead(smaller_bases(choice))}"
    )


def smaller_bases(choice: PipelineSpec) -> tuple[PipelineSpec, ...]:
    """Bases for the same LoRAs that take less, the largest first."""
    fitting = (base for base in base_models.for_architecture(choice.architecture) if need(base) < 0.9 * need(choice))
    return tuple(sorted(fitting, key=need, reverse=True))


def _instead(others: Sequence[PipelineSpec]) -> str:
    if others:
        return f"Choose {others[0].label}, which takes {need(others[0]) / _GIGABYTE:.0f} GB, or close other programs."
    return "Close other programs, run it on a computer with more memory, or on Replicate."


def below(level: OffloadLevel, device: Device) -> OffloadLevel | None:
    """The next one, None after the last."""
    levels = _LEVELS[device.kind]
    return levels[levels.index(level) + 1] if level in levels[:-1] else None


def apply(pipe: Any, device: Device, level: OffloadLevel) -> None:
    """Brings a pipeline to that level. Pictures of one batch are decoded one after the other at each of them."""
    _call(getattr(pipe, "vae", None), "enable_slicing")
    if level != "whole":
        _call(getattr(pipe, "vae", None), "enable_tiling")
    travels = level in ("offload", "groups") and hasattr(pipe, "enable_model_cpu_offload")
    if not travels:
        # Pipelines of blocks can't be sent part by part.
        pipe.to(device.kind)
        return
    _call(pipe, "remove_all_hooks")
    if level == "offload":
        pipe.enable_model_cpu_offload()
    else:
        _by_groups(pipe, device)


def batch(settings: ResolvedRequest, device: Device, level: OffloadLevel, free: int) -> int:
    """How many pictures at once."""
    if level != "whole":
        return 1
    width = 1 if device.dtype in ("float16", "bfloat16") else 2
    # Autoencoders of films make one of every four frames or more.
    frames = max(1, math.ceil(settings.frames / 4))
    row = settings.width * settings.height * frames * _BYTES_A_PIXEL * width
    return max(1, min(_LARGEST_BATCH, int(free * _SHARE_OF_FREE) // row))


def out_of_memory(error: BaseException) -> bool:
    """CUDA has a class for it; other devices say it in a RuntimeError, Python and numpy in a MemoryError."""
    import torch

    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error).lower() for words in _SAID_BY_TORCH)


def too_large(choice: PipelineSpec, chosen: ResolvedRequest, device: Device) -> PreviewError:
    """What is told when even the smallest footprint was too large, with what would fit."""
    width, height = (max(64, round(side * 0.75) // 64 * 64) for side in (chosen.width, chosen.height))
    others = smaller_bases(choice)
    base = f", or the smaller base {others[0].label}" if others else ""
    shorter = "fewer frames, " if chosen.frames > 1 else ""
    return PreviewError(
        f"{chosen.width} × {chosen.height} with {choice.label} does not fit into the memory of this {device.label}, "
        f"not even piece by piece. Try {shorter}{width} × {height}{base}, or close other programs."
    )


def _call(thing: Any, name: str) -> None:
    method = getattr(thing, name, None)
    if method is not None:
        method()


def _by_groups(pipe: Any, device: Device) -> None:
    import torch

    if hasattr(pipe, "enable_group_offload"):
        pipe.enable_group_offload(onload_device=torch.device(device.kind), offload_type="leaf_level")
    else:
        _call(pipe, "enable_sequential_cpu_offload")


@dataclass(frozen=True, kw_only=True, slots=True)
class Device:
    """`label` is for people; `kind` and `dtype` are torch's names."""

    label: str
    kind: str
    dtype: str
    free_bytes: int | None = None


def pick(choice: PipelineSpec) -> Device:
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
    large = 2 * need(choice) > installed()
    return Device(label="CPU", kind="cpu", dtype="bfloat16" if large else "float32")


def _without_bfloat16(choice: PipelineSpec, free: int) -> str:
    """On older GPUs. What was trained in bfloat16 overflows in float16, so rather in full precision, if it fits."""
    fits = 2 * need(choice) <= free
    return "float32" if choice.dtype == "bfloat16" and fits else "float16"


def place(pipe: Any, device: Device, choice: PipelineSpec) -> None:
    """Moves a pipeline to the device, or sets it to travel there part by part where the whole has no room."""
    apply(pipe, device, first(choice, device))
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
