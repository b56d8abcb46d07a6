"""A cache of generated images: equal cells of a comparison share one image."""

import threading
from collections.abc import Hashable, Sequence
from dataclasses import replace

from cachetools import LRUCache

from hub_ui.generate.lora.load import identity
from hub_ui.generate.request import LoraInput
from hub_ui.generate.result import GeneratedImage

_BUDGET = 300_000_000

# The names of bytes with their weights, in order, without those that change nothing.
LoraEffect = tuple[tuple[str, float], ...]
# The keys of all images that are generated at once.
CallKey = tuple[Hashable, ...]


def effect_key(adapters: Sequence[LoraInput], weights: Sequence[float]) -> LoraEffect:
    """Identifies the effect of LoRAs at these weights, bit for bit: another order rounds sums differently."""
    return tuple((_name(adapter), weight) for adapter, weight in zip(adapters, weights, strict=True) if weight)


def _name(adapter: LoraInput) -> str:
    # What makes the same file another one: the weights of its parts.
    parts = (adapter.text_encoder_scale, adapter.block_weights)
    return f"{identity(adapter)}{parts if parts != (1.0, ()) else ''}"


class ImageCache:
    """The latest images, up to `budget` bytes of pixels. Estimates read it from other threads.

    Images are kept by the call that generated them: the same image in a call of another size has other last bits.
    """

    def __init__(self, budget: int = _BUDGET) -> None:
        self._calls: LRUCache[CallKey, tuple[GeneratedImage, ...]] = LRUCache(budget, getsizeof=_bytes)
        self._lock = threading.Lock()

    def get(self, call: CallKey) -> tuple[GeneratedImage, ...] | None:
        with self._lock:
            return self._calls.get(call)

    def find(self, key: Hashable) -> GeneratedImage | None:
        """The image of a key in any call."""
        with self._lock:
            calls = list(self._calls.items())
        return next((images[call.index(key)] for call, images in calls if key in call), None)

    def put(self, call: CallKey, images: Sequence[GeneratedImage]) -> None:
        """Images larger than the whole budget are not kept."""
        with self._lock:
            if _bytes(images) <= self._calls.maxsize:
                self._calls[call] = tuple(replace(image, seconds=0.0) for image in images)

    def clear(self) -> None:
        with self._lock:
            self._calls.clear()


def _bytes(images: Sequence[GeneratedImage]) -> int:
    return sum(image.width * image.height * 3 for each in images for image in each.frames or (each.image,))
