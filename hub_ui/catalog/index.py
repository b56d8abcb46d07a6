"""The Tantivy index: fast search over the rows of SQLite, updated with the changes since the last search.

The folder contains one subfolder with the index itself, and `current.json`. That file names the subfolder, the catalog,
and the last change that is indexed. A rebuild writes a new subfolder and replaces `current.json` last. So a reader in
another process never sees half an index, and damage to the old one does not matter.

Tantivy stores a list of rows for each word of a text field, so texts that are searched together are one field. A column
is read for every hit, so values that are counted together are one text in one column.

Tantivy raises ValueError for nearly everything, including damage and a busy lock.
"""

import json
import logging
import re
import shutil
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import cache
from itertools import islice
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, TypeVar
from uuid import uuid4

import msgspec
import tantivy
from tantivy import FieldType, Occur

from connectors.errors import HubUiError
from connectors.query import Range
from connectors.record import NSFW_LEVELS
from hub_ui.catalog import relevance
from hub_ui.catalog.row import SEPARATOR, Row, row_terms
from hub_ui.catalog.search import FACETS, FILTERS, MEASURES, ORDERS, number_of_name, order_key, step, tie_breaker
from hub_ui.catalog.store import Store

# Raise the number whenever the schema, a row's words or the order keys change. An index with another format or with
# other filters is rebuilt.
FORMAT = " ".join(("9", *FACETS, *FILTERS))
# Separates a row's keys from its groups in their shared column. No folded name contains it.
GROUPS = "\x1d"
# The text fields. `short` has the title, the words and the tags, `any` has all texts. `own` leaves out the texts of hub
# searches, but only rows with such texts have it: for other rows it would equal `any`.
FIELDS = ("title", "short", "own", "any")
# A value of the field "has".
FOUND = "found"
# Columns for names without a fixed list, and the fields that have the names. These names are counted as numbers,
# several times faster than as texts, because too many LoRAs have a unique combination of them.
NAMES = {f"{key}_number": key for key, field in FILTERS.items() if field.facet and field.facet.most}
# The other counted columns and their facets: texts first, then numbers, some of them rounded to steps.
TEXTS = {
    f"all_{column.name}": column.name
    for key, field in FILTERS.items()
    if key not in NAMES.values()
    for column in field.columns
    if column.name in FACETS
}
STEPS = {f"{name}_step": name for name in MEASURES if name in FACETS and name != "rank"}
COUNTED_NUMBERS = {"rank": "rank", "nsfw": "levels", **STEPS}
_JSON = msgspec.json.Encoder()
# An upper bound for all numbers of a row.
_MOST = 2**40


@cache
def schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    for name in FIELDS:
        builder.add_text_field(name, tokenizer_name="whitespace")
    for name in ("whole", "ref", "has", *FILTERS):
        is_stored = name in NAMES.values()
        builder.add_text_field(name, tokenizer_name="raw", index_option="basic", stored=is_stored)
    for name in NAMES:
        builder.add_unsigned_field(name, indexed=True, fast=True)
    for name in TEXTS:
        builder.add_text_field(name, tokenizer_name="raw", index_option="basic", fast=True)
    for name in ("level", "listed"):
        builder.add_unsigned_field(name, indexed=True)
    # tantivy deletes changed rows by this field. It must be signed, because terms of unsigned fields can't be named.
    builder.add_integer_field("id", indexed=True, fast=True)
    for name in ("nsfw", *STEPS, *MEASURES, *(f"by_{sort}" for sort in ORDERS)):
        builder.add_unsigned_field(name, fast=True)
    return builder.build()


def document(row_id: int, row: Row) -> str:
    """Return a row as JSON for Tantivy.

    Numbers are one more than the row's, with 0 for none, because a column with gaps is slower to count.
    """
    texts = (row.title, row.words, row.tag_words, row.about)
    values: dict[str, Any] = {
        "id": row_id,
        "whole": row.whole,
        "title": texts[0],
        "short": texts[:3],
        "any": texts,
        "ref": row.refs,
        "level": relevance.level(row.merit),
        "nsfw": row.nsfw + 1,
        "listed": list(range(row.nsfw, len(NSFW_LEVELS))),
        "newest": row.newest,
    }
    if found_text := row.found.strip():
        values |= {"own": texts, "any": (*texts, found_text), "has": FOUND}
    for key, field in FILTERS.items():
        values[key] = row_terms(field, row.names)
    for column, key in NAMES.items():
        values[column] = [number_of_name(each) for each in values[key]]
    for column, name in TEXTS.items():
        values[column] = SEPARATOR.join(row.names[name])
    # Combine all values into one text, because many LoRAs share the same combination.
    values["all_keys"] = SEPARATOR.join((*row.names["keys"], GROUPS, *row.groups))
    for name, number in row.numbers.items():
        values[name] = 0 if number is None else number + 1
    for column, name in STEPS.items():
        values[column] = step(name, number - 1) + 1 if (number := values[name]) else 0
    tie_bits = tie_breaker(row.refs[0])
    for sort, (name, bits) in ORDERS.items():
        values[f"by_{sort}"] = order_key(getattr(row, name), bits, tie_bits)
    return _JSON.encode(values).decode()


