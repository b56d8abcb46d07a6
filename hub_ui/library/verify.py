"""Is the folder what the lock file says? Every file is hashed again; nothing is changed and no hub is asked."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from hub_ui.library.disk import hash_of
from hub_ui.library.file_names import SUFFIX
from hub_ui.library.library import Library
from hub_ui.library.lockfile import Entry

State = Literal["right", "missing", "changed", "unreadable"]
# Hashing lets go of the interpreter: a few threads keep a fast disk busy.
_AT_ONCE = min(4, os.cpu_count() or 1)
# Set aside by `sync`, they are weights still.
_WEIGHTS = re.compile(rf"{re.escape(SUFFIX)}(\.changed[0-9]*)?$")
_UNFINISHED = (".part", ".twin", ".new")


@dataclass(frozen=True, kw_only=True, slots=True)
class Checked:
    """`sha256` and `size` are the file's own, None where it could not be read."""

    entry: Entry
    state: State
    sha256: str | None = None
    size: int | None = None

    @property
    def right(self) -> bool:
        return self.state == "right"


def check(library: Library, entry: Entry) -> Checked:
    path = library.path(entry)
    if not path.is_file():
        return Checked(entry=entry, state="missing")
    try:
        found = hash_of(path)
    except OSError:
        return Checked(entry=entry, state="unreadable")
    state: State = "right" if found.sha256 == entry.sha256 else "changed"
    return Checked(entry=entry, state=state, sha256=found.sha256, size=found.size)


def check_all(library: Library, report: Callable[[int, Checked], None] | None = None) -> tuple[Checked, ...]:
    """Every entry in the order of the lock file. `report` is told how many are done and what the last one was."""
    results = []
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for done, checked in enumerate(pool.map(lambda entry: check(library, entry), library.entries()), 1):
            results.append(checked)
            if report is not None:
                report(done, checked)
    return tuple(results)


def foreign(library: Library) -> tuple[str, ...]:
    """Files in the folder that no entry names, sorted.

    Not those that stand beside a weight file under its name (pictures, notes of other programs), hidden ones, parts
    of downloads and the lock file.
    """
    named = {_folded(entry.file) for entry in library.entries()}
    beside = {name.removesuffix(SUFFIX) for name in named}
    found = (path for path in _files(library.folder) if path != library.lock)
    names = (path.relative_to(library.folder).as_posix() for path in found)
    return tuple(sorted(name for name in names if _folded(name) not in named and not _belongs(_folded(name), beside)))


def _files(folder: Path) -> Iterator[Path]:
    for where, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(where, name) for name in names if not name.startswith("."))


def _belongs(name: str, beside: set[str]) -> bool:
    """`ink.preview.png` belongs to `ink.safetensors`, and so does `ink.json`; another weight file belongs to none."""
    if name.endswith(_UNFINISHED):
        return True
    place = PurePosixPath(name)
    stems = {place.name.rsplit(".", dots)[0] for dots in range(1, place.name.count(".") + 1)}
    return not _WEIGHTS.search(name) and any(str(place.with_name(stem)) in beside for stem in stems if stem)


def _folded(name: str) -> str:
    return name.casefold()
