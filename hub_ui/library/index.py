"""The library in memory: one row for each entry, from the lock file, the disk, the catalog and the annotations.

Building the rows of a library of thousands takes seconds, and searching them takes milliseconds. So a row is rebuilt
only if its entry, file, LoRA or annotation changed. Each source has its own stamp that shows changes.
"""

import os
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from connectors.errors import NotFound
from connectors.ref import LOCAL, Ref
from hub_ui.base import format
from hub_ui.catalog.catalog import Catalog
from hub_ui.catalog.row import (
    CEILINGS,
    NAMES,
    NUMBERS,
    UNLISTED,
    Base,
    Row,
    fold_name,
    row_ref,
    searchable,
    searchable_names,
    words,
)
from hub_ui.library.annotations import Annotation, Annotations
from hub_ui.library.file_names import natural, without_suffix
from hub_ui.library.library import Library
from hub_ui.library.lockfile import Entry

_PICTURES = (".png", ".jpg", ".jpeg", ".webp")
# The resolution of the timestamps of some disks.
_STEP_NS = 3 * 10**9


@dataclass(frozen=True, kw_only=True, slots=True)
class LibraryRow:
    """An entry with everything that the page shows of it. `row` is for searches.

    `added` is the time in seconds when the file was written, 0 if it is missing.
    """

    entry: Entry
    annotation: Annotation
    row: Row
    base: str
    is_missing: bool
    is_removed: bool
    added: float
    name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Folder:
    """The files of a folder, as paths relative to the library, and the time when the folder was last written.

    If it was `settled` when it was listed, the list is valid as long as the time stays the same.
    """

    files: tuple[str, ...]
    written: int
    settled: bool


class LibraryIndex:
    """The rows of a library. The class is thread-safe."""

    def __init__(self, library: Library, catalog: Catalog, annotations: Annotations) -> None:
        self._library = library
        self._catalog = catalog
        self._annotations = annotations
        self._lock = threading.Lock()
        self._rows: dict[Ref, LibraryRow] = {}
        self._listed: tuple[LibraryRow, ...] = ()
        self._known: dict[Ref, tuple[Row, bool]] = {}
        self._folders: dict[str, Folder | None] = {}
        self._files: dict[str, float] = {}
        # The sources of the rows.
        self._entries: tuple[Entry, ...] = ()
        self._noted: Mapping[Ref, Annotation] = {}
        self._change = -1

    def rows(self) -> tuple[LibraryRow, ...]:
        """Return the rows in the order of the lock file. The object stays the same until a change."""
        with self._lock:
            entries, annotations, change = self._library.entries(), self._annotations.all(), self._catalog.change()
            files = self._find_files(entries)
            changed = files.keys() ^ self._files.keys() if files is not self._files else set()
            if entries is self._entries and annotations is self._noted and change == self._change and not changed:
                return self._listed
            changed_loras = self._read_catalog(entries, change)
            before = self._rows
            self._files = files
            self._rows = {}
            for entry in entries:
                row = before.get(entry.ref)
                lora = row.annotation.ref if row is not None else entry.ref.lora
                annotation = annotations.get(lora)
                is_same = row is not None and _is_same(row, entry, annotation)
                if row is None or not is_same or lora in changed_loras or entry.file in changed:
                    row = self._row(entry, annotation or Annotation(ref=lora))
                self._rows[entry.ref] = row
            self._entries, self._noted, self._change = entries, annotations, change
            self._listed = tuple(self._rows.values())
            return self._listed

    def row(self, ref: Ref) -> LibraryRow:
        """Return the row of the first entry that the ref names. Raises NotFound."""
        rows = self.rows()
        found = self._rows.get(ref) or next((row for row in rows if row.entry.answers_to(ref)), None)
        if found is None:
            raise NotFound(f"{ref} is not in the library any more. Load the page again.", hub=ref.hub)
        return found

    def picture_beside(self, entry: Entry) -> Path | None:
        """Return the preview image next to a file, which other programs name like the file."""
        stem = without_suffix(entry.file)
        names = (f"{stem}{kind}{ending}" for kind in ("", ".preview") for ending in _PICTURES)
        found = next((name for name in names if name in self._files), None)
        return self._library.folder / found if found else None

    def _find_files(self, entries: Iterable[Entry]) -> dict[str, float]:
        """Return the write time of each file in the folders of the entries. Each time is read only once."""
        # The same entries have the same folders.
        folders = self._folders if entries is self._entries else {entry.file.rpartition("/")[0] for entry in entries}
        found = {path: _list_folder(self._library.folder, path, self._folders.get(path)) for path in folders}
        before, self._folders = self._folders, found
        if found == before:
            return self._files
        known = self._files
        return {
            path: known[path] if path in known else _write_time(self._library.folder / path)
            for folder in filter(None, found.values())
            for path in folder.files
        }

    def _read_catalog(self, entries: Iterable[Entry], change: int) -> set[Ref]:
        """Read the changes of the catalog and return the changed LoRAs."""
        if change == self._change and entries is self._entries:
            return set()
        refs = {entry.ref.lora for entry in entries if entry.ref.hub != LOCAL and entry.ref.id}
        known = refs & self._known.keys()
        after = -1 if change < self._change else self._change
        found = {ref: (row, removed) for ref, row, removed in self._catalog.rows_of(refs - known)}
        found |= {ref: (row, removed) for ref, row, removed in self._catalog.rows_of(known, after)}
        self._known |= found
        return set(found)

    def _row(self, entry: Entry, annotation: Annotation) -> LibraryRow:
        known, removed = self._known.get(entry.ref.lora, (None, False))
        at = self._files.get(entry.file)
        # The disk may spell the same file differently: other letter case, or decomposed accents.
        if at is None and (path := self._library.path(entry)).exists():
            at = _write_time(path)
        return LibraryRow(
            entry=entry,
            annotation=annotation,
            row=search_row(entry, annotation, known),
            base=format.base_name(entry.base_model, entry.architecture),
            is_missing=at is None,
            is_removed=removed and self._is_removed(entry.ref),
            added=at or 0.0,
            name=natural(format.visible(entry.title) or entry.file),
        )

    def _is_removed(self, ref: Ref) -> bool:
        """Return whether this version or the whole LoRA was removed. The catalog also marks other versions."""
        lora = self._catalog.find(ref)
        if lora is None:
            return False
        version = lora.version(ref.version)
        return "removed" in (lora.access, version.access if version else "")


