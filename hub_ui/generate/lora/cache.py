"""LoRA files that were read and placed once, kept by bytes, the one longest unused forgotten first."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable, Mapping
from dataclasses import dataclass

from hub_ui.generate.coverage import Missed
from hub_ui.generate.lora.patch import Patch
from hub_ui.generate.request import LoraInput

# Component and module.
Place = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class Converted:
    """A file as patches for one kind of model. `inputs` are modules that have to be widened first, and how far.

    `size` is what it takes of memory, in bytes.
    """

    patches: Mapping[Place, tuple[Patch, ...]]
    inputs: Mapping[Place, int]
    applied: int
    total: int
    missed: tuple[Missed, ...]
    size: int


class Cache:
    """Shared by everything that puts LoRAs on. The last one used is kept even where it is larger than the budget."""

    def __init__(self, budget_bytes: int) -> None:
        self._budget = budget_bytes
        self._kept: OrderedDict[Hashable, Converted] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> Converted | None:
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
            return found

    def put(self, key: Hashable, value: Converted) -> None:
        with self._lock:
            self._kept[key] = value
            self._kept.move_to_end(key)
            while self._size() > self._budget and len(self._kept) > 1:
                self._kept.popitem(last=False)

    def clear(self) -> None:
        with self._lock:
            self._kept.clear()

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def size(self) -> int:
        with self._lock:
            return self._size()

    def _size(self) -> int:
        return sum(value.size for value in self._kept.values())


def identity(adapter: LoraInput) -> Hashable:
    """The bytes of a file: by their hash where somebody has it, else by its place, and as it lies there since then.

    A hash is of when it was taken: a file that was changed after it is another one.
    """
    name = adapter.sha256.lower() if adapter.sha256 is not None else str(adapter.path)
    try:
        stat = adapter.path.stat()
    except OSError:
        return name  # whoever reads it tells that it is gone
    return name, stat.st_mtime_ns, stat.st_size
