"""A text is read once: while pictures are drawn, text encoders answer what they were asked before from memory.

Each row of a batch is looked up, and run if need be, on its own: the same bits as when its picture is drawn alone.
"""

from __future__ import annotations

import functools
import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

from hub_ui.generate.callbacks import replaced
from hub_ui.generate.image_cache import Effect
from hub_ui.generate.lora.manager import AdapterManager
from hub_ui.generate.lora.modules import components

_BUDGET = 256_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """The LoRAs of one picture: their weights for the rack, and their effect to know them by."""

    weights: tuple[float, ...]
    effect: Effect


class PromptCache:
    """Answers of one base's text encoders, the latest `budget` bytes of them."""

    def __init__(self, budget: int = _BUDGET) -> None:
        self._budget = budget
        self._kept: OrderedDict[str, Any] = OrderedDict()

    @contextmanager
    def shared(self, pipe: Any, rack: AdapterManager, rows: Sequence[Row]) -> Iterator[None]:
        """While this is open. The text encoders are as before after it."""
        with ExitStack() as around:
            for name, part in components(pipe).items():
                if name.startswith("text_encoder"):
                    reader = _Reader(texts=self, name=name, forward=part.forward, rack=rack, rows=rows)
                    around.enter_context(replaced(part, "forward", reader.wrapped()))
            yield

    def get(self, key: str) -> Any:
        if key in self._kept:
            self._kept.move_to_end(key)
        return self._kept.get(key)

    def put(self, key: str, answer: Any) -> None:
        self._kept[key] = answer
        self._kept.move_to_end(key)
        while self._kept and sum(map(_bytes, self._kept.values())) > self._budget:
            self._kept.popitem(last=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Reader:
    """One text encoder, with its own forward and what is put in front of it."""

    texts: PromptCache
    name: str
    forward: Callable[..., Any]
    rack: AdapterManager
    rows: Sequence[Row]

    def wrapped(self) -> Callable[..., Any]:
        # What a forward takes is read off its signature in places.
        @functools.wraps(self.forward)
        def read(*args: Any, **kwargs: Any) -> Any:
            return self.read(*args, **kwargs)

        return read

    def read(self, *args: Any, **kwargs: Any) -> Any:
        count = _count(args, kwargs)
        changed = self.name in self.rack.touched
        if count is None or (changed and count % len(self.rows)):
            return self.forward(*args, **kwargs)
        answers: dict[str, Any] = {}
        keys = []
        for i in range(count):
            row = self.rows[i % len(self.rows)] if changed else None
            given = tuple(_row("", value, i, count) for value in args)
            named = {name: _row(name, value, i, count) for name, value in kwargs.items()}
            keys.append(_key(self.name, row.effect if row else (), given, named))
            if keys[-1] not in answers:
                answers[keys[-1]] = self._answer(keys[-1], row, given, named)
        return _joined([answers[key] for key in keys])

    def _answer(self, key: str, row: Row | None, args: Any, kwargs: Mapping[str, Any]) -> Any:
        kept = self.texts.get(key)
        if kept is None:
            with self._alone(row):
                kept = _plain(self.forward(*args, **kwargs))
            self.texts.put(key, kept)
        return kept

    def _alone(self, row: Row | None) -> AbstractContextManager[Any]:
        """Inside a batch of different weights this row's own count."""
        if row is None or len({row.weights for row in self.rows}) == 1:
            return nullcontext()
        return self.rack.rows([row.weights])


def _count(args: Sequence[Any], kwargs: Mapping[str, Any]) -> int | None:
    """How many texts are asked for; None where a call can't be taken apart into rows."""
    import torch

    named = [*(("", value) for value in args), *kwargs.items()]
    plain = (torch.Tensor, bool, int, float, str, torch.dtype, type(None))
    tensors = [(name, value) for name, value in named if isinstance(value, torch.Tensor) and value.ndim]
    if not tensors or not all(isinstance(value, plain) for _, value in named):
        return None
    counts = {value.shape[_place(name, value)] for name, value in tensors}
    return int(counts.pop()) if len(counts) == 1 else None


def _place(name: str, tensor: Any) -> int:
    """Where the rows of an input are counted. Positions in width, height and time stand in front of them."""
    return 1 if name == "position_ids" and tensor.ndim == 3 else 0


def _row(name: str, value: Any, i: int, count: int) -> Any:
    import torch

    if not isinstance(value, torch.Tensor) or not value.ndim or count == 1:
        return value
    return value.narrow(_place(name, value), i, 1)


def _key(name: str, effect: Effect, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
    digest = hashlib.blake2b(repr((name, effect)).encode(), digest_size=20)
    for label, value in [*enumerate(args), *sorted(kwargs.items())]:
        digest.update(f"|{label}=".encode())
        digest.update(_bits(value))
    return digest.hexdigest()


def _bits(value: Any) -> bytes:
    import torch

    if not isinstance(value, torch.Tensor):
        return repr(value).encode()
    flat = value.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
    return repr((value.shape, value.dtype)).encode() + flat.numpy().tobytes()


def _plain(answer: Any) -> Any:
    """Without what is for writing on: a language model's keys and values take more room than all the rest."""
    import torch

    if isinstance(answer, Mapping):
        kept = {key: _plain(value) for key, value in answer.items() if isinstance(value, torch.Tensor | tuple | list)}
        return type(answer)(**kept)
    if isinstance(answer, tuple | list):
        return tuple(_plain(value) for value in answer)
    return answer


def _joined(answers: Sequence[Any]) -> Any:
    """Rows put together again, copied: pipelines may write into what they get."""
    import torch

    first = answers[0]
    if isinstance(first, Mapping):
        return type(first)(**{key: _joined([answer[key] for answer in answers]) for key in first})
    if isinstance(first, tuple):
        return tuple(_joined(parts) for parts in zip(*answers, strict=True))
    if isinstance(first, torch.Tensor) and first.ndim:
        return torch.cat(list(answers), dim=_axis(first))
    return first


def _axis(tensor: Any) -> int:
    """Where a single text stands alone: in front, but behind the words for ChatGLM."""
    return next((i for i, size in enumerate(tensor.shape) if size == 1), 0)


def _bytes(answer: Any) -> int:
    import torch

    if isinstance(answer, Mapping):
        return sum(map(_bytes, answer.values()))
    if isinstance(answer, tuple):
        return sum(map(_bytes, answer))
    return answer.numel() * answer.element_size() if isinstance(answer, torch.Tensor) else 0
