"""A cache of generated images: equal cells of a comparison share one image."""

import threading
from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import replace

from cachetools import LRUCache

from hub_ui.generate.lora.load import identity
from hub_ui.generate.request import LoraInput
from hub_ui.generate.result import GeneratedImage

_BUDGET = 300_000_000

# The names of bytes with their weights, sorted, without those that change nothing.
LoraEffect = tuple[tuple[str, float], ...]


def effect_key(adapters: Sequence[LoraInput], weights: Sequence[float]) -> LoraEffect:
    """Identifies the effect of LoRAs at these weights in any order; a LoRA that is there twice counts with both."""
    total: defaultdict[str, float] = defaultdict(float)
    for adapter, weight in zip(adapters, weights, strict=True):
        # What makes the same file another one: the weights of its parts.
        parts = (adapter.text_encoder_scale, adapter.block_weights)
        total[f"{identity(adapter)}{parts if parts != (1.0, ()) else ''}"] += weight
    return tuple(sorted((name, weight) for name, weight in total.items() if weight))


class ImageCache:
    """The latest images, up to `budget` bytes of pixels. Estimates read it from other threads."""

    def __init__(self, budget: int = _BUDGET) -> None:
        self._images: LRUCache[Hashable, GeneratedImage] = LRUCache(budget, getsizeof=_bytes)
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> GeneratedImage | None:
        with self._lock:
            return self._images.get(key)

    def put(self, key: Hashable, image: GeneratedImage) -> None:
        """An image larger than the whole budget is not kept."""
        with self._lock:
            if _bytes(image) <= self._images.maxsize:
                self._images[key] = replace(image, seconds=0.0)

    def clear(self) -> None:
        with self._lock:
            self._images.clear()


def _bytes(picture: GeneratedImage) -> int:
    return sum(image.width * image.height * 3 for image in picture.frames or (picture.image,))