def number_of(searcher: tantivy.Searcher, query: tantivy.Query) -> int:
    # `count` is missing from tantivy's type stubs.
    found: Any = searcher.search(query, 1, True)
    return int(found.count)


def phrase(field: str, words: Sequence[str], *, open_end: bool = False) -> tantivy.Query:
    if open_end:
        # A fuzzy query of distance 0 finds the words with this beginning. It is as fast as a regular expression, which
        # takes time to compile.
        return tantivy.Query.fuzzy_term_query(schema(), field, words[0], distance=0, prefix=True)
    if len(words) == 1:
        return term(field, words[0])
    return tantivy.Query.phrase_query(schema(), field, list(words))


def number_in(name: str, range: Range) -> tantivy.Query:
    """Match rows whose number is in the range. Columns hold the number plus one, with 0 for none."""
    least = max(range.least or 0, 0) + 1
    most = _MOST if range.most is None else min(range.most, _MOST) + 1
    if most < least:
        return tantivy.Query.empty_query()
    return tantivy.Query.range_query(schema(), name, FieldType.Unsigned, least, most)


def scored(query: tantivy.Query, points: int) -> tantivy.Query:
    """Give each match of `query` this many points. A score is a 32-bit float, exact up to 24 bits."""
    return tantivy.Query.const_score_query(query, float(points))


def any_of_values(name: str, values: Collection[Any]) -> tantivy.Query:
    if not values:
        return tantivy.Query.empty_query()
    if len(values) == 1:
        return term(name, next(iter(values)))
    return tantivy.Query.term_set_query(schema(), name, list(values))


def term(name: str, value: str | int) -> tantivy.Query:
    return tantivy.Query.term_query(schema(), name, value, "basic")


def all_of(queries: Sequence[tantivy.Query], *, none: Sequence[tantivy.Query] = ()) -> tantivy.Query:
    """Match rows that match all `queries` and none of `none`."""
    if len(queries) == 1 and not none:
        return queries[0]
    if not queries:
        return tantivy.Query.all_query()
    parts = [(Occur.Must, query) for query in queries]
    return tantivy.Query.boolean_query([*parts, *((Occur.MustNot, query) for query in none)])


def any_of(queries: Sequence[tantivy.Query]) -> tantivy.Query:
    """Match rows that match at least one of `queries`. Without queries, match no row."""
    if len(queries) == 1:
        return queries[0]
    return tantivy.Query.boolean_query([(Occur.Should, query) for query in queries])


_LOG = logging.getLogger(__name__)
_T = TypeVar("_T")
_BUSY_SECONDS = 2.0
_ATTEMPTS = 3
_ABANDONED_SECONDS = 3_600
_FOLDER = re.compile(r"[0-9a-f]{12}")
_HEAP_BYTES = 15_000_000
# One thread is as fast as the reader that feeds it documents. The writer writes a segment whenever this memory is full,
# and tantivy merges 8 similar segments, which costs an eighth of the whole time. A million LoRAs are 7 segments.
_REBUILD_HEAP_BYTES = 240_000_000
# Keep the writer this long after its last use, because a new one can't be opened while the old one merges segments.
_KEEP_SECONDS = 1.0
# Batches of this size are sorted by base, kind and level. Filters then skip blocks of other rows and take a third of
# the time.
_TOGETHER = 2_000


class _IndexBusy(Exception):
    """Another process has the writer. The next search tries again."""


@dataclass(frozen=True, kw_only=True, slots=True)
class IndexState:
    """The index in `folder` contains every change of `catalog` up to `change`."""

    format: str
    catalog: str
    folder: str
    change: int


