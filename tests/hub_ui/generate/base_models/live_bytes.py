"""Counts the bytes of tensors that are alive at once while a network runs, on tensors without values."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter


class _LiveBytes(TorchDispatchMode):  # type: ignore[no-untyped-call]
    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        weights = [*network.parameters(), *network.buffers()]
        self._known = {weight.untyped_storage()._cdata for weight in weights}
        self._now = 0
        self.peak: int = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for tensor in (value for value in tree_iter(result) if isinstance(value, torch.Tensor)):
            storage = tensor.untyped_storage()
            if storage._cdata not in self._known:
                self._known.add(storage._cdata)
                self._now += storage.nbytes()
                self.peak = max(self.peak, self._now)
                weakref.finalize(storage, self._free, storage._cdata, storage.nbytes())
        return result

    def _free(self, address: int, size: int) -> None:
        self._known.discard(address)
        self._now -= size


@contextmanager
def _attention_without_matrix() -> Iterator[None]:
    """As GPUs compute it. Without values torch would take the way with a matrix of all pairs."""

    def attend(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
        return query.new_empty(*query.shape[:-1], value.shape[-1])

    original = functional.scaled_dot_product_attention
    functional.scaled_dot_product_attention = attend
    try:
        yield
    finally:
        functional.scaled_dot_product_attention = original


def peak_bytes(network: torch.nn.Module, call: Callable[[Any], Any]) -> int:
    """The most bytes beside the weights; `network` and what `call` gives it are on the meta device."""
    with _attention_without_matrix(), torch.inference_mode(), _LiveBytes(network) as live:
        call(network)
    peak: int = live.peak
    return peak


def line(small: tuple[int, int], large: tuple[int, int]) -> tuple[float, int]:
    """Bytes for a pixel, and fixed ones, from (pixels, bytes) of two sizes."""
    pixel = (large[1] - small[1]) / (large[0] - small[0])
    return pixel, round(small[1] - pixel * small[0])
