"""A .safetensors file in memory, with every doubt about it settled before any of it is used."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING

from connectors.errors import BadHeader, DoesNotFit, NotWeights
from connectors.facts import adapter as facts
from connectors.facts import header as headers
from connectors.facts.header import Header

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
