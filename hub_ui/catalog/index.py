"""The Tantivy index: fast search over what SQLite holds, brought up to date by asking SQLite what changed.

The folder holds one subfolder with the index proper, and `current.json`, which says which subfolder that is, of which
catalog, and up to which change. A rebuild goes to a new subfolder and replaces `current.json` last, so a reader of
another process never sees half an index, and whatever is wrong with the old one does not matter.

Tantivy raises ValueError for nearly everything, damage and a busy lock included.
"""

import json
import logging
import re
import shutil
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

import tantivy
from tantivy import Occur, Order

from hub_ui.catalog.row import Row, Terms
from hub_ui.catalog.search import FACETS, PLACES, SORT_FIELD, Counts, Facet, Hits, Place, Plan, phrases_at
from hub_ui.catalog.store import Store

_LOG = logging.getLogger(__name__)
# Raise it whenever the schema, a row's words or the order keys change: an index of another format is rebuilt.
FORMAT = 2
_BUSY_SECONDS = 2.0
_ATTEMPTS = 3
_ABANDONED_SECONDS = 3_600
_FOLDER = re.compile(r"[0-9a-f]{12}")
_HEAP_BYTES = 15_000_000
_REBUILD_HEAP_BYTES = 64_000_000
# Buckets of a facet: more than there are base models and licence names.
_MAX_BUCKETS = 10_000
# An order key is the number to sort by, then the inverted row id: equal numbers keep the order of their ids.
_ID_BITS = 26
_ID_MASK = (1 << _ID_BITS) - 1


class IndexBusy(Exception):
    """Another process holds the writer. The next search tries again."""


class IndexBroken(Exception):
    """The index can't be read or written, and rebuilding it did not help."""


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
        self._pointer = folder / "current.json"
        self._lock = threading.Lock()
        self._opened: tuple[_Current, tantivy.Index] | None = None
        self._tried = ""

    def find(self, store: Store, plan: Plan) -> Hits:
        """Sees everything that was added before the call. Raises IndexBusy or IndexBroken."""
        reason = ""
        for _ in range(_ATTEMPTS):
            try:
                return _find(self._searcher(store), plan)
            except (ValueError, OSError) as error:
                reason = str(error)
                with self._lock, suppress(OSError, ValueError, KeyError, TypeError):
                    self._opened = None
                    # The subfolder that failed is not used again, unless another process has replaced it already.
                    current = json.loads(self._pointer.read_bytes())["folder"]
                    if _FOLDER.fullmatch(self._tried) and current == self._tried:
                        _LOG.warning("The search index is damaged (%s) and is rebuilt.", reason)
                        self._pointer.unlink()
                        shutil.rmtree(self._folder / self._tried, ignore_errors=True)
        raise IndexBroken(reason)

    def change(self, store: Store) -> int | None:
        """Up to which change it has everything; None where there is none yet."""
        current = self._read_current(store)
        return current.change if current else None

    def _searcher(self, store: Store) -> tantivy.Searcher:
        """Brings the index up to date if there is something new, one thread at a time."""
        with self._lock:
            current = self._read_current(store)
            self._tried = current.folder if current else ""
            if current is None:
                return self._rebuild(store).searcher()
            if self._opened is None or self._opened[0].folder != current.folder:
                index = tantivy.Index.open(str(self._folder / current.folder))
                index.config_reader("manual")
            else:
                index = self._opened[1]
                if self._opened[0].change != current.change:
                    index.reload()
            self._opened = (current, index)
            if current.change < store.change():
                self._catch_up(store, current, index)
            return index.searcher()

    def _read_current(self, store: Store) -> _Current | None:
        """None where the index is missing, unreadable, of another format or catalog, or ahead of a restored SQLite."""
        try:
            current = _Current(**json.loads(self._pointer.read_bytes()))
            # The folder is removed once it is damaged, so a name that leads elsewhere must never count.
            ours = _FOLDER.fullmatch(current.folder) and (current.format, current.catalog) == (FORMAT, store.catalog_id)
        except (OSError, ValueError, TypeError):
            return None
        return current if ours and current.change <= store.change() else None

    def _catch_up(self, store: Store, current: _Current, index: tantivy.Index) -> None:
        deadline = time.monotonic() + _BUSY_SECONDS
        while True:
            try:
                writer = index.writer(_HEAP_BYTES, 1)
                break
            except ValueError as error:
                if "LockBusy" not in str(error):
                    raise
                if time.monotonic() > deadline:
                    raise IndexBusy(str(error)) from error
            time.sleep(0.02)
        # Read again now that nobody else can write: another process may have caught up meanwhile.
        fresh = self._read_current(store)
        if fresh is None or fresh.folder != current.folder:
            raise ValueError("the index was replaced meanwhile")
        self._write(writer, store.rows(after=fresh.change), fresh, replace=True)
        index.reload()

    def _rebuild(self, store: Store) -> tantivy.Index:
        current = _Current(format=FORMAT, catalog=store.catalog_id, folder=uuid4().hex[:12], change=0)
        target = self._folder / current.folder
        target.mkdir(parents=True)
        index = tantivy.Index(_schema(), path=str(target))
        index.config_reader("manual")
        self._write(index.writer(_REBUILD_HEAP_BYTES, 1), store.rows(), current, replace=False)
        index.reload()
        for folder in self._folder.iterdir():
            # Not the young ones: another process may be building one.
            if folder.is_dir() and folder != target and folder.stat().st_mtime < time.time() - _ABANDONED_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)
        return index

    def _write(
        self,
        writer: tantivy.IndexWriter,
        rows: Iterable[tuple[int, int, Row | None]],
        current: _Current,
        *,
        replace: bool,
    ) -> None:
        change = current.change
        for row_id, latest, row in rows:
            change = latest
            if replace:
                writer.delete_documents_by_term("id", str(row_id))
            if row is not None:
                writer.add_document(_document(row_id, row))
        writer.commit()
        # Before the writer lets go of its lock, so that two processes' numbers can't cross.
        new = self._pointer.with_name(f"{uuid4().hex[:12]}.tmp")
        new.write_text(json.dumps(asdict(current) | {"change": change}))
        new.replace(self._pointer)
        writer.wait_merging_threads()


