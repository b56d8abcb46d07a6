"""Devices (CUDA, XPU, Apple's MPS, the CPU), their memory, RAM and disk space."""

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

# Each level takes less device memory than the one before, and more time. From model_offload on, weights are in RAM.
# disk_offload keeps them on the disk.
OffloadLevel = Literal["whole", "model_offload", "group_offload", "disk_offload"]
LEVELS: tuple[OffloadLevel, ...] = ("whole", "model_offload", "group_offload", "disk_offload")
# The names of levels on the page.
LEVEL_NAMES: Mapping[OffloadLevel, str] = {
    "whole": "whole",
    "model_offload": "part by part",
    "group_offload": "layer by layer",
    "disk_offload": "layer by layer, from the disk",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class DeviceKind:
    """The properties of one of torch's kinds of devices. No other code compares names of devices.

    `has_own_memory`: the device does not share RAM, so weights can be offloaded and copied while it computes. Several
    devices of such a kind are numbered. `pins`: it copies from pinned memory without the CPU. `channels_last` are the
    types that it convolves faster in that layout. `merges`: it has all operations for merging LoRAs.
    `slices_attention`: images are wrong if unsliced attention runs out of memory. `emulates_bfloat16`: torch computes
    bfloat16 in float32 if the device lacks it. `compiler` is the package that torch.compile needs. On the platform
    `spills_on`, the driver uses RAM instead of raising an error when device memory runs out.
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
    """Return the kind of a device by torch's name of it, such as "cuda:1" or "cuda"."""
    return KINDS.get(device.partition(":")[0], KINDS["cpu"])


def total_memory() -> int:
    """Return the bytes of RAM of this computer."""
    return int(psutil.virtual_memory().total)


def available_memory() -> int:
    """Return the bytes of RAM that are free or can be freed at once."""
    return int(psutil.virtual_memory().available)


def disk_folder() -> Path:
    """Return a folder on a disk for temporary files. Raises PreviewError if all are in RAM."""
    folders = [Path(tempfile.gettempdir()), Path("/var/tmp"), Path.home()]
    folder_on_disk = next((folder for folder in folders if folder.is_dir() and not _is_in_memory(folder)), None)
    if folder_on_disk is None:
        text = _("All folders for temporary files are in the computer's memory. Set TMPDIR to a folder on a disk.")
        raise PreviewError(text)
    return folder_on_disk


def _is_in_memory(folder: Path) -> bool:
    mounted = {partition.mountpoint: partition.fstype for partition in psutil.disk_partitions(all=True)}
    place = next((str(above) for above in (folder.resolve(), *folder.resolve().parents) if str(above) in mounted), "")
    return mounted.get(place) in ("tmpfs", "ramfs")


_FOLDER, _LOCK = "hub-ui-offload-", ".lock"


def weights_folder() -> tuple[Path, Callable[[], None]]:
    """Return a new folder for files of weights, and a function that deletes it.

    First delete the folders of killed programs, because each is as large as a base. A running program holds the lock in
    its folder.
    """
    for leftover in disk_folder().glob(f"{_FOLDER}*"):
        with suppress(OSError, Timeout), FileLock(leftover / _LOCK, timeout=0):
            shutil.rmtree(leftover, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=_FOLDER, dir=disk_folder()))
    # Any thread may unload the base and so release the lock.
    lock = FileLock(folder / _LOCK, thread_local=False)
    lock.acquire()

    def delete() -> None:
        shutil.rmtree(folder, ignore_errors=True)
        lock.release()

    return folder, delete


def free_disk() -> int:
    """Return the bytes that are free for files of weights."""
    return shutil.disk_usage(disk_folder()).free


_COMPILERS = ("g++", "clang++", "c++", "cl")


def check_compiler(kind: str) -> None:
    """Raise PreviewError if torch.compile lacks its compiler. `kind` is torch's name of the device."""
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
    """Return the bytes of RAM for a pinned tensor of `size` bytes, because torch pins powers of two."""
    return 1 << (size - 1).bit_length() if size else 0


# The messages of a RuntimeError on devices without memory. Libraries of CUDA have their own.
_OUT_OF_MEMORY_MESSAGES = (
    "out of memory", "not enough memory", "can't allocate memory", "invalid buffer size", "cublas_status_alloc_failed",
    "cudnn_status_alloc_failed", "cusolver_status_alloc_failed", "out_of_device_memory", "out_of_host_memory",
)  # fmt: skip


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error means that memory ran out.

    CUDA has a class for it. Other devices raise a RuntimeError, and Python and numpy a MemoryError.
    """
    import torch

    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error).lower() for words in _OUT_OF_MEMORY_MESSAGES)


@dataclass(frozen=True, kw_only=True, slots=True)
class Device:
    """A device of this computer. `label` is for display.

    `kind` and `dtype` are torch's names of its kind and of the type that it computes in (see dtype_on). `index` numbers
    several devices of a kind. `levels` limits the offload levels to use; if it is empty, all levels of the kind are
    used.
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
        """torch's name of this device, such as "cuda:1"."""
        return f"{self.kind}:{self.index}" if self.traits.has_own_memory else self.kind

    def current(self) -> AbstractContextManager[object]:
        """Within the context, make this device torch's current one. diffusers creates its streams on it."""
        import torch

        if not self.traits.has_own_memory:
            return nullcontext()
        current: AbstractContextManager[object] = getattr(torch, self.kind).device(self.index)
        return current


def find_device() -> Device:
    """Return the GPU with the most free memory, or else the CPU.

    Memory of this program counts as free, so that the GPU with the loaded base is chosen again. Variables such as
    CUDA_VISIBLE_DEVICES hide GPUs from torch and so from this function.
    """
    import torch

    if torch.cuda.is_available():
        index = _most_free(torch.cuda)
        free, total = torch.cuda.mem_get_info(index)
        # This is the rule of torch.cuda.is_bf16_supported, which checks only the current GPU. Emulated bfloat16 is
        # several times slower, so it does not count.
        has_bfloat16 = torch.version.hip is not None or torch.cuda.get_device_properties(index).major >= 8
        label, kind = torch.cuda.get_device_name(index), "cuda"
    elif hasattr(torch, "xpu") and torch.xpu.is_available():
        index, has_bfloat16 = _most_free(torch.xpu), True
        free, total = torch.xpu.mem_get_info(index)
        label, kind = torch.xpu.get_device_name(index), "xpu"
    elif torch.backends.mps.is_available():
        # MPS has bfloat16 since macOS 14.
        index, has_bfloat16 = 0, torch.backends.mps.is_macos_or_newer(14, 0)
        total = int(torch.mps.recommended_max_memory())
        free = total - int(torch.mps.driver_allocated_memory())
        label, kind = "Apple GPU", "mps"
    else:
        return Device(label="CPU", kind="cpu")
    return Device(label=label, kind=kind, has_bfloat16=has_bfloat16, free_bytes=free, total_bytes=total, index=index)


def _most_free(backend: Any) -> int:
    """Return the number of the GPU with the most free memory, not counting this program's memory."""
    free = [backend.mem_get_info(i)[0] + backend.memory_reserved(i) for i in range(backend.device_count())]
    return free.index(max(free))
