"""CUDA devices on a computer without any: with values, limits and counts of bytes.

All tensors stay in the computer's memory, and the CPU computes. A table says on which device a tensor's storage is
supposed to be; three layers keep it and ask it:

Calls        what Python calls of torch: a tensor's device, moves from one to another, `device=` of new tensors
Operations   what torch then computes: it raises where operands are on different devices, and finds where results are
_functions    what `torch.cuda` says of its devices

What it can't see: kernels' working space, fragmentation, CUDA's context, streams that race, CUDA's rounding and the
kernels that it lacks. It counts in the thread that started it alone.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

CPU = torch.device("cpu")
_SILENT = (str(Path(torch.__file__).parent), __file__)
# Operations that take tensors of several devices. Indices may be on the CPU, wherever the values are.
_ACROSS = ("copy_", "_to_copy", "set_", "_has_compatible_shallow_copy_type")
_WITH_INDICES = ("index", "index_put", "index_put_", "_unsafe_index")


@dataclass(kw_only=True)
class Card:
    """One device. Bytes: its `memory`, what other programs take of it, what is in use now, and was at most.

    With a `limit` it has less than it says, as where gaps between allocations take the rest; the allocation of number
    `fails_at` fails once. `major` is the first number of its compute capability.
    """

    memory: int = 2**30
    by_others: int = 0
    limit: int | None = None
    fails_at: int | None = None
    major: int = 8
    used: int = 0
    peak: int = 0
    allocations: int = 0

    @property
    def free(self) -> int:
        return self.memory - self.by_others - self.used

    def take(self, size: int, name: str) -> None:
        self.allocations += 1
        is_short = size > self.free or (self.limit is not None and self.used + size > self.limit)
        if is_short or self.allocations == self.fails_at:
            raise torch.OutOfMemoryError(f"CUDA out of memory. Tried to allocate {size} bytes on {name}.")
        self.used += size
        self.peak = max(self.peak, self.used)

    def give_back(self, size: int) -> None:
        self.used -= size


@dataclass(kw_only=True)
class SimulatedCuda:
    """`unindexed` are the callers that said "cuda", or asked `torch.cuda` for memory, and did not say which device.
    `queued` are the numbers of the devices of whose streams any was made or asked for.
    """

    cards: tuple[Card, ...]
    unindexed: list[str] = field(default_factory=list)
    queued: set[int] = field(default_factory=set)
    current: int = 0
    # Of storages, by their addresses.
    _places: dict[int, torch.device] = field(default_factory=dict)
    _pinned: set[int] = field(default_factory=set)
    # Where the tensors of the call that is running are made; None: where its operands are.
    _target: torch.device | None = None

    def device_of(self, tensor: Tensor) -> torch.device:
        real = tensor.device
        return self._places.get(address_of(tensor), real) if real == CPU else real

    def named(self, device: Any) -> torch.device:
        """The very device that is meant by torch's name or number of it."""
        if isinstance(device, int):
            return torch.device("cuda", device)
        named = torch.device(device)
        if named.type != "cuda":
            return named
        # torch's annotations say that every device has one.
        index: int | None = named.index
        if index is None:
            self.unindexed.append(_caller())
        return self._existing(self.current if index is None else index)

    def card(self, device: Any = None) -> Card:
        """The one that a function of `torch.cuda` is asked about."""
        return self.cards[self.named("cuda" if device is None else device).index]

    def put(self, tensor: Tensor, device: torch.device) -> None:
        """Says that the memory of a new tensor is on a device."""
        address, storage = address_of(tensor), tensor.untyped_storage()
        if device.type != "cuda" or address in self._places:
            return
        size = storage.nbytes()
        self.cards[device.index].take(size, str(device))
        self._places[address] = device
        weakref.finalize(storage, self._forget, address, self.cards[device.index], size).atexit = False

    def pin(self, tensor: Tensor) -> Tensor:
        address = address_of(tensor)
        self._pinned.add(address)
        weakref.finalize(tensor.untyped_storage(), self._pinned.discard, address).atexit = False
        return tensor

    def is_pinned(self, tensor: Tensor) -> bool:
        return address_of(tensor) in self._pinned

    @contextmanager
    def target(self, device: torch.device) -> Iterator[None]:
        before, self._target = self._target, device
        try:
            yield
        finally:
            self._target = before

    def place_of_results(self, name: str, args: Sequence[Any], tensors: Sequence[Tensor]) -> torch.device:
        """Raises RuntimeError for operands on several devices, as CUDA's operations do."""
        if self._target is not None:
            return self._target
        if name in _ACROSS:
            return self.device_of(args[0])
        if name in _WITH_INDICES:
            tensors = [each for each in tensors if each is args[0] or self.device_of(each) != CPU]
        # A number in a tensor of the CPU is taken for a plain number.
        devices = {self.device_of(each) for each in tensors if each.dim() or self.device_of(each) != CPU}
        if len(devices) > 1:
            several = " and ".join(sorted(map(str, devices)))
            raise RuntimeError(f"Expected all tensors to be on the same device, but found {several} in {name}")
        return devices.pop() if devices else CPU

    def exchange(self, index: int) -> int:
        """Makes another device the current one, and returns the one before."""
        before, self.current = self.current, index if index >= 0 else self.current
        return before

    def _existing(self, index: int) -> torch.device:
        if index >= len(self.cards):
            raise RuntimeError("CUDA error: invalid device ordinal")
        return torch.device("cuda", index)

    def _forget(self, address: int, card: Card, size: int) -> None:
        del self._places[address]
        card.give_back(size)


