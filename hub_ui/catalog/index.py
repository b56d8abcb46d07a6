"""The Tantivy index: fast search over what SQLite holds, brought up to date by asking SQLite what changed.

The folder holds one subfolder with the index proper, and `current.json`, which says which subfolder that is, of which
catalog, and up to which change. A rebuild goes to a new subfolder and replaces `current.json` last, so a reader of
another process never sees half an index, and whatever is wrong with the old one does not matter.

Tantivy raises ValueError for nearly everything, damage and a busy lock included.
"""

from __future__ import annotations

import json
import logging
import re
import shutil
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from uuid import uuid4

import tantivy

from hub_ui.catalog import finding
from hub_ui.catalog.plan import Hits, Plan
from hub_ui.catalog.row import Row
from hub_ui.catalog.store import Store

_LOG = logging.getLogger(__name__)
# Raise it whenever the schema, a row's words or the order keys change: an index of another format is rebuilt.
FORMAT = 1
_PATIENCE_SECONDS = 2.0
_ATTEMPTS = 3
_ABANDONED_SECONDS = 3_600
_FOLDER = re.compile(r"[0-9a-f]{12}")
_HEAP_BYTES = 15_000_000
_REBUILD_HEAP_BYTES = 64_000_000


class IndexBusy(Exception):
    """Another process holds the writer. The next search tries again."""


class IndexBroken(Exception):
    """The index can't be read or written, and building it anew did not help."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Current:
    format: int
    catalog: str
    folder: str
    change: int


class Index:
    """All methods may be called from any thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._schema = finding.schema_of_rows()
        self._opened: tuple[_Current, tantivy.Index] | None = None
        self._tried = ""

    def find(self, store: Store, plan: Plan) -> Hits:
        """Sees everything that was added before the call. Raises IndexBusy or IndexBroken."""
        reason = ""
        for _ in range(_ATTEMPTS):
            try:
                return finding.find(self._schema, self._searcher(store), plan)
            except (ValueError, OSError) as error:
                reason = str(error)
                self._give_up(reason)
        raise IndexBroken(reason)

    def _searcher(self, store: Store) -> tantivy.Searcher:
        """Brings the index up to date if there is something new, one thread at a time."""
        with self._lock:
            current = self._read_current(store)
            self._tried = current.folder if current else ""
            if current is None:
                return self._rebuild(store).searcher()
            index = self._open(current)
            if current.change < store.change():
                self._catch_up(store, current, index)
            return index.searcher()

    def _give_up(self, reason: str) -> None:
        """The subfolder that failed is not to be used again, unless another process has replaced it already."""
        with self._lock:
            self._opened = None
            with suppress(OSError, ValueError, KeyError, TypeError):
                if _FOLDER.fullmatch(self._tried) and json.loads(self._pointer.read_bytes())["folder"] == self._tried:
                    _LOG.warning("The search index is damaged (%s) and is built anew.", reason)
                    self._pointer.unlink()
                    shutil.rmtree(self._folder / self._tried, ignore_errors=True)

    def _read_current(self, store: Store) -> _Current | None:
        """None where the index is missing, unreadable, of another format or catalog, or ahead of a restored SQLite."""
        try:
            current = _Current(**json.loads(self._pointer.read_bytes()))
            # The folder is removed once it is damaged, so a name that leads elsewhere must never count.
            ours = _FOLDER.fullmatch(current.folder) and (current.format, current.catalog) == (FORMAT, store.catalog_id)
        except (OSError, ValueError, TypeError):
            return None
        return current if ours and current.change <= store.change() else None

    def _open(self, current: _Current) -> tantivy.Index:
        if self._opened is None or self._opened[0].folder != current.folder:
            index = tantivy.Index.open(str(self._folder / current.folder))
            index.config_reader("manual")
            self._opened = (current, index)
        elif self._opened[0].change != current.change:
            self._opened[1].reload()
            self._opened = (current, self._opened[1])
        return self._opened[1]

    def _catch_up(self, store: Store, current: _Current, index: tantivy.Index) -> None:
        writer = self._writer(index)
        # Read again now that nobody else can write: another process may have caught up meanwhile.
        fresh = self._read_current(store)
        if fresh is None or fresh.folder != current.folder:
            raise ValueError("the index was replaced meanwhile")
        current = fresh
        self._write(writer, store.rows(after=current.change), current, replaces=True)
        index.reload()

    def _rebuild(self, store: Store) -> tantivy.Index:
        current = _Current(format=FORMAT, catalog=store.catalog_id, folder=uuid4().hex[:12], change=0)
        target = self._folder / current.folder
        target.mkdir(parents=True)
        index = tantivy.Index(self._schema, path=str(target))
        index.config_reader("manual")
        self._write(index.writer(_REBUILD_HEAP_BYTES, 1), store.rows(), current, replaces=False)
        index.reload()
        self._remove_abandoned(target)
        return index

    def _remove_abandoned(self, kept: Path) -> None:
        """Not the young ones: another process may be building one."""
        for folder in self._folder.iterdir():
            if folder.is_dir() and folder != kept and folder.stat().st_mtime < time.time() - _ABANDONED_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)

    def _write(
        self, writer: tantivy.IndexWriter, rows: Iterable[tuple[int, int, Row]], current: _Current, *, replaces: bool
    ) -> None:
        change = current.change
        for row_id, latest, row in rows:
            change = latest
            if replaces:
                writer.delete_documents_by_term("id", str(row_id))
            writer.add_document(finding.document(row_id, row, self._schema))
        writer.commit()
        # Before the writer lets go of its lock, so that two processes' numbers can't cross.
        self._point_to(_Current(**asdict(current) | {"change": change}))
        writer.wait_merging_threads()

    def _writer(self, index: tantivy.Index) -> tantivy.IndexWriter:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                return index.writer(_HEAP_BYTES, 1)
            except ValueError as error:
                if "LockBusy" not in str(error):
                    raise
                if time.monotonic() > deadline:
                    raise IndexBusy(str(error)) from error
            time.sleep(0.02)

    def _point_to(self, current: _Current) -> None:
        fresh = self._pointer.with_name(f"{uuid4().hex[:12]}.tmp")
        fresh.write_text(json.dumps(asdict(current)))
        fresh.replace(self._pointer)

    @property
    def _pointer(self) -> Path:
        return self._folder / "current.json"
