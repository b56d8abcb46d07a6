"""LoRA files on a loaded pipeline: loaded once, switched by weight, and every tensor accounted for."""

from __future__ import annotations

import hashlib
import logging
import time
import warnings
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from connectors.errors import DoesNotFit, NotWeights
from hub_ui.preview.job import Adapter
from hub_ui.preview.tensors import Traced, control_channels, fingerprints, read

# Loaded LoRAs stay for a quick return; more than this would fill the memory with what nobody looks at.
_KEPT = 6
# What diffusers and PEFT raise for a file they can't place: each converter has its own way to fail.
_LOADER_ERRORS = (
    ValueError,
    KeyError,
    RuntimeError,
    AssertionError,
    NotImplementedError,
    TypeError,
    AttributeError,
    IndexError,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Applied:
    """`applied` of `total` tensors of a file took effect; `unmatched` are the names of the others."""

    applied: int
    total: int
    unmatched: tuple[str, ...]


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
        """Makes exactly these take effect, with their weights. The base itself is not touched.

        Raises DoesNotFit for a file of which nothing would take effect: a silent no-op would pass for a weak LoRA.
        """
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
        applied = _loaded(self._pipe, name, adapter)
        if applied.applied == 0:
            _delete(self._pipe, name)
            raise DoesNotFit(
                f"None of the {applied.total} tensors of “{adapter.title}” fit the base model, so it would change "
                "nothing. Choose a base of the LoRA's own architecture, or try the file in the program it was made for."
            )
        self._loaded[name] = applied
        return applied

    def _drop_oldest(self, needed: Sequence[str]) -> None:
        for name in [name for name in self._loaded if name not in needed][: max(0, len(self._loaded) - _KEPT)]:
            del self._loaded[name]
            _delete(self._pipe, name)


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


def _loaded(pipe: Any, name: str, adapter: Adapter) -> Applied:
    if adapter.path.suffix != ".safetensors":
        raise NotWeights(f"{adapter.path.name} is no safetensors file. Other formats can run code and are not loaded.")
    if not hasattr(pipe, "load_lora_weights"):
        raise DoesNotFit("LoRAs can't be put on this base model here: diffusers has no loader for it.")
    tensors = read(adapter.path)
    _refuse_control(pipe, adapter, tensors)
    try:
        with _quiet():
            traced = Traced(pipe, tensors)
        # By path, not as a dict: the file's own metadata holds the alpha of files that diffusers saved.
        with _quiet():
            pipe.load_lora_weights(
                str(adapter.path.parent),
                weight_name=adapter.path.name,
                adapter_name=name,
                use_safetensors=True,
                local_files_only=True,
            )
    except _LOADER_ERRORS as error:
        _delete(pipe, name)
        raise DoesNotFit(
            f"“{adapter.title}” can't be put on this base model: none of its {len(tensors)} tensors were applied "
            f"({_first_line(error)}). Its format or architecture is not one that diffusers can place here."
        ) from error
    applied = traced.reached(fingerprints(pipe, name))
    unmatched = tuple(key for key in tensors if key not in applied)
    return Applied(applied=len(tensors) - len(unmatched), total=len(tensors), unmatched=unmatched)


def _refuse_control(pipe: Any, adapter: Adapter, tensors: dict[str, Any]) -> None:
    """diffusers would widen the base's input layer in place for such a file, and keep it so for every later picture."""
    if control_channels(pipe, tensors):
        raise DoesNotFit(
            f"“{adapter.title}” steers by a control image (edges, depth, pose), which the preview has no input for. "
            "It can be downloaded and used with a control pipeline."
        )


def _delete(pipe: Any, name: str) -> None:
    """Also after a load that failed half-way, which leaves the adapter on the parts it reached."""
    if any(name in names for names in pipe.get_list_adapters().values()):
        with _quiet():
            pipe.delete_adapters(name)


@contextmanager
def _quiet() -> Iterator[None]:
    """diffusers logs each tensor that doesn't fit, hundreds of lines; what matters of it is in our own answer.

    PEFT warns when there are two adapters, when one is deleted, and when a file leaves out some layers of its own
    settings: all of it is as wanted here.
    """
    logger = logging.getLogger("diffusers")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            warnings.simplefilter("ignore", RuntimeWarning)
            yield
    finally:
        logger.setLevel(level)


def _first_line(error: Exception) -> str:
    if "size mismatch" in str(error):
        return "its layers have other sizes than the base model's"
    return (str(error).splitlines() or [""])[0][:200] or type(error).__name__
