"""Memory and devices (CUDA, Apple's MPS, the CPU), and the offload level for a base."""

from __future__ import annotations

import gc
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import psutil

from connectors.errors import PreviewError
from hub_ui.generate.base_models import PipelineSpec, bases_for_architecture
from hub_ui.generate.base_models.repo_layout import count_parameters
from hub_ui.generate.settings import ResolvedRequest

if TYPE_CHECKING:
    pass


def total_memory() -> int:
    """The computer's memory in bytes."""
    return int(psutil.virtual_memory().total)


def available_memory() -> int:
    """The bytes of this computer's memory that are free, or can be freed at once."""
    return int(psutil.virtual_memory().available)


def free_memory(kind: str) -> int:
    """Free bytes on a device, by torch's name for it; torch's own reserve counts as free."""
    import torch

    if kind == "cuda":
        return int(torch.cuda.mem_get_info()[0]) + torch.cuda.memory_reserved() - torch.cuda.memory_allocated()
    if kind == "mps":
        return int(torch.mps.recommended_max_memory()) - int(torch.mps.driver_allocated_memory())
    return available_memory()


# Each takes less memory than the one before, and more time.
OffloadLevel = Literal["whole", "tiled", "model_offload", "group_offload"]
_LEVELS: dict[str, tuple[OffloadLevel, ...]] = {
    "cuda": ("whole", "tiled", "model_offload", "group_offload"),
    "mps": ("whole", "tiled"),
    "cpu": ("whole", "tiled"),
}
_GIGABYTE = 1_000_000_000
# The share of a base in its largest part, which must fit when one part at a time is on the device.
_LARGEST_PART = 0.75
_SAID_BY_TORCH = ("out of memory", "not enough memory", "can't allocate memory", "invalid buffer size")


def required_memory(spec: PipelineSpec, dtype: str = "float16") -> int:
    """Bytes that the base takes on a device in that precision, with one image in progress."""
    parameters = count_parameters(Path(spec.source))
    half = parameters * 2 * 7 // 6 or round((spec.memory or spec.gigabytes * 7 / 6 + 1) * _GIGABYTE)
    return half * (2 if dtype == "float32" else 1)


def initial_level(spec: PipelineSpec, device: Device) -> OffloadLevel:
    """The first offload level for the base's size and the free memory."""
    if device.kind != "cuda" or device.free_bytes is None:
        return "whole"
    required = required_memory(spec, device.dtype)
    if required <= device.free_bytes:
        return "whole"
    return "model_offload" if required * _LARGEST_PART <= device.free_bytes else "group_offload"


def next_level(level: OffloadLevel, device: Device) -> OffloadLevel | None:
    """The level that takes less memory; None after the last."""
    levels = _LEVELS[device.kind]
    return levels[levels.index(level) + 1] if level in levels[:-1] else None


def apply_level(pipe: Any, device: Device, level: OffloadLevel) -> None:
    """Sets a pipeline to a level. Every level decodes the images of a batch one by one."""
    _call(getattr(pipe, "vae", None), "enable_slicing")
    if level != "whole":
        _call(getattr(pipe, "vae", None), "enable_tiling")
    # Modular pipelines can't be offloaded part by part.
    if level not in ("model_offload", "group_offload") or not hasattr(pipe, "enable_model_cpu_offload"):
        pipe.to(device.kind)
        return
    _call(pipe, "remove_all_hooks")
    if level == "model_offload":
        pipe.enable_model_cpu_offload()
    elif hasattr(pipe, "enable_group_offload"):
        import torch

        pipe.enable_group_offload(onload_device=torch.device(device.kind), offload_type="leaf_level")
    else:
        _call(pipe, "enable_sequential_cpu_offload")


def _call(thing: Any, name: str) -> None:
    method = getattr(thing, name, None)
    if method is not None:
        method()


def is_out_of_memory(error: BaseException) -> bool:
    """CUDA has a class for it; other devices raise a RuntimeError, Python and numpy a MemoryError."""
    import torch

    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error).lower() for words in _SAID_BY_TORCH)


def smaller_bases(spec: PipelineSpec) -> list[PipelineSpec]:
    """Bases for the same LoRAs that take less memory, the largest first."""
    smaller = (
        base
        for base in bases_for_architecture(spec.architecture)
        if required_memory(base) < 0.9 * required_memory(spec)
    )
    return sorted(smaller, key=required_memory, reverse=True)


