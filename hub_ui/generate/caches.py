"""What need not be computed twice: generated images and prompt embeddings.

Equal cells of a comparison share one image. Each row of embeddings is computed on its own, so it has the same bits as
outside a batch.
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
# The names of bytes with their weights, in order, without those that change nothing.
LoraEffect = tuple[tuple[str, float], ...]
# The keys of all images that are generated at once.
CallKey = tuple[Hashable, ...]
_EMBEDDING_BYTES = 256_000_000


def effect_key(adapters: Sequence[LoraInput], weights: Sequence[float]) -> LoraEffect:
    """Identifies the effect of LoRAs at these weights, bit for bit: another order rounds sums differently."""
    on = ((adapter, weight) for adapter, weight in zip(adapters, weights, strict=True) if weight)
    # What makes the same file another one: the weights of its parts.
    return tuple(
        (f"{identity(adapter)} {adapter.text_encoder_scale} {adapter.block_weights}", weight) for adapter, weight in on
    )


class ImageCache:
    """The latest images, up to `budget` bytes of pixels. Estimates read it from other threads.

    Images are kept by the call that generated them: the same image in a call of another size has other last bits.
    """

    def __init__(self, budget: int = _IMAGE_BYTES) -> None:
        self._calls: LRUCache[CallKey, tuple[GeneratedImage, ...]] = LRUCache(budget, getsizeof=_pixel_bytes)
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
    """The answers of one base's text encoders, up to `budget` bytes."""

    def __init__(self, budget: int = _EMBEDDING_BYTES) -> None:
        # In the computer's memory, as a device may need all of its own, and the device where they came from.
        self._answers: LRUCache[str, tuple[Any, Any]] = LRUCache(budget, getsizeof=lambda kept: _bytes(kept[0]))

    @contextmanager
    def share(self, pipe: Any, manager: AdapterManager, rows: Sequence[PromptRow]) -> Iterator[None]:
        """Within it, the pipeline's text encoders answer from the cache."""
        with ExitStack() as stack:
            for name, part in components(pipe).items():
                if name.startswith("text_encoder"):
                    encoder = _Encoder(cache=self._answers, name=name, forward=part.forward, manager=manager, rows=rows)
                    # What a forward takes is read off its signature in places.
                    forward = functools.wraps(part.forward)(functools.partial(encoder.encode))
                    stack.enter_context(replace_attribute(part, "forward", forward))
            yield


@dataclass(frozen=True, kw_only=True, slots=True)
class _Encoder:
    """One text encoder, with its own forward and what is put in front of it."""

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
        answers: dict[str, Any] = {}
        keys = []
        for i in range(count):
            row = self.rows[i % len(self.rows)] if is_changed else None
            own_args = tuple(_select_row("", value, i, count) for value in args)
            own_kwargs = {name: _select_row(name, value, i, count) for name, value in kwargs.items()}
            key = _key((self.name, row.effect if row else ()), own_args, own_kwargs)
            keys.append(key)
            if key not in answers:
                answers[key] = self._answer(key, row, own_args, own_kwargs)
        return _join([answers[key] for key in keys])

    def _answer(self, key: str, row: PromptRow | None, args: Any, kwargs: Mapping[str, Any]) -> Any:
        from accelerate.utils import find_device, send_to_device  # type: ignore[import-untyped]

        if (kept := self.cache.get(key)) is not None:
            return send_to_device(*kept)
        # Within a batch of different weights, this row's own weights count.
        is_mixed = row is not None and len({row.weights for row in self.rows}) > 1
        with self.manager.row_weights([row.weights]) if row is not None and is_mixed else nullcontext():
            answer = _without_cache(self.forward(*args, **kwargs))
        if _bytes(answer) <= self.cache.maxsize:
            self.cache[key] = send_to_device(answer, "cpu"), find_device(answer)
        return answer


def _count_texts(args: Sequence[Any], kwargs: Mapping[str, Any]) -> int | None:
    """How many texts the call has; None where a call can't be split into rows."""
    import torch

    named = [*(("", value) for value in args), *kwargs.items()]
    plain = (torch.Tensor, bool, int, float, str, torch.dtype, type(None))
    tensors = [(name, value) for name, value in named if isinstance(value, torch.Tensor) and value.ndim]
    if not tensors or not all(isinstance(value, plain) for _, value in named):
        return None
    counts = {value.shape[_row_axis(name, value)] for name, value in tensors}
    return int(counts.pop()) if len(counts) == 1 else None


def _row_axis(name: str, tensor: Any) -> int:
    """The axis of an input's rows; position ids in width, height and time come before it."""
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


def _without_cache(answer: Any) -> Any:
    """Tensors only: a language model's key-value cache takes more memory than all the rest."""
    import torch

    if isinstance(answer, Mapping):
        tensors = {key: value for key, value in answer.items() if isinstance(value, torch.Tensor | tuple | list)}
        return type(answer)(**{key: _without_cache(value) for key, value in tensors.items()})
    if isinstance(answer, tuple | list):
        return tuple(_without_cache(value) for value in answer)
    return answer


def _join(answers: Sequence[Any]) -> Any:
    """Joins rows as a copy: pipelines may write into it."""
    import torch

    first = answers[0]
    if isinstance(first, Mapping):
        return type(first)(**{key: _join([answer[key] for answer in answers]) for key in first})
    if isinstance(first, tuple):
        return tuple(_join(parts) for parts in zip(*answers, strict=True))
    if isinstance(first, torch.Tensor) and first.ndim:
        # A single text is at the front, but behind the words for ChatGLM.
        axis = next((i for i, size in enumerate(first.shape) if size == 1), 0)
        return torch.cat(list(answers), dim=axis)
    return first


def _bytes(answer: Any) -> int:
    import torch

    if isinstance(answer, Mapping):
        return sum(map(_bytes, answer.values()))
    if isinstance(answer, tuple):
        return sum(map(_bytes, answer))
    return answer.numel() * answer.element_size() if isinstance(answer, torch.Tensor) else 0
