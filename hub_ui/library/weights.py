"""Is it a safetensors file? Checked on the first bytes to stop early, and on the whole file before it is kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from connectors.errors import NotWeights

# The reference implementation refuses longer headers too.
MAX_HEADER_BYTES = 100_000_000
_OTHERS: tuple[tuple[bytes, str], ...] = (
    (b"PK\x03\x04", "a zip or PyTorch pickle file, which can run code when loaded"),
    (b"\x80", "a Python pickle, which can run code when loaded"),
    (b"GGUF", "a GGUF file"),
    (b"\x1f\x8b", "a gzip archive"),
)


def check_start(head: bytes) -> None:
    """Raises NotWeights when a file that begins with these (at least 9) bytes can't be safetensors."""
    length = int.from_bytes(head[:8], "little")
    if len(head) < 9 or head[8:9] != b"{" or not 2 <= length <= MAX_HEADER_BYTES:
        raise NotWeights(f"What came is {_looks_like(head)}, not a safetensors file. It was not kept.")


def check_file(path: Path) -> None:
    """Raises NotWeights unless the header can be read and describes exactly the bytes that follow it."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(9)
        check_start(head)
        length = int.from_bytes(head[:8], "little")
        header = _parsed(head[8:] + file.read(length - 1))
    end = max((_end(entry) for name, entry in header.items() if name != "__metadata__"), default=0)
    if 8 + length + end != size:
        raise NotWeights(
            f"The file's header describes {8 + length + end} bytes, but {size} came. It was not kept; pull it again."
        )


def _parsed(text: bytes) -> dict[str, Any]:
    try:
        header = json.loads(text)
    # RecursionError: a header of nothing but brackets
    except (ValueError, RecursionError) as error:
        raise NotWeights("The file's header can't be read as safetensors. It was not kept.") from error
    if not isinstance(header, dict):
        raise NotWeights("The file's header can't be read as safetensors. It was not kept.")
    return header


def _end(entry: Any) -> int:
    offsets = entry.get("data_offsets") if isinstance(entry, dict) else None
    match offsets:
        case [int(), int() as end] if end >= 0:
            return end
    raise NotWeights("A tensor in the file's header has no place in the file. It was not kept.")


def _looks_like(head: bytes) -> str:
    start = head.lstrip()
    if start[:1] == b"<":
        return "a web page"
    if start[:1] in (b"{", b"["):
        return "a JSON text (often an error message)"
    return next((what for magic, what in _OTHERS if head.startswith(magic)), "something else")