@contextmanager
def simulated_cuda(*cards: Card) -> Iterator[SimulatedCuda]:
    """Within it, this thread's torch has these devices, "cuda:0" and so on."""
    cuda = SimulatedCuda(cards=cards)
    with simulating(cuda, Calls(cuda), Operations(cuda)):
        yield cuda


@contextmanager
def simulating(cuda: SimulatedCuda, calls: Calls, operations: Operations) -> Iterator[SimulatedCuda]:
    with pytest.MonkeyPatch.context() as patch, calls, operations:
        for name, function in _functions(cuda).items():
            patch.setattr(torch.cuda, name, function)
        yield cuda


class Calls(TorchFunctionMode):
    def __init__(self, cuda: SimulatedCuda) -> None:
        self.cuda = cuda
        super().__init__()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = dict(kwargs or {})
        if func in _INSTEAD:
            return _INSTEAD[func](self.cuda, *args, **given)
        if func is torch.as_tensor and isinstance(args[0], Tensor):
            return _to(self.cuda, args[0], given.get("device"), given.get("dtype"))
        pins = given.pop("pin_memory", False)
        made = self.make(func, args, given) if given.get("device") is not None else func(*args, **given)
        return self.cuda.pin(made) if pins else made

    def make(self, func: Any, args: Any, given: dict[str, Any]) -> Any:
        device, generator = self.cuda.named(given["device"]), given.get("generator")
        if device.type not in ("cpu", "cuda"):
            return func(*args, **given)
        if generator is not None and generator.device != device:
            raise RuntimeError(f"Expected a generator on {device}, but found one on {generator.device}")
        with self.cuda.target(device):
            made = func(*args, **{**given, "device": CPU})
            # What was made of Python's numbers was no operation.
            for tensor in tensors_in(made):
                self.cuda.put(tensor, device)
        return made


class Operations(TorchDispatchMode):  # type: ignore[no-untyped-call]
    def __init__(self, cuda: SimulatedCuda) -> None:
        self.cuda = cuda
        super().__init__()  # type: ignore[no-untyped-call]

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = kwargs or {}
        tensors = list(tensors_in((args, given)))
        device = self.cuda.place_of_results(func.overloadpacket.__name__, args, tensors)
        results = self.compute(func, args, given)
        known = {address_of(each) for each in tensors}
        for made in tensors_in(results):
            if address_of(made) not in known:
                self.cuda.put(made, device)
        return results

    def compute(self, func: Any, args: Any, given: Any) -> Any:
        return func(*args, **given)


