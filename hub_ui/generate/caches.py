"""Caches of generated images and prompt embeddings.

Equal cells of a comparison share one image. Each row of embeddings is computed on its own, so that it has the same bits
as outside a batch.
"""

import functools
import hashlib
import threading
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

from cachetools import LRUCache

from hub_ui.generate.lora.load import identity
from hub_ui.generate.lora.manager import AdapterManager
from hub_ui.generate.lora.modules import components
from hub_ui.generate.request import LoraInput, replace_attribute
from hub_ui.generate.result import GeneratedImage

_IMAGE_BYTES = 300_000_000
# Each LoRA with its weight, in order. LoRAs with a weight of 0 are left out.
LoraEffect = tuple[tuple[str, float], ...]
# The keys of all images that one call generates.
CallKey = tuple[Hashable, ...]
_EMBEDDING_BYTES = 256_000_000


def effect_key(adapters: Sequence[LoraInput], weights: Sequence[float]) -> LoraEffect:
    """Return a key that identifies the effect of LoRAs at these weights, bit for bit.

    The order counts, because another order rounds sums differently.
    """
    active = ((lora, weight) for lora, weight in zip(adapters, weights, strict=True) if weight)
    # The same file has another effect with other weights for its parts.
    return tuple(
        (f"{identity(lora)} {lora.text_encoder_scale} {lora.block_weights}", weight) for lora, weight in active
    )


class ImageCache:
    """A cache of the latest images, up to `budget` bytes of pixels. Estimates read it from other threads.

    Images are stored per call, because the same image differs in its last bits in a call of another size.
    """

    def __init__(self, budget: int = _IMAGE_BYTES) -> None:
        self._calls: LRUCache[CallKey, tuple[GeneratedImage, ...]] = LRUCache(budget, getsizeof=_pixel_bytes)
        self._lock = threading.Lock()

    def get(self, call: CallKey) -> tuple[GeneratedImage, ...] | None:
        with self._lock:
            return self._calls.get(call)

    def find(self, key: Hashable) -> GeneratedImage | None:
        """Return the image with this key from any call, or None."""
        with self._lock:
            calls = list(self._calls.items())
        return next((images[call.index(key)] for call, images in calls if key in call), None)

    def put(self, call: CallKey, images: Sequence[GeneratedImage]) -> None:
        """Store the images of a call, unless they exceed the whole budget."""
        with self._lock:
            if _pixel_bytes(images) <= self._calls.maxsize:
                self._calls[call] = tuple(replace(image, seconds=0.0) for image in images)

    def clear(self) -> None:
        with self._lock:
            self._calls.clear()


def _pixel_bytes(images: Sequence[GeneratedImage]) -> int:
    return sum(image.width * image.height * 3 for each in images for image in each.frames or (each.image,))


@dataclass(frozen=True, kw_only=True, slots=True)
class PromptRow:
    """The LoRAs of one image: their weights, and their effect as the cache key."""

    weights: tuple[float, ...]
    effect: LoraEffect


class PromptCache:
    """A cache of the outputs of one base's text encoders, up to `budget` bytes."""

    def __init__(self, budget: int = _EMBEDDING_BYTES) -> None:
        # Each output and its device. Outputs are stored in RAM, because the device may need all of its own memory.
        self._outputs: LRUCache[str, tuple[Any, Any]] = LRUCache(budget, getsizeof=lambda kept: _bytes(kept[0]))

    @contextmanager
    def share(self, pipe: Any, manager: AdapterManager, rows: Sequence[PromptRow]) -> Iterator[None]:
        """Within the context, serve the pipeline's text encoders from the cache."""
        with ExitStack() as stack:
            for name, part in components(pipe).items():
                if name.startswith("text_encoder"):
                    encoder = _Encoder(cache=self._outputs, name=name, forward=part.forward, manager=manager, rows=rows)
                    # Keep the signature of `forward`, because some callers inspect it.
                    forward = functools.wraps(part.forward)(functools.partial(encoder.encode))
                    stack.enter_context(replace_attribute(part, "forward", forward))
            yield


