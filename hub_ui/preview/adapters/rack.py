"""LoRA files on a loaded pipeline: loaded once, switched by weight, and every tensor accounted for."""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hub_ui.preview.adapters.files import Applied, delete, load
from hub_ui.preview.job import Adapter

# Loaded LoRAs stay for a quick return; more than this would fill the memory with what nobody looks at.
_KEPT = 6


@dataclass(frozen=True, kw_only=True, slots=True)
class Switched:
    applied: Applied
    seconds: float


class Rack:
    """The adapters of one pipeline."""

    def __init__(self, pipe: Any) -> None:
        self._pipe = pipe
        self._loaded: OrderedDict[str, Applied] = OrderedDict()

    def switch(self, adapters: Sequence[Adapter]) -> Switched:
        """Makes exactly these take effect, with their weights. The base itself is not touched."""
        start = time.perf_counter()
        names = [_name(adapter) for adapter in adapters]
        counts = [self._load(name, adapter) for name, adapter in zip(names, adapters, strict=True)]
        self._drop_oldest(names)
        if names:
            weights = _summed(names, [adapter.weight for adapter in adapters])
            self._pipe.set_adapters(list(weights), list(weights.values()))
            self._pipe.enable_lora()
        elif self._loaded:
            self._pipe.disable_lora()
        return Switched(applied=_together(counts), seconds=time.perf_counter() - start)

    def without(self) -> None:
        """The base alone, until the next switch."""
        if self._loaded:
            self._pipe.disable_lora()

    def _load(self, name: str, adapter: Adapter) -> Applied:
        if name in self._loaded:
            self._loaded.move_to_end(name)
            return self._loaded[name]
        applied = load(self._pipe, name, adapter)
        self._loaded[name] = applied
        return applied

    def _drop_oldest(self, needed: Sequence[str]) -> None:
        for name in [name for name in self._loaded if name not in needed][: max(0, len(self._loaded) - _KEPT)]:
            del self._loaded[name]
            delete(self._pipe, name)


def _name(adapter: Adapter) -> str:
    """The same bytes at the same place are loaded once; names of modules must hold no dots."""
    stat = adapter.path.stat()
    text = f"{adapter.path}:{stat.st_mtime_ns}:{stat.st_size}"
    return "lora_" + hashlib.sha256(text.encode()).hexdigest()[:12]


def _summed(names: Sequence[str], weights: Sequence[float]) -> dict[str, float]:
    """A LoRA that stands in the stack twice counts with both its weights."""
    total: dict[str, float] = {}
    for name, weight in zip(names, weights, strict=True):
        total[name] = total.get(name, 0.0) + weight
    return total


def _together(counts: Sequence[Applied]) -> Applied:
    return Applied(
        applied=sum(count.applied for count in counts),
        total=sum(count.total for count in counts),
        unmatched=tuple(name for count in counts for name in count.unmatched),
    )