@cache
def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    for name in PLACES[-1].fields:
        builder.add_text_field(name, tokenizer_name="whitespace")
    for name in ("id", "whole"):
        builder.add_text_field(name, tokenizer_name="raw", index_option="basic")
    for name in ("hub", "kind", "key", "group", "license"):
        builder.add_text_field(name, tokenizer_name="raw", index_option="basic", fast=True)
    for name in ("nsfw", "rank"):
        builder.add_integer_field(name, indexed=True, fast=True)
    for name in sorted(set(SORT_FIELD.values())):
        builder.add_integer_field(name, fast=True)
    return builder.build()


def _document(row_id: int, row: Row) -> tantivy.Document:
    values: dict[str, Any] = {
        "id": str(row_id),
        "whole": row.whole,
        "title": row.title,
        "words": row.words,
        "tag_words": row.tag_words,
        "about": row.about,
        "found": row.found,
        "hub": list(row.hubs),
        "kind": row.kind or [],
        "key": list(row.keys),
        "group": list(row.groups),
        "license": row.license or [],
        "nsfw": row.nsfw,
        "rank": [] if row.rank is None else row.rank,
    }
    orders = {name: (getattr(row, name) << _ID_BITS) | (_ID_MASK - row_id) for name in set(SORT_FIELD.values())}
    return tantivy.Document.from_dict(values | orders, _schema())