def search_row(entry: Entry, annotation: Annotation, known: Row | None) -> Row:
    """Build the row for searches from the entry and the annotation, and from the catalog's row of the LoRA."""
    base = Base(base_model=entry.base_model, architecture=entry.architecture, raw=None)
    texts = (entry.ref.id, entry.file, *entry.trigger_words, *base.labels())
    about = (searchable(annotation.note), known.about if known else "")
    names = dict(known.names) if known else {**dict.fromkeys(NAMES, ()), "access": ("open",)}
    names["tags"] = tuple(dict.fromkeys(filter(None, (*map(fold_name, annotation.tags), *names["tags"]))))
    names["triggers"] = tuple(dict.fromkeys(map(fold_name, entry.trigger_words)))
    names |= {"hubs": (entry.ref.hub,), "keys": tuple(dict.fromkeys(base.filter_keys()))}
    return Row(
        refs=(row_ref(entry.ref.hub, entry.ref.id),),
        nsfw=min(known.nsfw, UNLISTED - 1) if known else CEILINGS[None],
        groups=base.groups(),
        names=names,
        numbers={**(known.numbers if known else dict.fromkeys(NUMBERS)), "size": entry.size},
        whole=" ".join(words(entry.title)),
        title=searchable_names(entry.title),
        words=searchable_names(*texts) + (known.words if known else ""),
        tag_words=searchable_names(*annotation.tags) + (known.tag_words if known else ""),
        about=" ".join(about),
        downloads=known.downloads if known else 0,
        likes=known.likes if known else 0,
        newest=known.newest if known else 0,
        merit=known.merit if known else 0,
    )


def _is_same(row: LibraryRow, entry: Entry, annotation: Annotation | None) -> bool:
    """Return whether the row is up to date. Most objects are identical, which saves a comparison."""
    if row.entry is not entry and row.entry != entry:
        return False
    return row.annotation is annotation or (
        row.annotation.is_empty if annotation is None else row.annotation == annotation
    )


def _list_folder(library: Path, inside: str, known: Folder | None) -> Folder | None:
    """List a folder. Return None if it can't be read."""
    try:
        now, written = time.time_ns(), os.stat(library / inside).st_mtime_ns
        if known is not None and known.settled and known.written == written:
            return known
        with os.scandir(library / inside) as found:
            files = tuple(str(PurePosixPath(inside, item.name)) for item in found if not item.is_dir())
    except OSError:
        return None
    # If the folder was written just now, a later write may leave its time unchanged.
    return Folder(files=files, written=written, settled=now - written > _STEP_NS)


def _write_time(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
