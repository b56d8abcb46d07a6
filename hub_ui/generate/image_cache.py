"""Pictures that were drawn already: two cells that are told apart by nothing are one picture."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable, Sequence

from hub_ui.generate.lora.cache import identity
from hub_ui.generate.request import GeneratedImage, LoraInput

_BUDGET = 300_000_000

# Names of bytes and weights, those that change something only, in an order of their own.
Effect = tuple[tuple[str, float], ...]


def effect(adapters: Sequence[LoraInput], weights: Sequence[float]) -> Effect:
    """What LoRAs at these weights do, whatever order they stand in; one that stands there twice counts with both."""
    total: dict[str, float] = {}
    for adapter, weight in zip(adapters, weights, strict=True):
        name = str(identity(adapter))
        total[name] = total.get(name, 0.0) + weight
    return tuple(sorted((name, weight) for name, weight in total.items() if weight))


class ImageCache:
    """The latest pictures, up to `budget` bytes of pixels. Estimates look here while others are drawn."""

    def __init__(self, budget: int = _BUDGET) -> None:
        self._budget = budget
        self._pictures: OrderedDict[Hashable, GeneratedImage] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> GeneratedImage | None:
        with self._lock:
            if key in self._pictures:
                self._pictures.move_to_end(key)
            return self._pictures.get(key)

    def put(self, key: Hashable, picture: GeneratedImage) -> None:
        with self._lock:
            # Asked for again it is here already, and takes no time.
            self._forget(key)
            self._pictures[key] = GeneratedImage(image=picture.image, seconds=0.0, frames=picture.frames)
            self._bytes += _bytes(picture)
            while self._bytes > self._budget:
                self._forget(next(iter(self._pictures)))

    def clear(self) -> None:
        with self._lock:
            self._pictures.clear()
            self._bytes = 0

    def _forget(self, key: Hashable) -> None:
        if key in self._pictures:
            self._bytes -= _bytes(self._pictures.pop(key))


def _bytes(picture: GeneratedImage) -> int:
    return sum(image.width * image.height * 3 for image in picture.frames or (picture.image,))