def _find(searcher: tantivy.Searcher, plan: Plan) -> Hits:
    matches = _terms_query(plan.terms, PLACES[-1])
    everything = _all_of([matches, *_filters(plan)])
    total = _count(searcher, everything)
    ids: list[int] = []
    skip, limit = plan.offset, min(plan.limit, total - plan.offset)
    # Place after place, each without what the places before it had, until the page is full.
    for query in _queries_in_order(plan, everything):
        if len(ids) >= limit:
            break
        size = total if query is everything else _count(searcher, query)
        if skip < size:
            count = min(limit - len(ids), size - skip)
            found = searcher.search(query, count, False, SORT_FIELD[plan.sort], skip, Order.Desc)
            ids += (_ID_MASK - (key & _ID_MASK) for key, _ in found.hits)
        skip = max(0, skip - size)
    return Hits(ids=tuple(ids), total=total, counts=_counts(searcher, plan, matches, everything))


def _queries_in_order(plan: Plan, everything: tantivy.Query) -> Iterator[tantivy.Query]:
    if plan.terms is None or plan.sort != "relevance":
        yield everything
        return
    before = _term("whole", plan.terms.whole)
    yield _all_of([everything, before])
    for place in PLACES:
        here = _terms_query(plan.terms, place)
        yield tantivy.Query.boolean_query([(Occur.Must, everything), (Occur.Must, here), (Occur.MustNot, before)])
        before = here


def _count(searcher: tantivy.Searcher, query: tantivy.Query) -> int:
    # `count` is missing from tantivy's type stub.
    found: Any = searcher.search(query, 1, True)
    return int(found.count)


def _terms_query(terms: Terms | None, place: Place) -> tantivy.Query:
    if terms is None:
        return tantivy.Query.all_query()

    def query(field: str, phrase: Sequence[str], open_end: bool) -> tantivy.Query:
        if open_end:
            # A word holds letters and digits only (see row.py), so it means itself in a pattern too.
            return tantivy.Query.regex_query(_schema(), field, f"{phrase[0]}.*")
        if len(phrase) == 1:
            return _term(field, phrase[0])
        return tantivy.Query.phrase_query(_schema(), field, list(phrase))

    queries = [_any_of([query(name, *phrase) for name in place.fields]) for phrase in phrases_at(terms, place)]
    return _all_of(queries or [_any_of([])])


def _filters(plan: Plan, *, but: Facet | None = None) -> list[tantivy.Query]:
    levels = _any_of([_term("nsfw", level) for level in range(plan.nsfw + 1)])
    facets = [
        _any_of([_term(facet, value) for value in sorted(plan.filters[facet])])
        for facet in FACETS
        if facet in plan.filters and facet != but
    ]
    return [levels, *facets]


def _term(name: str, value: str | int) -> tantivy.Query:
    return tantivy.Query.term_query(_schema(), name, value, "basic")


def _all_of(queries: Sequence[tantivy.Query]) -> tantivy.Query:
    return tantivy.Query.boolean_query([(Occur.Must, query) for query in queries])


def _any_of(queries: Sequence[tantivy.Query]) -> tantivy.Query:
    return tantivy.Query.boolean_query([(Occur.Should, query) for query in queries])


def _counts(searcher: tantivy.Searcher, plan: Plan, matches: tantivy.Query, everything: tantivy.Query) -> Counts:
    """One pass for all facets without a filter of their own, and one for each that has one."""
    limits = {"size": _MAX_BUCKETS, "segment_size": _MAX_BUCKETS}
    found: dict[str, Mapping[Any, int]] = {}

    def count(query: tantivy.Query, fields: Iterable[str]) -> None:
        answer = searcher.aggregate(query, {field: {"terms": {"field": field, **limits}} for field in fields})
        for field, result in answer.items():
            found[field] = {bucket["key"]: bucket["doc_count"] for bucket in result["buckets"]}

    own = {facet: ("key", "group") if facet == "key" else (facet,) for facet in plan.filters}
    count(everything, {"hub", "kind", "key", "group", "rank", "license"}.difference(*own.values()))
    for facet, fields in own.items():
        count(_all_of([matches, *_filters(plan, but=facet)]), fields)
    return Counts(
        hubs=found["hub"],
        kinds=found["kind"],
        keys=found["key"],
        groups=frozenset(found["group"]),
        ranks={int(rank): number for rank, number in found["rank"].items()},
        licenses=found["license"],
    )
