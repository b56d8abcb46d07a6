"""A .safetensors file in memory, with every doubt about it settled before any of it is used."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING

from connectors.errors import BadHeader, DoesNotFit, NotWeights
from connectors.weights import header as headers
from connectors.weights import lora_facts as facts
from connectors.weights.header import Header
from connectors.weights.key_formats import Part, sort
from hub_ui.generate.coverage import Missed
from hub_ui.generate.lora.modules import Layer, Shape

if TYPE_CHECKING:
    from torch import Tensor


# safetensors' names of what torch can hold. 8-bit floats are widened when they are read: torch can't compute in them.
_DTYPES: Mapping[str, str] = {
    "F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "I64": "int64", "I32": "int32",
    "I16": "int16", "I8": "int8", "U8": "uint8", "BOOL": "bool", "F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Weights:
    """A LoRA file's tensors by name, most of them pieces of the memory that the file was read into."""

    tensors: Mapping[str, Tensor]
    metadata: Mapping[str, str]


def read(path: Path, title: str) -> Weights:
    """Raises NotWeights or BadHeader for what is no safetensors file, DoesNotFit for what is no usable LoRA."""
    import torch

    if path.suffix != ".safetensors":
        raise NotWeights(f"{path.name} is no safetensors file. Other formats can run code and are not loaded.")
    header, raw = _parts(path, title)
    held = torch.frombuffer(raw, dtype=torch.uint8) if raw else torch.empty(0, dtype=torch.uint8)
    tensors = {name: _tensor(held, entry, name) for name, entry in header.tensors.items()}
    _refuse_damaged(tensors, title)
    return Weights(tensors=tensors, metadata=header.metadata)


def _parts(path: Path, title: str) -> tuple[Header, bytearray]:
    """The header, and all that follows. A checkpoint of many gigabytes is refused before it is read.

    Copied, not mapped: a file that is replaced meanwhile would change what is drawn, or end the process.
    """
    try:
        with path.open("rb") as file:
            header = _header(file, path)
            _refuse_others(header, title)
            raw = bytearray(header.extent)
            if file.readinto(raw) < len(raw):
                raise BadHeader(f"{path.name} is being changed while it is read. Try again.")
    except OSError as error:
        raise NotWeights(f"{path.name} can't be read ({error.strerror}). Pull it again.") from error
    return header, raw


def _header(file: BufferedReader, path: Path) -> Header:
    size = os.fstat(file.fileno()).st_size
    length = headers.header_length(file.read(9))
    if size < 8 + length:
        raise BadHeader(f"{path.name} ends inside its own header. It is cut off; pull it again.")
    file.seek(8)
    return headers.parse(file.read(length), size)


def _refuse_others(header: Header, title: str) -> None:
    found = facts.read(header)
    if not found.is_lora:
        reason = found.warnings[0] if found.warnings else "This is no LoRA."
        raise DoesNotFit(f"“{title}” can't be tried here. {reason} Choose another file.")


def _tensor(held: Tensor, entry: headers.Tensor, name: str) -> Tensor:
    import torch

    if entry.dtype not in _DTYPES:
        raise DoesNotFit(f"The tensor “{name[:80]}” is of the type {entry.dtype}, which can't be read here.")
    kind = getattr(torch, _DTYPES[entry.dtype])
    part = held[entry.data_offsets[0] : entry.data_offsets[1]]
    if part.storage_offset() % kind.itemsize:
        part = part.clone()  # a writer that does not align its tensors
    value = part.view(kind).view(entry.shape)
    return value.to(torch.bfloat16) if kind.itemsize == 1 and kind.is_floating_point else value


def _refuse_damaged(tensors: Mapping[str, Tensor], title: str) -> None:
    """One value that is no number makes every picture black, and where it came from can't be seen any more."""
    import torch

    for name, tensor in tensors.items():
        if tensor.is_floating_point() and tensor.numel() > 0:
            low, high = torch.aminmax(tensor)
            if not (torch.isfinite(low) and torch.isfinite(high)):
                raise DoesNotFit(
                    f"“{title}” is damaged: “{name[:80]}” holds values that are no numbers. Pull it again, or use "
                    "another version of it."
                )


EMBEDDING = "an embedding bundled with the LoRA, which the preview does not use"
HALF = "of layers whose other half is missing in the file"
STRAY = "that no LoRA algorithm has"
EXPERT = "of a mixture of LoRAs, which the preview can't weigh"
# Control LoRAs of FLUX bring the norms of attention whole, in the names of Black Forest Labs or of diffusers.
_NORM = re.compile(r"\.(?:(?:query|key)_norm(?=\.scale$)|norm_(?:added_)?[qk](?=\.weight$))")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Kind:
    """`parts` are those of the algorithm; of each group in `needs` one set has to be complete."""

    algorithm: str
    parts: frozenset[Part]
    needs: tuple[tuple[frozenset[Part], ...], ...]


