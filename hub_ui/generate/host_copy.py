"""Copies of tensors on the host that the device does not stop for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hub_ui.generate.device_kinds import kind_of

if TYPE_CHECKING:
    from torch import Tensor


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
