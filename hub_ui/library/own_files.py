"""LoRA files of a person's own that are looked at and tried before they are kept.

They lie hidden in the library's folder, with a lock file of their own: so they have a ref as others have, and keeping
one is a rename.
"""

import os
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path, PurePosixPath

from connectors.errors import NotFound
from connectors.ref import Ref
from hub_ui.library.disk import disk_errors_as_messages, drop_empty
from hub_ui.library.file_names import SUFFIX, fold, free_path, is_safe_path, safe_name
from hub_ui.library.library import Library
from hub_ui.library.lockfile import Entry

FOLDER = ".own"
KEPT_SECONDS = 86_400.0


class OwnFiles:
    """Several threads and several processes may use it at once. Nothing is created before the first file."""

    def __init__(self, library: Library, clock: Callable[[], float] = time.time) -> None:
        self._library = library
        self._waiting = Library(library.folder, library.folder / FOLDER / "own.lock")
        self._clock = clock

    def entries(self) -> tuple[Entry, ...]:
        return self._waiting.entries()

    def entry(self, ref: Ref) -> Entry:
        """Raises NotFound for a file that is not here any more."""
        found = next((entry for entry in self.entries() if entry.answers_to(ref)), None)
        if found is None or not self._library.path(found).is_file():
            raise NotFound("This file is not here any more. Choose it again.")
        return found

    @disk_errors_as_messages()
    def add(self, path: Path, entry: Entry) -> Entry:
        """Moves a file here; `entry` is what it would have in the library. Its bytes may be here already."""
        self.sweep()
        name = f"{safe_name(PurePosixPath(entry.file).name.removesuffix(SUFFIX))}{SUFFIX}"
        placed = replace(entry, file=f"{FOLDER}/{entry.sha256[:12]}/{name}")
        target = self._library.path(placed)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(path, target)
        # The time of a file from elsewhere says nothing about when it came.
        os.utime(target, (self._clock(), self._clock()))
        for known in self.entries():
            if known.ref == placed.ref and known.file != placed.file:
                self.discard(known.ref)
        self._waiting.adopt([placed])
        return self.entry(placed.ref)

    @disk_errors_as_messages()
    def keep(self, ref: Ref, place: str, source: str = "") -> Entry:
        """Moves a file into the library, to a path like `place` that is free, and enters it there."""
        entry = self.entry(ref)
        known = next((other for other in self._library.entries() if other.ref == entry.ref), None)
        if known is not None and self._library.path(known).is_file():
            self.discard(ref)
            return known
        place = known.file if known else self._free(place, entry.ref)
        target = self._library.folder / place
        target.parent.mkdir(parents=True, exist_ok=True)
        os.rename(self._library.path(entry), target)
        self._library.adopt([replace(entry, file=place, source=source)])
        self._forget(entry)
        return self._library.entry(entry.ref)

    @disk_errors_as_messages()
    def discard(self, ref: Ref) -> None:
        """Deletes a file. One that is gone already is no error."""
        for entry in [entry for entry in self.entries() if entry.answers_to(ref)]:
            self._library.path(entry).unlink(missing_ok=True)
            self._forget(entry)

    def sweep(self) -> None:
        """Deletes what nobody has kept for a day."""
        for entry in self.entries():
            with suppress(FileNotFoundError):
                if self._library.path(entry).stat().st_mtime > self._clock() - KEPT_SECONDS:
                    continue
            self.discard(entry.ref)

    def _forget(self, entry: Entry) -> None:
        with self._waiting.writer() as write:
            write(other for other in self._waiting.entries() if other.ref != entry.ref)
        drop_empty(self._library.path(entry).parent, self._library.folder / FOLDER)

    def _free(self, place: str, ref: Ref) -> str:
        taken = {fold(entry.file) for entry in self._library.entries()}
        for path in (place, free_path(place, ref, [place])):
            if is_safe_path(path) and fold(path) not in taken and not os.path.lexists(self._library.folder / path):
                return path
        raise NotFound(f"There are other files at {place}. Move them away first.")