def check_memory(spec: PipelineSpec, device: Device, spare: int = 0) -> None:
    """Raises PreviewError for a base that doesn't fit into memory, where `spare` more bytes will be free."""
    free, required = available_memory(), required_memory(spec, device.dtype)
    if device.kind == "cpu" and required > free + spare:
        raise PreviewError(
            f"{spec.label} takes about {required / _GIGABYTE:.0f} GB of memory, and {free / _GIGABYTE:.0f} GB are "
            f"free. {_advice(spec)}"
        )


def base_too_large(spec: PipelineSpec, device: Device) -> PreviewError:
    """The error for memory that ran out while a base was loaded."""
    return PreviewError(
        f"{spec.label} takes about {required_memory(spec) / _GIGABYTE:.0f} GB of memory, and this {device.label} ran "
        f"out of it while it was loaded. {_advice(spec)}"
    )


def _advice(spec: PipelineSpec) -> str:
    if smaller := smaller_bases(spec):
        gigabytes = required_memory(smaller[0]) / _GIGABYTE
        return f"Choose {smaller[0].label}, which takes {gigabytes:.0f} GB, or close other programs."
    return "Close other programs, run it on a computer with more memory, or on Replicate."


def image_too_large(spec: PipelineSpec, settings: ResolvedRequest, device: Device) -> PreviewError:
    """The error for memory that ran out at the lowest level, with what would fit."""
    width, height = (max(64, round(side * 0.75) // 64 * 64) for side in (settings.width, settings.height))
    smaller = smaller_bases(spec)
    base = f", or the smaller base {smaller[0].label}" if smaller else ""
    shorter = "fewer frames, " if settings.frames > 1 else ""
    return PreviewError(
        f"{settings.width} × {settings.height} with {spec.label} does not fit into the memory of this {device.label}, "
        f"not even piece by piece. Try {shorter}{width} × {height}{base}, or close other programs."
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Device:
    """`label` is for display; `kind` and `dtype` are torch's names."""

    label: str
    kind: str
    dtype: str
    free_bytes: int | None = None


def choose_device(spec: PipelineSpec) -> Device:
    """The fastest device, and the precision that the base supports there."""
    import torch

    if torch.cuda.is_available():
        free, _total = torch.cuda.mem_get_info()
        dtype: str = spec.dtype
        # Emulation takes several times as long.
        if not torch.cuda.is_bf16_supported(including_emulation=False):
            # What was trained in bfloat16 overflows in float16, so rather in full precision, if it fits.
            fits = required_memory(spec, "float32") <= free
            dtype = "float32" if spec.dtype == "bfloat16" and fits else "float16"
        return Device(label=torch.cuda.get_device_name(), kind="cuda", dtype=dtype, free_bytes=free)
    if torch.backends.mps.is_available():
        return Device(label="Apple GPU", kind="mps", dtype=spec.dtype)
    # CPUs are slow with half precision, but slower when they swap. Total memory decides, not free memory: the same
    # request must give the same image tomorrow.
    is_large = required_memory(spec, "float32") > total_memory()
    return Device(label="CPU", kind="cpu", dtype="bfloat16" if is_large else "float32")


def move_to_device(pipe: Any, device: Device, spec: PipelineSpec) -> None:
    """Moves a pipeline to the device, or offloads it part by part if it does not fit."""
    apply_level(pipe, device, initial_level(spec, device))
    if device.kind == "mps" and hasattr(pipe, "enable_attention_slicing"):
        # Without it, MPS returns wrong images or none when memory runs out; slices keep its peaks low.
        pipe.enable_attention_slicing()
    if device.kind == "cpu":
        import torch

        # Convolutions on a CPU are up to three times faster in this layout. Video networks have 3D convolutions too,
        # which have no such layout.
        for part in (getattr(pipe, name, None) for name in ("unet", "vae")):
            if part is not None and all(parameter.dim() < 5 for parameter in part.parameters()):
                part.to(memory_format=torch.channels_last)


def release_memory(device: Device) -> None:
    """Frees the memory of a dropped pipeline."""
    import torch

    gc.collect()
    if device.kind == "cuda":
        torch.cuda.empty_cache()
    if device.kind == "mps":
        torch.mps.empty_cache()
