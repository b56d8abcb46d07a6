"""Devices (CUDA, XPU, Apple's MPS, the CPU) and their memory, and whether a base fits into it."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil

from connectors.errors import PreviewError
from hub_ui.generate.base_models import PipelineSpec, bases_for_architecture
from hub_ui.generate.memory_plan import DeviceKind, MemoryPlan, OffloadLevel, kind_of, required_memory
from hub_ui.generate.settings import ResolvedRequest
from hub_ui.i18n import _


def total_memory() -> int:
    """The computer's memory in bytes."""
    return int(psutil.virtual_memory().total)


def available_memory() -> int:
    """The bytes of this computer's memory that are free, or can be freed at once."""
    return int(psutil.virtual_memory().available)


def disk_folder() -> Path:
    """Where files of weights are written: for temporary files, unless those are in the computer's memory."""
    folders = [Path(tempfile.gettempdir()), Path("/var/tmp"), Path.home()]
    found = next((folder for folder in folders if folder.is_dir() and not _is_in_memory(folder)), None)
    if found is None:
        text = _("All folders for temporary files are in the computer's memory. Set TMPDIR to a folder on a disk.")
        raise PreviewError(text)
    return found


def _is_in_memory(folder: Path) -> bool:
    mounted = {each.mountpoint: each.fstype for each in psutil.disk_partitions(all=True)}
    at = next((str(above) for above in (folder.resolve(), *folder.resolve().parents) if str(above) in mounted), "")
    return mounted.get(at) in ("tmpfs", "ramfs")


def free_disk() -> int:
    """The bytes that are free for files of weights."""
    return shutil.disk_usage(disk_folder()).free


def pinned_bytes(size: int) -> int:
    """What a tensor of so many bytes takes of the computer's memory where it is pinned: torch gives powers of two."""
    return 1 << (size - 1).bit_length() if size else 0


_GIGABYTE = 1_000_000_000
# What devices say in a RuntimeError; libraries of CUDA have words of their own.
_SAID_BY_TORCH = (
    "out of memory", "not enough memory", "can't allocate memory", "invalid buffer size", "cublas_status_alloc_failed",
    "cudnn_status_alloc_failed", "cusolver_status_alloc_failed", "out_of_device_memory", "out_of_host_memory",
)  # fmt: skip


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


def shortage(spec: PipelineSpec, plan: MemoryPlan, device: Device, ram: int, disk: int) -> str:
    """What a base takes too much of where it fits at no level, with what would fit. Free are `ram` and `disk`."""
    needed, free, where = plan.ram, ram, "memory"
    if plan.disk > disk:
        needed, free, where = plan.disk, disk, f"the disk, in {disk_folder()}"
    elif plan.ram <= ram:
        needed, free, where = plan.peak, device.free_bytes or 0, f"the memory of this {device.label}"
    return f"{spec.label} takes about {_gigabytes(needed)} of {where}, and {_gigabytes(free)} are free. {_advice(spec)}"


def base_too_large(spec: PipelineSpec, device: Device) -> PreviewError:
    """The error for memory that ran out while a base was loaded."""
    return PreviewError(
        f"{spec.label} takes about {_gigabytes(required_memory(spec))} of memory, and this {device.label} ran out of "
        f"it while it was loaded. {_advice(spec)}"
    )


def _gigabytes(size: int) -> str:
    return f"{size / _GIGABYTE:.0f} GB" if size >= 0.95 * _GIGABYTE else f"{size / _GIGABYTE:.1f} GB"


def _advice(spec: PipelineSpec) -> str:
    if smaller := smaller_bases(spec):
        taken = _gigabytes(required_memory(smaller[0]))
        return f"Choose {smaller[0].label}, which takes {taken}, or close other programs."
    return "Close other programs, run it on a computer with more memory, or on Replicate."