@dataclass(frozen=True, kw_only=True, slots=True)
class _Encoder:
    """One text encoder with its original `forward` and the cache that wraps it."""

    cache: LRUCache[str, tuple[Any, Any]]
    name: str
    forward: Callable[..., Any]
    manager: AdapterManager
    rows: Sequence[PromptRow]

    def encode(self, *args: Any, **kwargs: Any) -> Any:
        count = _count_texts(args, kwargs)
        is_changed = self.name in self.manager.components
        if count is None or (is_changed and count % len(self.rows)):
            return self.forward(*args, **kwargs)
        outputs: dict[str, Any] = {}
        keys = []
        for i in range(count):
            row = self.rows[i % len(self.rows)] if is_changed else None
            own_args = tuple(_select_row("", value, i, count) for value in args)
            own_kwargs = {name: _select_row(name, value, i, count) for name, value in kwargs.items()}
            key = _key((self.name, row.effect if row else ()), own_args, own_kwargs)
            keys.append(key)
            if key not in outputs:
                outputs[key] = self._encode_row(key, row, own_args, own_kwargs)
        return _join([outputs[key] for key in keys])

    def _encode_row(self, key: str, row: PromptRow | None, args: Any, kwargs: Mapping[str, Any]) -> Any:
        from accelerate.utils import find_device, send_to_device  # type: ignore[import-untyped]

        if (cached := self.cache.get(key)) is not None:
            return send_to_device(*cached)
        # In a batch of different weights, this text is encoded with the weights of its own row.
        is_mixed = row is not None and len({row.weights for row in self.rows}) > 1
        with self.manager.row_weights([row.weights]) if row is not None and is_mixed else nullcontext():
            output = _without_cache(self.forward(*args, **kwargs))
        if _bytes(output) <= self.cache.maxsize:
            self.cache[key] = send_to_device(output, "cpu"), find_device(output)
        return output


def _count_texts(args: Sequence[Any], kwargs: Mapping[str, Any]) -> int | None:
    """Return the number of texts in the call, or None if it can't be split into rows."""
    import torch

    named = [*(("", value) for value in args), *kwargs.items()]
    plain = (torch.Tensor, bool, int, float, str, torch.dtype, type(None))
    tensors = [(name, value) for name, value in named if isinstance(value, torch.Tensor) and value.ndim]
    if not tensors or not all(isinstance(value, plain) for _, value in named):
        return None
    counts = {value.shape[_row_axis(name, value)] for name, value in tensors}
    return int(counts.pop()) if len(counts) == 1 else None


def _row_axis(name: str, tensor: Any) -> int:
    """Return the axis of an input's rows.

    It is 1 for position ids of three dimensions, whose first axis is time, height and width.
    """
    return 1 if name == "position_ids" and tensor.ndim == 3 else 0


def _select_row(name: str, value: Any, i: int, count: int) -> Any:
    import torch

    if not isinstance(value, torch.Tensor) or not value.ndim or count == 1:
        return value
    return value.narrow(_row_axis(name, value), i, 1)


def _key(encoder: object, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
    import torch

    digest = hashlib.blake2b(repr(encoder).encode(), digest_size=20)
    for label, value in [*enumerate(args), *sorted(kwargs.items())]:
        digest.update(f"|{label}=".encode())
        if isinstance(value, torch.Tensor):
            digest.update(repr((value.shape, value.dtype)).encode())
            digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
        else:
            digest.update(repr(value).encode())
    return digest.hexdigest()


def _without_cache(output: Any) -> Any:
    """Return only an output's tensors: the key-value cache of a language model takes far more memory."""
    import torch

    if isinstance(output, Mapping):
        tensors = {key: value for key, value in output.items() if isinstance(value, torch.Tensor | tuple | list)}
        return type(output)(**{key: _without_cache(value) for key, value in tensors.items()})
    if isinstance(output, tuple | list):
        return tuple(_without_cache(value) for value in output)
    return output


def _join(outputs: Sequence[Any]) -> Any:
    """Join rows into a copy, because pipelines may write into it."""
    import torch

    first = outputs[0]
    if isinstance(first, Mapping):
        return type(first)(**{key: _join([output[key] for output in outputs]) for key in first})
    if isinstance(first, tuple):
        return tuple(_join(parts) for parts in zip(*outputs, strict=True))
    if isinstance(first, torch.Tensor) and first.ndim:
        # The axis of the texts is the first of size 1. ChatGLM has it behind the axis of the tokens.
        axis = next((i for i, size in enumerate(first.shape) if size == 1), 0)
        return torch.cat(list(outputs), dim=axis)
    return first


def _bytes(output: Any) -> int:
    import torch

    if isinstance(output, Mapping):
        return sum(map(_bytes, output.values()))
    if isinstance(output, tuple):
        return sum(map(_bytes, output))
    return output.numel() * output.element_size() if isinstance(output, torch.Tensor) else 0
