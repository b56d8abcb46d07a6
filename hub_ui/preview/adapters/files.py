"""One LoRA file onto a pipeline, with an account of what became of its tensors."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connectors.errors import DoesNotFit, NotWeights
from hub_ui.preview.adapters.naming import renamed
from hub_ui.preview.adapters.tensors import Traced, control_channels, fingerprints, read
from hub_ui.preview.job import Adapter

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


def load(pipe: Any, name: str, adapter: Adapter) -> Applied:
    """Loads the file as the adapter `name`.

    Raises DoesNotFit for a file of which nothing would take effect: a silent no-op would pass for a weak LoRA.
    """
    if adapter.path.suffix != ".safetensors":
        raise NotWeights(f"{adapter.path.name} is no safetensors file. Other formats can run code and are not loaded.")
    if not hasattr(pipe, "load_lora_weights"):
        raise DoesNotFit("LoRAs can't be put on this base model here: diffusers has no loader for it.")
    tensors = read(adapter.path)
    _refuse_control(pipe, adapter, tensors)
    return _by_some_name(pipe, name, adapter, tensors)


def delete(pipe: Any, name: str) -> None:
    """Also after a load that failed half-way, which leaves the adapter on the parts it reached."""
    if any(name in names for names in pipe.get_list_adapters().values()):
        with _quiet():
            pipe.delete_adapters(name)


def _by_some_name(pipe: Any, name: str, adapter: Adapter, tensors: Mapping[str, Any]) -> Applied:
    """As the file is; if nothing of it applies, under the names diffusers would know."""
    failure: Exception | None = None
    try:
        # By path, not as a dict: the file's own metadata holds the alpha of files that diffusers saved.
        applied = _tried(pipe, name, tensors, adapter.path)
    except _LOADER_ERRORS as error:
        applied, failure = _nothing_of(tensors), error
    if applied.applied > 0:
        return applied
    delete(pipe, name)
    names = renamed(pipe, tensors)
    try:
        if any(old != new for old, new in names.items()):
            applied = _as_in_file(_tried(pipe, name, {names[key]: tensors[key] for key in tensors}), names)
    except _LOADER_ERRORS as error:
        failure = error
    if applied.applied > 0:
        return applied
    delete(pipe, name)
    raise _misfit(adapter, len(tensors), failure) from failure


def _tried(pipe: Any, name: str, tensors: Mapping[str, Any], path: Path | None = None) -> Applied:
    with _quiet():
        traced = Traced(pipe, tensors)
        if path is None:
            pipe.load_lora_weights(dict(tensors), adapter_name=name)
        else:
            pipe.load_lora_weights(
                str(path.parent),
                weight_name=path.name,
                adapter_name=name,
                use_safetensors=True,
                local_files_only=True,
            )
    reached = traced.reached(fingerprints(pipe, name))
    unmatched = tuple(key for key in tensors if key not in reached)
    return Applied(applied=len(tensors) - len(unmatched), total=len(tensors), unmatched=unmatched)


def _nothing_of(tensors: Mapping[str, Any]) -> Applied:
    return Applied(applied=0, total=len(tensors), unmatched=tuple(tensors))


def _as_in_file(applied: Applied, names: Mapping[str, str]) -> Applied:
    old = {new: key for key, new in names.items()}
    return Applied(
        applied=applied.applied, total=applied.total, unmatched=tuple(old[name] for name in applied.unmatched)
    )


def _misfit(adapter: Adapter, total: int, failure: Exception | None) -> DoesNotFit:
    reason = f" ({_reason(failure)})" if failure is not None else ""
    return DoesNotFit(
        f"None of the {total} tensors of “{adapter.title}” fit the base model{reason}, so it would change nothing. "
        "Choose a base of the LoRA's own architecture, or use the file in the program it was made for."
    )


def _reason(error: Exception) -> str:
    if "size mismatch" in str(error):
        return "its layers have other sizes than the base model's"
    return (str(error).splitlines() or [""])[0][:160] or type(error).__name__


def _refuse_control(pipe: Any, adapter: Adapter, tensors: Mapping[str, Any]) -> None:
    """diffusers would widen the base's input layer in place for such a file, and keep it so for every later picture."""
    if control_channels(pipe, tensors):
        raise DoesNotFit(
            f"“{adapter.title}” steers by a control image (edges, depth, pose), which the preview has no input for. "
            "It can be downloaded and used with a control pipeline."
        )


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
