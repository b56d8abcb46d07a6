"""The device: CUDA or Apple's MPS; the CPU in the short form, which shows that the sections themselves work."""

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import Any

import psutil
import torch

GIGABYTE = 1_000_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Card:
    """`kind` is torch's name for it, `total` its memory in bytes."""

    kind: str
    label: str
    total: int

    @property
    def half(self) -> torch.dtype:
        """The 16-bit type that bases run in here."""
        if self.kind == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False):
            return torch.float16
        return torch.bfloat16

    def synchronize(self) -> None:
        """Waits for all that was queued: a call returns when its kernels are queued, not when they are done."""
        if self.kind == "cuda":
            torch.cuda.synchronize()
        elif self.kind == "mps":
            torch.mps.synchronize()

    def release(self) -> None:
        gc.collect()
        if self.kind == "cuda":
            torch.cuda.empty_cache()
        elif self.kind == "mps":
            torch.mps.empty_cache()

    def allocated(self) -> int:
        """Bytes of tensors on it now; 0 where that can't be told."""
        if self.kind == "cuda":
            return int(torch.cuda.memory_allocated())
        return int(torch.mps.current_allocated_memory()) if self.kind == "mps" else 0

    def seconds(self, do: Callable[[], object]) -> float:
        """Of the processor where it is the device: other programs on the machine hardly change those."""
        clock = time.process_time if self.kind == "cpu" else time.perf_counter
        self.synchronize()
        start = clock()
        do()
        self.synchronize()
        return clock() - start

    def median_seconds(self, do: Callable[[], object], runs: int) -> float:
        return median(self.seconds(do) for _ in range(runs))

    def peak(self, do: Callable[[], object]) -> int | None:
        """The most bytes of tensors on it during the call. Only CUDA counts them."""
        if self.kind != "cuda":
            do()
            return None
        self.synchronize()
        torch.cuda.reset_peak_memory_stats()
        do()
        self.synchronize()
        return int(torch.cuda.max_memory_allocated())

    @contextmanager
    def limited(self, size: int) -> Iterator[None]:
        """Within it, torch raises OutOfMemoryError for tensors of more than `size` bytes together."""
        if self.kind != "cuda":
            yield
            return
        self.release()
        torch.cuda.set_per_process_memory_fraction(min(1.0, size / self.total))
        try:
            yield
        finally:
            torch.cuda.set_per_process_memory_fraction(1.0)
            self.release()


def find_card() -> Card | None:
    """The accelerator of this machine; None where there is none."""
    if torch.cuda.is_available():
        return Card(kind="cuda", label=torch.cuda.get_device_name(), total=int(torch.cuda.mem_get_info()[1]))
    if torch.backends.mps.is_available():
        return Card(kind="mps", label="Apple GPU", total=int(torch.mps.recommended_max_memory()))
    return None


def cpu() -> Card:
    return Card(kind="cpu", label="CPU, short form", total=int(psutil.virtual_memory().total))


@contextmanager
def full_precision() -> Iterator[None]:
    """Without TF32, which rounds the inputs of float32 products to 10 bits; convolutions take it by default on CUDA."""
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32
    matmul.allow_tf32 = cudnn.allow_tf32 = False
    try:
        yield
    finally:
        matmul.allow_tf32, cudnn.allow_tf32 = before


def moved(value: Any, card: Card, dtype: torch.dtype) -> Any:
    """A tensor on the card, numbers with a fraction in that type; anything else as it is."""
    if not isinstance(value, torch.Tensor):
        return value
    return value.to(card.kind, dtype) if value.is_floating_point() else value.to(card.kind)
