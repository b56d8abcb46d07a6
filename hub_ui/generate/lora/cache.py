"""LoRA files converted to patches, kept in memory: the least recently used ones are dropped first."""

from __future__ import annotations

import threading
from collections.abc import Hashable, Mapping
from dataclasses import dataclass

from cachetools import LRUCache

from hub_ui.generate.coverage import Missed
from hub_ui.generate.lora.modules import ModuleKey
from hub_ui.generate.lora.patch import Patch
from hub_ui.generate.request import LoraInput


@dataclass(frozen=True, kw_only=True)
class LoraPatches:
    """A file as patches for one model. `inputs` are the modules whose inputs have to be expanded, and to how many.

    `size` is in bytes of memory.
    """

    patches: Mapping[ModuleKey, tuple[Patch, ...]]
    inputs: Mapping[ModuleKey, int]
    applied: int
    total: int
    missed: tuple[Missed, ...]
    size: int


class LoraCache:
    """Thread-safe. A file larger than the budget is kept too, alone, until the next one."""

    def __init__(self, budget_bytes: int) -> None:
        self._files: LRUCache[Hashable, LoraPatches] = LRUCache(budget_bytes, lambda file: min(file.size, budget_bytes))
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> LoraPatches | None:
        with self._lock:
            return self._files.get(key)

    def put(self, key: Hashable, value: LoraPatches) -> None:
        with self._lock:
            self._files[key] = value

    def clear(self) -> None:
        with self._lock:
            self._files.clear()

    def __len__(self) -> int:
        return len(self._files)

    @property
    def size(self) -> int:
        with self._lock:
            return sum(file.size for file in self._files.values())


def identity(adapter: LoraInput) -> Hashable:
    """What a LoRA's bytes are known by: its hash, or else its path, with its size and time in case it was changed."""
    name = adapter.sha256.lower() if adapter.sha256 is not None else str(adapter.path)
    try:
        stat = adapter.path.stat()
    except OSError:
        return name  # whoever reads the file raises
    return name, stat.st_mtime_ns, stat.st_size
