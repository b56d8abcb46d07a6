"""Writes beside weight files what other programs read there: only when asked, and never over someone else's file."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from hub_ui.library.disk import move
from hub_ui.library.file_names import SUFFIX
from hub_ui.library.lockfile import Entry

# What was written, by path, with the hash it had: a file that has another one since was changed by someone.
_LISTING = Path(".hub-ui") / "exported.json"
SUFFIXES = (".json", ".metadata.json", ".png")
_PICTURES = tuple(
    dot + suffix for suffix in ("png", "jpg", "jpeg", "webp", "gif", "mp4", "webm") for dot in (".", ".preview.")
)

# "kept": the file there is not ours, and stays. "merged": it is the other program's, and what it lacked was put in.
State = Literal["written", "same", "kept", "merged"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Sidecar:
    """A file beside a weight file: `suffix` takes the place of ".safetensors".

    With `facts`, it is a JSON object that the other program rewrites: what stands there is its own, but for the values
    under these keys. One that is about another file, by its `sha256`, stays as it is.
    """

    entry: Entry
    suffix: str
    data: bytes = field(repr=False)
    facts: frozenset[str] = frozenset()

    @property
    def file(self) -> str:
        return self.entry.file.removesuffix(SUFFIX) + self.suffix


@dataclass(frozen=True, kw_only=True, slots=True)
class Exported:
    path: Path
    state: State
    entry: Entry | None = None


class Exporter:
    """Writes below `target`; what it ever wrote is listed in the library `folder`. `force` overwrites anything."""

    def __init__(self, folder: Path, target: Path, *, force: bool = False) -> None:
        self._listing = folder / _LISTING
        self._target = target
        self._force = force
        self._ours = _read(self._listing)

    def write(self, sidecars: Iterable[Sidecar]) -> list[Exported]:
        done = [self._sidecar(sidecar) for sidecar in sidecars]
        self._remember()
        return done

    def write_file(self, name: str, data: bytes) -> Exported:
        path = self._target / name
        done = Exported(path=path, state=self._put(path, data))
        self._remember()
        return done

    def _sidecar(self, sidecar: Sidecar) -> Exported:
        path = self._target / sidecar.file
        if sidecar.suffix == ".png" and (other := self._other_picture(path)) is not None:
            return Exported(path=other, state="kept", entry=sidecar.entry)
        return Exported(path=path, state=self._put(path, sidecar.data, sidecar.facts), entry=sidecar.entry)

    def _other_picture(self, path: Path) -> Path | None:
        """A picture someone chose themselves, under any name that programs look for."""
        others = (path.with_name(path.stem + suffix) for suffix in _PICTURES if suffix != ".png")
        return None if self._force else next((other for other in others if other.exists()), None)

    def _put(self, path: Path, data: bytes, facts: frozenset[str] = frozenset()) -> State:
        there = _hash(path.read_bytes()) if path.is_file() else None
        if there == _hash(data):
            self._ours[_key(path)] = there
            return "same"
        if there is not None and not self._force and self._ours.get(_key(path)) != there:
            return _merge(path, data, facts) if facts else "kept"
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, data)
        self._ours[_key(path)] = _hash(data)
        return "written"

    def _remember(self) -> None:
        self._listing.parent.mkdir(parents=True, exist_ok=True)
        new = self._listing.with_suffix(".new")
        new.write_text(json.dumps(self._ours, indent=1, sort_keys=True), encoding="utf-8")
        move(new, self._listing)


def _merge(path: Path, data: bytes, facts: frozenset[str]) -> State:
    """The file stays the other program's: it is not listed as ours, and is neither overwritten nor removed later."""
    theirs, ours = _object(path.read_bytes()), _object(data)
    if theirs is None or ours is None or theirs.get("sha256") != ours.get("sha256"):
        return "kept"
    merged = {**_filled(theirs, ours), **{key: ours[key] for key in facts if key in ours}}
    if merged == theirs:
        return "same"
    _replace(path, as_json(merged))
    return "merged"


def _filled(theirs: dict[str, Any], ours: dict[str, Any]) -> dict[str, Any]:
    """`theirs`, with what is missing or empty in it taken from `ours`, also inside objects that both have."""
    filled = dict(theirs)
    for key, value in ours.items():
        there = theirs.get(key)
        if isinstance(there, dict) and isinstance(value, dict):
            filled[key] = _filled(there, value)
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


def _replace(path: Path, data: bytes) -> None:
    new = path.with_name(path.name + ".new")
    new.write_bytes(data)
    move(new, path)


def drop(folder: Path, entry: Entry) -> tuple[Path, ...]:
    """Removes what was written beside an entry's file and is as it was written."""
    ours = _read(folder / _LISTING)
    beside = [folder / (entry.file.removesuffix(SUFFIX) + suffix) for suffix in SUFFIXES]
    gone = tuple(path for path in beside if path.is_file() and _hash(path.read_bytes()) == ours.get(_key(path)))
    for path in gone:
        path.unlink()
    return gone


def as_json(value: object) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode("utf-8", "replace")


def _read(listing: Path) -> dict[str, str]:
    """A listing that is lost or damaged makes everything someone else's: nothing is overwritten then."""
    try:
        found = json.loads(listing.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else {}


def _key(path: Path) -> str:
    return os.path.abspath(path)


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