def tensors_in(value: Any) -> Iterator[Tensor]:
    """Those of an operation's operands or results."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, list | tuple):
        for each in value:
            yield from tensors_in(each)
    elif isinstance(value, dict):
        yield from tensors_in(list(value.values()))


def address_of(tensor: Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)


def _caller() -> str:
    """The function that called torch."""
    frame = sys._getframe(1)
    while frame.f_code.co_filename.startswith(_SILENT) and frame.f_back is not None:
        frame = frame.f_back
    return f"{Path(frame.f_code.co_filename).stem}.{frame.f_code.co_name}"


def _to(cuda: SimulatedCuda, tensor: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    if args and isinstance(args[0], Tensor):
        args = (cuda.device_of(args[0]), args[0].dtype, *args[1:])
    device, dtype, _, layout = torch._C._nn._parse_to(*args, **kwargs)
    here = cuda.device_of(tensor)
    there = here if device is None else cuda.named(device)
    wanted = {name: value for name, value in (("dtype", dtype), ("memory_format", layout)) if value is not None}
    if there == here or "meta" in (here.type, there.type):
        # Not the method, which classes of packed weights have of their own.
        move: Any = Tensor.to
        device = there if there.type == "meta" else tensor.device
        same: Tensor = move(tensor, device, copy=bool(kwargs.get("copy")), **wanted)
        return same
    with cuda.target(there):
        moved: Tensor = torch.ops.aten._to_copy.default(tensor, **wanted)
    return moved


def _to_numpy(cuda: SimulatedCuda, tensor: Tensor, *args: Any, **kwargs: Any) -> Any:
    if cuda.device_of(tensor) != CPU:
        raise TypeError(f"can't convert {cuda.device_of(tensor)} device type tensor to numpy.")
    return tensor.numpy(*args, **kwargs)


def _pin(cuda: SimulatedCuda, tensor: Tensor) -> Tensor:
    if cuda.device_of(tensor) != CPU:
        raise RuntimeError("only dense CPU tensors can be pinned")
    return tensor if cuda.is_pinned(tensor) else cuda.pin(tensor.clone())


# What is answered from the table, not by torch.
_INSTEAD: Mapping[Any, Callable[..., Any]] = {
    Tensor.device.__get__: lambda cuda, tensor: cuda.device_of(tensor),
    Tensor.is_cuda.__get__: lambda cuda, tensor: cuda.device_of(tensor).type == "cuda",  # type: ignore[attr-defined]
    Tensor.is_cpu.__get__: lambda cuda, tensor: cuda.device_of(tensor) == CPU,  # type: ignore[attr-defined]
    Tensor.get_device: lambda cuda, tensor: -1 if (at := cuda.device_of(tensor)).index is None else at.index,
    # A module's `to(device=...)` asks it what is meant.
    torch._C._nn._parse_to: lambda cuda, *args, **given: torch._C._nn._parse_to(*args, **given),
    Tensor.to: _to,
    Tensor.cpu: lambda cuda, tensor, **layout: _to(cuda, tensor, CPU, **layout),
    Tensor.cuda: lambda cuda, tensor, device="cuda", **layout: _to(cuda, tensor, cuda.named(device), **layout),
    Tensor.numpy: _to_numpy,
    Tensor.__array__: lambda cuda, tensor, dtype=None: _to_numpy(cuda, tensor).astype(dtype),
    Tensor.pin_memory: _pin,
    Tensor.is_pinned: SimulatedCuda.is_pinned,
    Tensor.record_stream: lambda cuda, tensor, stream: None,
}


class _Event:
    """Everything is done at once, so that nothing has to be waited for."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def synchronize(self) -> None:
        pass

    def record(self, stream: _Stream) -> None:
        pass

    def query(self) -> bool:
        return True


@dataclass(kw_only=True)
class _Stream(_Event):
    device: torch.device

    def wait_stream(self, stream: _Stream) -> None:
        pass


def _functions(cuda: SimulatedCuda) -> dict[str, Any]:
    """Those of `torch.cuda`, by their names."""

    def memory(device: Any = None) -> tuple[int, int]:
        card = cuda.card(device)
        return card.free, card.memory

    def properties(device: Any = None) -> Any:
        card = cuda.cards[cuda.current if device is None else cuda.named(device).index]
        return SimpleNamespace(name="Simulated card", major=card.major, minor=0, total_memory=card.memory)

    def stream(device: Any = None) -> _Stream:
        place = cuda.named(cuda.current if device is None else device)
        cuda.queued.add(place.index)
        return _Stream(device=place)

    # A class, since transformers has `Stream | None` in its annotations.
    class Stream:
        def __new__(cls, device: Any = None, **_kwargs: Any) -> Any:
            return stream(device)

    @contextmanager
    def using(stream: _Stream) -> Iterator[None]:
        with torch.cuda.device(stream.device):
            yield

    return {
        "_lazy_init": lambda: None,
        "_exchange_device": cuda.exchange,
        "_maybe_exchange_device": cuda.exchange,
        "is_available": lambda: True,
        "device_count": lambda: len(cuda.cards),
        "current_device": lambda: cuda.current,
        "mem_get_info": memory,
        "memory_allocated": lambda device=None: cuda.card(device).used,
        "memory_reserved": lambda device=None: cuda.card(device).used,
        "get_device_properties": properties,
        "get_device_name": lambda device=None: properties(device).name,
        "empty_cache": lambda: None,
        "synchronize": lambda device=None: None,
        "Stream": Stream,
        "Event": _Event,
        "stream": using,
        "current_stream": stream,
    }
