"""File names that every system accepts, made from titles that people wrote, by a template (see names.py)."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Collection, Mapping
from pathlib import PurePosixPath

from connectors.record import Record
from connectors.ref import Ref
from hub_ui.library.names import DEFAULT, Names

SUFFIX = ".safetensors"
# ext4 and APFS allow 255 bytes a name; Windows 260 characters for the whole path. Three of these leave room for both.
_LONGEST_BYTES = 255
_MAX_BYTES = 72
# Below the library folder, so that the whole stays under those 260. Titles give way until it fits.
_MAX_PATH = 180
_SHORTER = (_MAX_BYTES, 56, 40, 28, 20, 12)
_DEFAULT_NAMES = Names.parse(DEFAULT)
# https://learn.microsoft.com/windows/win32/fileio/naming-a-file: reserved with any extension, superscripts included
_RESERVED = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])(\..*)?", re.IGNORECASE)
_FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]')
# Names a trainer gives to every file: they tell nothing that the title does not.
_GENERIC = frozenset({"pytorch_lora_weights", "adapter_model", "lora", "model", "diffusion_pytorch_model"})


def target(record: Record, ref: Ref, name: str, taken: Collection[str], names: Names = _DEFAULT_NAMES) -> str:
    """Where a file of that ref goes. `taken` are the paths of other refs; letter case does not tell paths apart."""
    *folders, stem = _fitting(record, ref, name, names)
    path = str(PurePosixPath(*folders, stem + SUFFIX))
    if _folded(path) in {_folded(other) for other in taken}:
        digest = hashlib.sha256(str(ref).encode()).hexdigest()[:8]
        path = str(PurePosixPath(*folders, f"{stem}-{digest}{SUFFIX}"))
    return path


def _fitting(record: Record, ref: Ref, name: str, names: Names) -> list[str]:
    for most in _SHORTER:
        values = _values(record, ref, name, most)
        # The template's own words count too, hence more room for a part than for a value in it.
        parts = [safe_name(part, 2 * most) for part in names.filled(values)]
        if len("/".join(parts)) <= _MAX_PATH:
            break
    return parts


def _values(record: Record, ref: Ref, name: str, most: int) -> Mapping[str, str]:
    said = {
        "architecture": record.architecture or "unknown",
        "base_model": record.base_model or record.architecture or "unknown",
        "creator": record.creator or ref.hub,
        "file": PurePosixPath(name).name.removesuffix(SUFFIX),
        "hub": ref.hub,
        "id": ref.id.replace("/", "-") or ref.hub,
        "kind": record.kind or "other",
        "title": _title(record.title, ref, name),
    }
    version = ref.version[:12] if ref.version else ""
    return {**{key: safe_name(value, most) for key, value in said.items()}, "version": version}


def _title(title: str, ref: Ref, name: str) -> str:
    """A Hugging Face repo may hold dozens of LoRAs under one title; there the file's own name is added."""
    stem = PurePosixPath(name).name.removesuffix(SUFFIX)
    if ref.hub != "huggingface" or stem.lower() in _GENERIC or stem.lower() == title.lower():
        return title
    return f"{safe_name(title, 32)}-{stem}"


def safe_name(text: str, most: int = _MAX_BYTES) -> str:
    """`text` as one path component on Linux, macOS and Windows."""
    text = "".join(c for c in unicodedata.normalize("NFC", text) if unicodedata.category(c) not in ("Cf", "Cs", "Co"))
    text = " ".join(_FORBIDDEN.sub(" ", text).split())
    text = _trimmed(text)
    if len(text.encode()) > most:
        text = _trimmed(text.encode()[:most].decode(errors="ignore"))
    return f"_{text}" if _RESERVED.fullmatch(text) else text or "unnamed"


def _trimmed(text: str) -> str:
    """Without what Windows drops at the end, and what hides a file or looks like an option at the start."""
    return text.strip(". ").lstrip("-~. ")


def is_safe_path(path: str) -> bool:
    """Whether a path from a lock file, which may come from anyone, stays inside the library folder."""
    parts = path.split("/")
    return (
        path.lower().endswith(SUFFIX)
        and all(part not in ("", ".", "..") and not part.endswith((".", " ")) for part in parts)
        and all(len(part.encode(errors="replace")) <= _LONGEST_BYTES for part in parts)
        and not any(_FORBIDDEN.search(part) or _RESERVED.fullmatch(part) for part in parts)
    )


def _folded(path: str) -> str:
    return unicodedata.normalize("NFC", path).casefold()