def _kind(algorithm: str, parts: tuple[Part, ...], *needs: tuple[tuple[Part, ...], ...]) -> _Kind:
    groups = tuple(tuple(frozenset(some) for some in group) for group in needs)
    return _Kind(algorithm=algorithm, parts=frozenset(parts), needs=groups)


_KINDS: tuple[_Kind, ...] = (
    _kind("lora", ("down", "up", "mid", "up_bias"), (("down", "up"),)),
    _kind(
        "loha",
        ("hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b", "hada_t1", "hada_t2"),
        (("hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b"),),
    ),
    _kind(
        "lokr",
        ("lokr_w1", "lokr_w1_a", "lokr_w1_b", "lokr_w2", "lokr_w2_a", "lokr_w2_b", "lokr_t2"),
        (("lokr_w1",), ("lokr_w1_a", "lokr_w1_b")),
        (("lokr_w2",), ("lokr_w2_a", "lokr_w2_b")),
    ),
    _kind("oft", ("oft", "scale"), (("oft",),)),
    _kind("glora", ("a1", "a2", "b1", "b2"), (("a1", "a2", "b1", "b2"),)),
    _kind("ia3", ("ia3", "on_input"), (("ia3",),)),
    _kind("diff", ("diff", "diff_b"), (("diff",), ("diff_b",))),
    _kind("norm", ("w_norm", "b_norm"), (("w_norm",), ("b_norm",))),
    _kind("set", ("set",), (("set",),)),
)
# They say something about a layer, and come with the first algorithm that patches it.
_SHARED: frozenset[Part] = frozenset(("alpha", "magnitude", "reshape"))
_Keys = dict[Part, str]


@dataclass(kw_only=True, slots=True)
class _Leftovers:
    """Names of tensors by the reason why they are of no use."""

    by_reason: dict[str, list[str]] = field(default_factory=dict)

    def put(self, reason: str, *keys: str) -> None:
        if keys:
            self.by_reason.setdefault(reason, []).extend(keys)

    def missed(self) -> tuple[Missed, ...]:
        return tuple(Missed(reason=reason, keys=tuple(keys)) for reason, keys in self.by_reason.items())


def layers_of(shapes: Mapping[str, Shape]) -> tuple[tuple[Layer, ...], tuple[Missed, ...]]:
    """The layers of a file, and the tensors that belong to none. Together they are all of the file."""
    sorted_names = sort({name: name for name in shapes})
    by_layer: dict[str, _Keys] = {}
    for part, names in sorted_names.parts.items():
        for layer, key in names.items():
            by_layer.setdefault(layer, {})[part] = key
    layers: list[Layer] = []
    left = _Leftovers()
    for name, keys in by_layer.items():
        layers.extend(_layers(name, keys, shapes, left))
    known = {key for keys in by_layer.values() for key in keys.values()}
    layers.extend(_beside((key for key in shapes if key not in known), set(sorted_names.others), left))
    return tuple(layers), left.missed()


def _layers(name: str, keys: _Keys, shapes: Mapping[str, Shape], left: _Leftovers) -> Iterator[Layer]:
    shared = {part: key for part, key in keys.items() if part in _SHARED}
    for kind in _KINDS:
        own = {part: key for part, key in keys.items() if part in kind.parts}
        if not own:
            continue
        if not _is_whole(kind, own):
            left.put(HALF, *own.values())
            continue
        # A difference is stored as it is: it has no strength of its own.
        taken = {} if kind.algorithm in ("diff", "norm", "set") and len(keys) > len(own) + len(shared) else shared
        shared = {} if taken is shared else shared
        yield _layer(name, kind.algorithm, {**own, **taken}, shapes)
    left.put(HALF, *shared.values())
    left.put(STRAY, *(key for part, key in keys.items() if part == "vision"))
    left.put(EXPERT, *(key for part, key in keys.items() if part == "expert"))


def _is_whole(kind: _Kind, own: _Keys) -> bool:
    present = own.keys()
    if kind.algorithm in ("diff", "norm"):
        return True
    return all(any(some <= present for some in group) for group in kind.needs)


def _layer(name: str, algorithm: str, keys: _Keys, shapes: Mapping[str, Shape]) -> Layer:
    if algorithm == "oft" and len(shapes[keys["oft"]]) == 4:
        algorithm = "boft"
    return Layer(name=name, algorithm=algorithm, keys=keys, dora="magnitude" in keys)


def _beside(keys: Iterator[str], strays: set[str], left: _Leftovers) -> Iterator[Layer]:
    """What comes with a LoRA without being one. A norm's new values are a layer too."""
    for key in keys:
        if _NORM.search(key):
            yield Layer(name=key.rpartition(".")[0], algorithm="set", keys={"set": key})
        elif key in strays:
            left.put(STRAY, key)
        else:
            left.put(EMBEDDING, key)
