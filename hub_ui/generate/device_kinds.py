"""What sets torch's kinds of devices apart for this program, and copies on the host that a device does not stop for.

Nothing else compares their names.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True, slots=True)
class DeviceKind:
    """`has_own_memory`: it does not share the computer's, so that weights can be offloaded from it, copied beside its
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


@dataclass(frozen=True, kw_only=True, slots=True)
class HostCopy:
    """`event` is recorded behind the copy on the device's stream; None where the values are there already."""

    values: Tensor
    event: Any = None

    @property
    def is_ready(self) -> bool:
        """Whether reading it would not wait for the device."""
        return self.event is None or bool(self.event.query())

    def read(self) -> Tensor:
        """The values, once the device has come to them."""
        if self.event is not None:
            self.event.synchronize()
        return self.values


def copy_to_host(tensor: Tensor) -> HostCopy:
    """On CUDA the copy is queued behind the work that makes the tensor; elsewhere it waits for it."""
    import torch

    if not kind_of(tensor.device.type).pins:
        return HostCopy(values=tensor.detach().to("cpu", copy=True))
    # Only into pinned memory can the device copy by itself.
    values = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
    values.copy_(tensor.detach(), non_blocking=True)
    make_event: Any = torch.cuda.Event  # untyped
    event = make_event()
    event.record(torch.cuda.current_stream(tensor.device))
    return HostCopy(values=values, event=event)