def image_too_large(spec: PipelineSpec, settings: ResolvedRequest, device: Device) -> PreviewError:
    """The error for memory that ran out at the lowest level, with what would fit."""
    width, height = (round(side * 0.75) // 64 * 64 for side in (settings.width, settings.height))
    tries = ["fewer frames"] if settings.frames > 1 else []
    # None for an image of 64 pixels or less.
    tries += [f"{width} × {height}"] if min(width, height) > 0 else []
    tries += [f"or the smaller base {smaller.label}" for smaller in smaller_bases(spec)[:1]]
    advice = f"Try {', '.join(tries)}, or close other programs." if tries else "Close other programs."
    return PreviewError(
        f"{settings.width} × {settings.height} with {spec.label} does not fit into the memory of this {device.label}, "
        f"not even piece by piece. {advice}"
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Device:
    """`label` is for display; `kind` and `dtype` are torch's names, the latter of what it computes in: see dtype_on.
    `index` tells several of a kind apart. `levels` are the offload levels to use, where they are not all that the kind
    has.
    """

    label: str
    kind: str
    dtype: str = "float32"
    has_bfloat16: bool = True
    free_bytes: int | None = None
    total_bytes: int | None = None
    index: int = 0
    levels: tuple[OffloadLevel, ...] = ()

    @property
    def traits(self) -> DeviceKind:
        return kind_of(self.kind)

    @property
    def name(self) -> str:
        """torch's name of this very device: "cuda:1"."""
        return f"{self.kind}:{self.index}" if self.traits.has_own_memory else self.kind

    def current(self) -> AbstractContextManager[object]:
        """Within it, it is torch's current one of its kind, as which diffusers makes its streams."""
        import torch

        if not self.traits.has_own_memory:
            return nullcontext()
        current: AbstractContextManager[object] = getattr(torch, self.kind).device(self.index)
        return current


def choose_device(spec: PipelineSpec) -> Device:
    """The GPU with the most free memory, else the CPU, and the precision that the base supports there.

    What this program takes counts as free: the GPU with its base on it stays the one that is chosen.
    CUDA_VISIBLE_DEVICES and the like hide GPUs from torch, and so from this.
    """
    device = _find_device()
    return replace(device, dtype=dtype_on(device, spec))


def _find_device() -> Device:
    import torch

    if torch.cuda.is_available():
        index = _most_free(torch.cuda)
        free, total = torch.cuda.mem_get_info(index)
        # As torch's own function decides, which asks the current GPU alone. Emulation takes several times as long.
        has_bfloat16 = torch.version.hip is not None or torch.cuda.get_device_properties(index).major >= 8
        label, kind = torch.cuda.get_device_name(index), "cuda"
    elif hasattr(torch, "xpu") and torch.xpu.is_available():
        index, has_bfloat16 = _most_free(torch.xpu), True
        free, total = torch.xpu.mem_get_info(index)
        label, kind = torch.xpu.get_device_name(index), "xpu"
    elif torch.backends.mps.is_available():
        # Before macOS 14 there is no bfloat16 on it.
        index, has_bfloat16 = 0, torch.backends.mps.is_macos_or_newer(14, 0)
        total = int(torch.mps.recommended_max_memory())
        free = total - int(torch.mps.driver_allocated_memory())
        label, kind = "Apple GPU", "mps"
    else:
        return Device(label="CPU", kind="cpu")
    return Device(label=label, kind=kind, has_bfloat16=has_bfloat16, free_bytes=free, total_bytes=total, index=index)


def dtype_on(device: Device, spec: PipelineSpec) -> str:
    """The type that a base is computed in there. All memory decides, not what is free of it: the same request must give
    the same image tomorrow.
    """
    if device.kind == "cpu":
        # CPUs are slow with half precision, but slower when they swap. An image that does not fit beside the weights is
        # decoded in pieces.
        is_large = required_memory(spec, "float32", is_tiled=True) > total_memory()
        return "bfloat16" if is_large else "float32"
    if device.has_bfloat16:
        return spec.dtype
    if not device.traits.emulates_bfloat16:
        return "float16" if spec.runs_in_float16 else "float32"
    # What was trained in bfloat16 may overflow in float16, so rather in full precision, if it fits. What surely
    # overflows is computed in bfloat16 all the same.
    if spec.dtype == "bfloat16" and required_memory(spec, "float32") <= (device.total_bytes or 0):
        return "float32"
    return "float16" if spec.runs_in_float16 else "bfloat16"


def _most_free(backend: Any) -> int:
    """The number of the GPU, of torch.cuda or torch.xpu, that would have the most free memory without this program."""
    free = [backend.mem_get_info(i)[0] + backend.memory_reserved(i) for i in range(backend.device_count())]
    return free.index(max(free))
