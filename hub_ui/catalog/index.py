"""The Tantivy index: fast search over what SQLite holds, brought up to date by asking SQLite what changed.

The folder holds one subfolder with the index proper, and `current.json`, which says which subfolder that is, of which
catalog, and up to which change. A rebuild goes to a new subfolder and replaces `current.json` last, so a reader of
another process never sees half an index, and whatever is wrong with the old one does not matter.

Tantivy raises ValueError for nearly everything, damage and a busy lock included.
"""

import json
import logging
import os
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import tantivy
from cachetools import LRUCache

from connectors.errors import HubUiError
from hub_ui.catalog import index_facets, index_search
from hub_ui.catalog.index_schema import FORMAT, document, schema
from hub_ui.catalog.search import Counts, Listing, Plan, facets
from hub_ui.catalog.similar import Model
from hub_ui.catalog.store import Store

_LOG = logging.getLogger(__name__)
_T = TypeVar("_T")
# Of a row.
_Columns = Mapping[str, Any]
_BUSY_SECONDS = 2.0
_ATTEMPTS = 3
_ABANDONED_SECONDS = 3_600
_FOLDER = re.compile(r"[0-9a-f]{12}")
_CPUS = os.cpu_count() or 1
_HEAP_BYTES = 15_000_000
# One thread is as fast as what hands it documents. Whenever this is full it writes a part of the index, and 8 alike are
# merged, which takes an eighth of all the time: a million LoRAs are 7.
_REBUILD_HEAP_BYTES = 240_000_000
# The writer is kept for so long after its last use: another one couldn't be had while it merges parts of the index.
_KEEP_SECONDS = 1.0
_MOST_COUNTS = 128
# Of so many rows, those with the same base, kind and level are written one after the other: filters skip all others at
# once, which takes a third of the time.
_TOGETHER = 2_000


class IndexBroken(HubUiError):
    """The index can't be read or written, and rebuilding it did not help."""


