"""Checks the folder against the lock file by hashing every file. Changes nothing and asks no hub."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from hub_ui.library.disk import hash_of
from hub_ui.library.file_names import SUFFIX
from hub_ui.library.library import Library
from hub_ui.library.lockfile import Entry

FileState = Literal["right", "missing", "changed", "unreadable"]
# Hashing lets go of the interpreter: a few threads keep a fast disk busy.
_WORKERS = min(4, os.cpu_count() or 1)
# Set aside by `sync`, they are weights still.
_WEIGHTS = re.compile(rf"{re.escape(SUFFIX)}(\.changed[0-9]*)?$")
_UNFINISHED = (".part", ".twin", ".new")


@dataclass(frozen=True, kw_only=True, slots=True)
class FileCheck:
    """`sha256` and `size` are the file's own, None where it could not be read."""

    entry: Entry
    state: FileState
    sha256: str | None = None
    size: int | None = None

    @property
    def right(self) -> bool:
        return self.state == "right"


def check(library: Library, entry: Entry) -> FileCheck:
    path = library.path(entry)
    if not path.is_file():
        return FileCheck(entry=entry, state="missing")
    try:
        found = hash_of(path)
    except OSError:
        return FileCheck(entry=entry, state="unreadable")
    state: FileState = "right" if found.sha256 == entry.sha256 else "changed"
    return FileCheck(entry=entry, state=state, sha256=found.sha256, size=found.size)


def check_all(library: Library, on_progress: Callable[[int, FileCheck], None] | None = None) -> tuple[FileCheck, ...]:
    """Every entry in the order of the lock file. `on_progress` gets how many are done and what the last one was."""
    results = []
    with ThreadPoolExecutor(_WORKERS) as pool:
        for done, result in enumerate(pool.map(lambda entry: check(library, entry), library.entries()), 1):
            results.append(result)
            if on_progress is not None:
                on_progress(done, result)
    return tuple(results)


def foreign(library: Library) -> tuple[str, ...]:
    """Files in the folder that no entry names, sorted.

    Except those beside a weight file with its name (images, metadata of other programs), hidden files, parts of
    downloads and the lock file.
    """
    files = {entry.file.casefold() for entry in library.entries()}
    stems = {name.removesuffix(SUFFIX) for name in files}
    found = []
    for root, folders, names in os.walk(library.folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        paths = (Path(root, name) for name in names if not name.startswith("."))
        found += [path.relative_to(library.folder).as_posix() for path in paths if path != library.lock]
    return tuple(
        sorted(name for name in found if name.casefold() not in files and not _belongs(name.casefold(), stems))
    )


def _belongs(name: str, stems: set[str]) -> bool:
    """`ink.preview.png` belongs to `ink.safetensors`, and so does `ink.json`; another weight file belongs to none."""
    if name.endswith(_UNFINISHED):
        return True
    path = PurePosixPath(name)
    prefixes = {path.name.rsplit(".", dots)[0] for dots in range(1, path.name.count(".") + 1)}
    return not _WEIGHTS.search(name) and any(str(path.with_name(prefix)) in stems for prefix in prefixes if prefix)