class Index:
    """The search index. It is thread-safe."""

    def __init__(self, folder: Path | None) -> None:
        """Use `folder` for the index, or a temporary folder until `close` if it is None or not writable."""
        self._lock = threading.Lock()
        self._tried = ""
        self._release = threading.Timer(0, self._release_writer)
        self._temporary: Path | None = None
        self._begin(folder)

    def _begin(self, folder: Path | None) -> None:
        if folder is None:
            folder = self._temporary = Path(mkdtemp(prefix="hub-ui-index-"))
        self._folder, self._pointer = folder, folder / "current.json"
        self._opened: tuple[IndexState, tantivy.Index] | None = None
        self._writer: tuple[str, tantivy.IndexWriter] | None = None

    def close(self) -> None:
        """Wait for running merges, then delete the index if it is temporary."""
        self._release.cancel()
        self._release_writer()
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)

    def run(self, store: Store, search: Callable[[IndexState, tantivy.Searcher], _T]) -> _T:
        """Call `search` with a searcher that sees every earlier change, and return its result.

        If another process is updating the index just now, its changes may be missing. Raises HubUiError.
        """
        folder, reason = self._folder, ""
        for _ in range(_ATTEMPTS):
            try:
                return search(*self._searcher(store))
            except (ValueError, OSError) as error:
                reason = str(error)
                with self._lock, suppress(OSError, ValueError, KeyError, TypeError):
                    self._opened = self._writer = None
                    # Discard the damaged subfolder, unless another process has replaced it already.
                    current = json.loads(self._pointer.read_bytes())["folder"]
                    if _FOLDER.fullmatch(self._tried) and current == self._tried:
                        _LOG.warning("The search index is damaged (%s) and is rebuilt.", reason)
                        self._pointer.unlink()
                        shutil.rmtree(self._folder / self._tried, ignore_errors=True)
        message = f"The search index in {folder} can't be used ({reason}). Check that it can be written."
        with self._lock:
            # Another thread may have switched to a temporary folder already.
            if self._folder == folder:
                if self._temporary is not None:
                    raise HubUiError(message)
                _LOG.warning("No search index can be kept here (%s) It is made anew with each start.", message)
                self._begin(None)
        return self.run(store, search)

    def change(self, store: Store) -> int | None:
        """Return the last change that is indexed, or None if there is no index yet."""
        current = self._read_current(store)
        return current.change if current else None

    def _searcher(self, store: Store) -> tuple[IndexState, tantivy.Searcher]:
        """Update the index if there are changes and return a searcher. One thread at a time updates."""
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

    def _read_current(self, store: Store) -> IndexState | None:
        """Return the state of the index, or None if it must be rebuilt.

        That is the case if it is missing, unreadable, of another format or catalog, or newer than a restored database.
        """
        try:
            current = IndexState(**json.loads(self._pointer.read_bytes()))
            # A damaged folder is deleted, so refuse a name that is a path to another place.
            ours = _FOLDER.fullmatch(current.folder) and (current.format, current.catalog) == (FORMAT, store.catalog_id)
        except (OSError, ValueError, TypeError):
            return None
        return current if ours and current.change <= store.change() else None

    def _catch_up(self, store: Store, current: IndexState, index: tantivy.Index) -> IndexState:
        self._release.cancel()
        if self._writer is None or self._writer[0] != current.folder:
            self._writer = None
            self._writer = (current.folder, _open_writer(index))
        # Read again with the lock of the writer, because another process may have updated the index before.
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
        with self._lock:
            kept, self._writer = self._writer, None
        if kept is not None:
            kept[1].wait_merging_threads()

    def _rebuild(self, store: Store) -> tuple[IndexState, tantivy.Index]:
        current = IndexState(format=FORMAT, catalog=store.catalog_id, folder=uuid4().hex[:12], change=0)
        target = self._folder / current.folder
        target.mkdir(parents=True)
        index = tantivy.Index(schema(), path=str(target))
        index.config_reader("manual")
        writer = index.writer(_REBUILD_HEAP_BYTES, 1)
        current = self._write(writer, store.rows(), current, replaces=False)
        writer.wait_merging_threads()
        index.reload()
        for folder in self._folder.iterdir():
            # Skip recent folders: another process may be building an index there.
            if folder.is_dir() and folder != target and folder.stat().st_mtime < time.time() - _ABANDONED_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)
        return current, index

    def _write(
        self,
        writer: tantivy.IndexWriter,
        rows: Iterable[tuple[int, int, Row | None]],
        current: IndexState,
        *,
        replaces: bool,
    ) -> IndexState:
        change = current.change
        for row_id, latest, row in sort_batches(rows):
            change = latest
            if replaces:
                writer.delete_documents_by_term("id", row_id)
            if row is not None:
                writer.add_json(document(row_id, row))
        writer.commit()
        written = replace(current, change=change)
        # Write the state while the writer holds its lock, so that two processes can't overwrite each other's number.
        new = self._pointer.with_name(f"{uuid4().hex[:12]}.tmp")
        new.write_text(json.dumps(asdict(written)))
        new.replace(self._pointer)
        return written


def sort_batches(rows: Iterable[tuple[int, int, Row | None]]) -> Iterator[tuple[int, int, Row | None]]:
    """Sort rows in batches by the columns of common filters, and yield each with the last change of its batch."""
    left = iter(rows)
    while some := list(islice(left, _TOGETHER)):
        # If a row changed while it was read, it occurs twice: use the later one.
        latest = {row_id: row for row_id, _, row in some}
        for row_id, row in sorted(latest.items(), key=_filtered_by):
            yield row_id, some[-1][1], row


def _filtered_by(numbered: tuple[int, Row | None]) -> tuple[Any, ...]:
    row = numbered[1]
    return (row.groups, row.names["kind"], row.nsfw, row.numbers["rank"] or 0) if row else ()


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