class _IndexBusy(Exception):
    """Another process holds the writer. The next search tries again."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Current:
    format: str
    catalog: str
    folder: str
    change: int


class Index:
    """All methods may be called from any thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._pointer = folder / "current.json"
        self._lock = threading.Lock()
        self._opened: tuple[_Current, tantivy.Index] | None = None
        self._tried = ""
        self._writer: tuple[str, tantivy.IndexWriter] | None = None
        self._release = threading.Timer(0, self._release_writer)
        self._executor = ThreadPoolExecutor(max(2, _CPUS), "search-index")
        self._counts: LRUCache[tuple[_Current, Plan], Counts] = LRUCache(_MOST_COUNTS)

    def close(self) -> None:
        """Waits for searches that are running, and for parts of the index that are being merged."""
        self._release.cancel()
        self._release_writer()
        self._executor.shutdown()

    def find(self, store: Store, plan: Plan) -> Listing:
        """Sees everything that was added before the call, unless another process is writing it into the index just now.
        Raises IndexBroken.
        """

        def find(current: _Current, searcher: tantivy.Searcher) -> Listing:
            wanted = index_search.with_rings(searcher, plan)
            # Counts depend on no page and no order.
            key = (current, replace(wanted, sort="relevance", offset=0, limit=1))
            with self._lock:
                known = self._counts.get(key)
            counting = None if known else index_facets.start(searcher, wanted, self._executor)
            ids, rings = index_search.page(searcher, wanted)
            counts = known or (counting() if counting else Counts())
            with self._lock:
                self._counts[key] = counts
            corrected = wanted.rings.corrected if wanted.rings else ""
            shown = facets(counts, store.spellings)
            return Listing(ids=ids, total=counts.total, facets=shown, rings=rings, corrected=corrected)

        return self._search(store, find)

    def similar(self, store: Store, model: Model, *, limit: int, nsfw: int) -> tuple[index_search.Alike, ...]:
        """Rows, most alike first. Raises as `find` does."""
        return self._search(store, lambda _, searcher: index_search.similar(searcher, model, limit=limit, nsfw=nsfw))

    def values(self, store: Store, field: str, prefix: str, *, limit: int) -> tuple[tuple[str, int], ...]:
        """Names that begin with `prefix`, most frequent first. Raises as `find` does."""
        return self._search(store, lambda _, searcher: index_search.values(searcher, field, prefix, limit=limit))

    def _search(self, store: Store, search: Callable[[_Current, tantivy.Searcher], _T]) -> _T:
        reason = ""
        for _ in range(_ATTEMPTS):
            try:
                return search(*self._searcher(store))
            except (ValueError, OSError) as error:
                reason = str(error)
                with self._lock, suppress(OSError, ValueError, KeyError, TypeError):
                    self._opened = self._writer = None
                    # The subfolder that failed is not used again, unless another process has replaced it already.
                    current = json.loads(self._pointer.read_bytes())["folder"]
                    if _FOLDER.fullmatch(self._tried) and current == self._tried:
                        _LOG.warning("The search index is damaged (%s) and is rebuilt.", reason)
                        self._pointer.unlink()
                        shutil.rmtree(self._folder / self._tried, ignore_errors=True)
        raise IndexBroken(f"The search index in {self._folder} can't be used ({reason}). Check that it can be written.")

    def change(self, store: Store) -> int | None:
        """Up to which change it has everything; None where there is none yet."""
        current = self._read_current(store)
        return current.change if current else None

    def _searcher(self, store: Store) -> tuple[_Current, tantivy.Searcher]:
        """Brings the index up to date if there is something new, one thread at a time."""
        with self._lock:
            current = self._read_current(store)
            self._tried = current.folder if current else ""
            if current is None:
                self._opened = self._rebuild(store)
            else:
                if self._opened is None or self._opened[0].folder != current.folder:
                    index = tantivy.Index.open(str(self._folder / current.folder))
                    index.config_reader("manual")
                else:
                    index = self._opened[1]
                    if self._opened[0].change != current.change:
                        index.reload()
                self._opened = (current, index)
                if current.change < store.change():
                    with suppress(_IndexBusy):
                        self._opened = (self._catch_up(store, current, index), index)
            current, index = self._opened
            return current, index.searcher()

    def _read_current(self, store: Store) -> _Current | None:
        """None where the index is missing, unreadable, of another format or catalog, or ahead of a restored SQLite."""
        try:
            current = _Current(**json.loads(self._pointer.read_bytes()))
            # The folder is removed once it is damaged, so a name that leads elsewhere must never count.
            ours = _FOLDER.fullmatch(current.folder) and (current.format, current.catalog) == (FORMAT, store.catalog_id)
        except (OSError, ValueError, TypeError):
            return None
        return current if ours and current.change <= store.change() else None

    def _catch_up(self, store: Store, current: _Current, index: tantivy.Index) -> _Current:
        self._release.cancel()
        if self._writer is None or self._writer[0] != current.folder:
            self._writer = None
            self._writer = (current.folder, _open_writer(index))
        # Read again now that nobody else can write: another process may have caught up meanwhile.
        fresh = self._read_current(store)
        if fresh is None or fresh.folder != current.folder:
            raise ValueError("the index was replaced meanwhile")
        new = self._write(self._writer[1], store.rows(after=fresh.change), fresh, replaces=True)
        index.reload()
        self._release = threading.Timer(_KEEP_SECONDS, self._release_writer)
        self._release.daemon = True
        self._release.start()
        return new

    def _release_writer(self) -> None:
        """Other processes can write once the merges are done that the last changes began."""
        with self._lock:
            kept, self._writer = self._writer, None
        if kept is not None:
            kept[1].wait_merging_threads()

    def _rebuild(self, store: Store) -> tuple[_Current, tantivy.Index]:
        current = _Current(format=FORMAT, catalog=store.catalog_id, folder=uuid4().hex[:12], change=0)
        target = self._folder / current.folder
        target.mkdir(parents=True)
        index = tantivy.Index(schema(), path=str(target))
        index.config_reader("manual")
        writer = index.writer(_REBUILD_HEAP_BYTES, 1)
        current = self._write(writer, store.rows(), current, replaces=False)
        writer.wait_merging_threads()
        index.reload()
        for folder in self._folder.iterdir():
            # Not the young ones: another process may be building one.
            if folder.is_dir() and folder != target and folder.stat().st_mtime < time.time() - _ABANDONED_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)
        return current, index

    def _write(
        self,
        writer: tantivy.IndexWriter,
        rows: Iterable[tuple[int, int, _Columns | None]],
        current: _Current,
        *,
        replaces: bool,
    ) -> _Current:
        change = current.change
        for row_id, latest, row in alike_together(rows):
            change = latest
            if replaces:
                writer.delete_documents_by_term("id", row_id)
            if row is not None:
                writer.add_json(document(row_id, row))
        writer.commit()
        written = replace(current, change=change)
        # Before the writer lets go of its lock, so that two processes' numbers can't cross.
        new = self._pointer.with_name(f"{uuid4().hex[:12]}.tmp")
        new.write_text(json.dumps(asdict(written)))
        new.replace(self._pointer)
        return written


def alike_together(rows: Iterable[tuple[int, int, _Columns | None]]) -> Iterator[tuple[int, int, _Columns | None]]:
    """Some after the other in the order of what is filtered by, each with the change that all of them are up to."""
    left = iter(rows)
    while some := list(islice(left, _TOGETHER)):
        # A row that was changed meanwhile comes again.
        latest = {row_id: row for row_id, _, row in some}
        for row_id, row in sorted(latest.items(), key=_filtered_by):
            yield row_id, some[-1][1], row


def _filtered_by(numbered: tuple[int, _Columns | None]) -> tuple[Any, ...]:
    row = numbered[1]
    return (row["groups"], row["kind"] or "", row["nsfw"], row["rank"] or 0) if row else ()


def _open_writer(index: tantivy.Index) -> tantivy.IndexWriter:
    deadline = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            return index.writer(_HEAP_BYTES, 1)
        except ValueError as error:
            if "LockBusy" not in str(error):
                raise
            if time.monotonic() > deadline:
                raise _IndexBusy(str(error)) from error
        time.sleep(0.02)
