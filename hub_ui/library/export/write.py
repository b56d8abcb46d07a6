"""Writes the files that other programs read beside weight files. A file that isn't ours is never overwritten."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from hub_ui.library.disk import replace_file
from hub_ui.library.file_names import SUFFIX
from hub_ui.library.lockfile import Entry

# Path -> SHA-256 of every file written. One that has another hash by now was changed by someone else.
_LISTING = Path(".hub-ui") / "exported.json"
SUFFIXES = (".json", ".metadata.json", ".png")
_IMAGES = tuple(
    dot + suffix for suffix in ("png", "jpg", "jpeg", "webp", "gif", "mp4", "webm") for dot in (".", ".preview.")
)

# "kept": the file there isn't ours and was left alone. "merged": missing values were added to another program's file.
ExportState = Literal["written", "same", "kept", "merged"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Sidecar:
    """A file beside a weight file: `suffix` takes the place of ".safetensors".

    With `facts`, it is a JSON object that the other program rewrites: its values are kept, but for those under these
    keys. An object whose `sha256` is another file's is left alone.
    """

    entry: Entry
    suffix: str
    data: bytes = field(repr=False)
    facts: frozenset[str] = frozenset()

    @property
    def file(self) -> str:
        return self.entry.file.removesuffix(SUFFIX) + self.suffix


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportResult:
    path: Path
    state: ExportState
    entry: Entry | None = None


class Exporter:
    """Writes below `target`, and lists what it wrote in the library `folder`. `force` overwrites any file."""

    def __init__(self, folder: Path, target: Path, *, force: bool = False) -> None:
        self._listing = folder / _LISTING
        self._target = target
        self._force = force
        self._ours = _read(self._listing)

    def write(self, sidecars: Iterable[Sidecar]) -> list[ExportResult]:
        results = []
        for sidecar in sidecars:
            path = self._target / sidecar.file
            # An image someone chose themselves, under any name that programs look for, stays the only one.
            names = (path.with_name(path.stem + suffix) for suffix in _IMAGES if suffix != ".png")
            other = next((name for name in names if name.exists()), None)
            if other is not None and sidecar.suffix == ".png" and not self._force:
                results.append(ExportResult(path=other, state="kept", entry=sidecar.entry))
            else:
                state = self._put(path, sidecar.data, sidecar.facts)
                results.append(ExportResult(path=path, state=state, entry=sidecar.entry))
        self._save()
        return results

    def write_file(self, name: str, data: bytes) -> ExportResult:
        path = self._target / name
        state = self._put(path, data)
        self._save()
        return ExportResult(path=path, state=state)

    def _put(self, path: Path, data: bytes, facts: frozenset[str] = frozenset()) -> ExportState:
        there = _hash(path.read_bytes()) if path.is_file() else None
        if there == _hash(data):
            self._ours[_key(path)] = there
            return "same"
        if there is not None and not self._force and self._ours.get(_key(path)) != there:
            return _merge(path, data, facts) if facts else "kept"
        replace_file(path, data)
        self._ours[_key(path)] = _hash(data)
        return "written"

    def _save(self) -> None:
        replace_file(self._listing, json.dumps(self._ours, indent=1, sort_keys=True).encode())


def _merge(path: Path, data: bytes, facts: frozenset[str]) -> ExportState:
    """The file isn't listed as ours, so it is neither overwritten nor removed later."""
    theirs, ours = _object(path.read_bytes()), _object(data)
    if theirs is None or ours is None or theirs.get("sha256") != ours.get("sha256"):
        return "kept"
    merged = {**_fill_in(theirs, ours), **{key: ours[key] for key in facts if key in ours}}
    if merged == theirs:
        return "same"
    replace_file(path, as_json(merged))
    return "merged"


def _fill_in(theirs: dict[str, Any], ours: dict[str, Any]) -> dict[str, Any]:
    """`theirs`, with missing and empty values filled in from `ours`, recursively."""
    filled = dict(theirs)
    for key, value in ours.items():
        there = theirs.get(key)
        if isinstance(there, dict) and isinstance(value, dict):
            filled[key] = _fill_in(there, value)
        # False and 0 are answers.
        elif there in (None, "", [], {}):
            filled[key] = value
    return filled


def _object(data: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def drop(folder: Path, entry: Entry) -> tuple[Path, ...]:
    """Removes the files we wrote beside an entry's file, unless they were changed since."""
    ours = _read(folder / _LISTING)
    beside = [folder / (entry.file.removesuffix(SUFFIX) + suffix) for suffix in SUFFIXES]
    gone = tuple(path for path in beside if path.is_file() and _hash(path.read_bytes()) == ours.get(_key(path)))
    for path in gone:
        path.unlink()
    return gone


def as_json(value: object) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode("utf-8", "replace")


def _read(listing: Path) -> dict[str, str]:
    """Empty for a missing or damaged listing: then no file counts as ours, and none is overwritten."""
    try:
        found = _object(listing.read_bytes()) or {}
    except OSError:
        return {}
    return {str(key): str(value) for key, value in found.items()}


def _key(path: Path) -> str:
    return os.path.abspath(path)


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
