"""Devices (CUDA, XPU, Apple's MPS, the CPU), and their memory and the computer's."""

from __future__ import annotations

import importlib.util
import os
import shutil
import tempfile
import tomllib
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec
import psutil
from filelock import FileLock, Timeout

from connectors.errors import PreviewError
from hub_ui.base.i18n import _

# Each takes less of the device's memory than the one before, and more time. From model_offload on, the weights are in
# the computer's memory; the last keeps them on the disk.
OffloadLevel = Literal["whole", "model_offload", "group_offload", "disk_offload"]
LEVELS: tuple[OffloadLevel, ...] = ("whole", "model_offload", "group_offload", "disk_offload")
# In plain words.
LEVEL_NAMES: Mapping[OffloadLevel, str] = {
    "whole": "whole",
    "model_offload": "part by part",
    "group_offload": "layer by layer",
    "disk_offload": "layer by layer, from the disk",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class DeviceKind:
    """What sets one of torch's kinds of devices apart for this program. Nothing else compares their names.

    `has_own_memory`: it does not share the computer's, so that weights can be offloaded from it, copied beside its
    computing; several of them are numbered. `pins`: it copies by itself from pinned memory. `channels_last` are the
    types in which it computes convolutions faster in that layout. `merges`: it has all operations that merging takes.
    `slices_attention`: images are wrong where attention at once runs out of memory. `emulates_bfloat16`: torch computes
    it in float32 where the device lacks it. `compiler` is the package that torch.compile needs for it. On the platform
    `spills_on`, its driver goes on in the computer's memory where its own runs out, and raises nothing.
    """

    has_own_memory: bool = False
    pins: bool = False
    channels_last: tuple[str, ...] = ()
    merges: bool = True
    slices_attention: bool = False
    emulates_bfloat16: bool = False
    compiler: str | None = None
    spills_on: str | None = None


_FILE = tomllib.loads(Path(__file__).with_name("device_kinds.toml").read_text(encoding="utf-8"))
KINDS = msgspec.convert(_FILE, dict[str, DeviceKind])


def kind_of(device: str) -> DeviceKind:
    """By torch's name of a device or of its kind: "cuda:1", "cuda"."""
    return KINDS.get(device.partition(":")[0], KINDS["cpu"])


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


_FOLDER, _LOCK = "hub-ui-offload-", ".lock"


def weights_folder() -> tuple[Path, Callable[[], None]]:
    """A new folder for files of weights, and what deletes it. What programs left that were killed is deleted first:
    each has the size of a base. Their locks tell: a program holds its own for as long as it runs.
    """
    for left in disk_folder().glob(f"{_FOLDER}*"):
        with suppress(OSError, Timeout), FileLock(left / _LOCK, timeout=0):
            shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=_FOLDER, dir=disk_folder()))
    # Any thread may drop the base.
    lock = FileLock(folder / _LOCK, thread_local=False)
    lock.acquire()

    def delete() -> None:
        shutil.rmtree(folder, ignore_errors=True)
        lock.release()

    return folder, delete


def free_disk() -> int:
    """The bytes that are free for files of weights."""
    return shutil.disk_usage(disk_folder()).free


_COMPILERS = ("g++", "clang++", "c++", "cl")


def check_compiler(kind: str) -> None:
    """Raises PreviewError where torch.compile would lack its compiler. `kind` is torch's name for the device."""
    if not (os.environ.get("CXX") or any(shutil.which(name) for name in _COMPILERS)):
        raise PreviewError(
            _("--compile needs a C++ compiler, and there is none here. Install g++ or clang++, or leave --compile out.")
        )
    package = kind_of(kind).compiler
    if package is not None and importlib.util.find_spec(package) is None:
        text = _(
            "--compile needs Triton for this GPU, and it is not installed. Install it with pip install "
            "triton (on Windows triton-windows), or leave --compile out."
        )
        raise PreviewError(text)


def pinned_bytes(size: int) -> int:
    """What a tensor of so many bytes takes of the computer's memory where it is pinned: torch gives powers of two."""
    return 1 << (size - 1).bit_length() if size else 0


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


def find_device() -> Device:
    """The GPU with the most free memory, else the CPU.

    What this program takes counts as free: the GPU with its base on it stays the one that is chosen.
    CUDA_VISIBLE_DEVICES and the like hide GPUs from torch, and so from this.
    """
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


def _most_free(backend: Any) -> int:
    """The number of the GPU, of torch.cuda or torch.xpu, that would have the most free memory without this program."""
    free = [backend.mem_get_info(i)[0] + backend.memory_reserved(i) for i in range(backend.device_count())]
    return free.index(max(free))
