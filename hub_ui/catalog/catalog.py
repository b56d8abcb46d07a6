"""The catalog of every LoRA that the hubs have listed so far.

Each hub response adds its LoRAs. They can be fetched by ref and searched offline.
"""

import hashlib
import os
import threading
from collections.abc import Hashable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from operator import attrgetter
from pathlib import Path
from typing import Self

import tantivy
from cachetools import LRUCache, cachedmethod

from connectors.claims.resolve import flatten
from connectors.errors import NotFound
from connectors.query import Query
from connectors.record import NSFW_LEVELS, Claim, Lora, Nsfw, Record, WeightFile, check_shown, within
from connectors.ref import Ref
from hub_ui.base.database import timestamp
from hub_ui.catalog.changes import change, decode, pieces, read
from hub_ui.catalog.index import Index, IndexState
from hub_ui.catalog.index_search import Found, count, page, values, with_rings
from hub_ui.catalog.row import fold_name, record_for_bases, row_of
from hub_ui.catalog.search import NO_MARKS, Listing, Marks, Plan, facets, plan
from hub_ui.catalog.similar import Similar, find_similar, is_about
from hub_ui.catalog.store import CatalogStats, Home, Store
from hub_ui.catalog.writing import Key, key, twin

# The LoRAs of one transaction. All of them are in memory, and other processes wait for the transaction to end.
_BATCH = 1_000
_MOST_LISTINGS = 200
_MOST_COUNTS = 128


def _without_searcher(_catalog: object, state: IndexState, _searcher: object, wanted: Plan) -> Hashable:
    """Return the cache key of a listing or of its counts. The index state identifies the searcher."""
    return state, wanted


class Catalog(Store):
    """The catalog on disk. It is thread-safe, and several processes may open the same file."""

    def __init__(self, database: Path | str, folder: Path | None) -> None:
        """Open the database and its search index in `folder`, or in a temporary folder if that is None."""
        super().__init__(database)
        self._index = Index(folder)
        self._executor = ThreadPoolExecutor(max(2, os.cpu_count() or 1), "search-index")
        # Caches keyed by the index state, because most visitors open the same few lists, and all pages of a list share
        # its counts.
        self._listings: LRUCache[tuple[IndexState, Plan], Listing] = LRUCache(_MOST_LISTINGS)
        self._counts: LRUCache[tuple[IndexState, Plan], tuple[int, Found]] = LRUCache(_MOST_COUNTS)
        self._listed_lock = threading.Lock()

    @classmethod
    def open(cls, path: Path, database: str = "") -> Self:
        """Open the SQLite file at `path`, or the PostgreSQL `database` at its address.

        The index folder is next to `path` in both cases. A damaged file is renamed and an empty one is created. Raises
        HubUiError if the file can't be created.
        """
        return cls(database or path, path.with_suffix(".index"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_raised: object) -> None:
        self.close()

    def close(self) -> None:
        # Close the store first, so that a running search fails with the message that the catalog is closed.
        super().close()
        self._index.close()
        self._executor.shutdown()

    def add(self, loras: Iterable[Lora], *, found_by: str = "", at: datetime | None = None) -> int:
        """Merge `loras` into the catalog and return how many of them were new or changed (see merge).

        `found_by` is the search text that a hub returned them for. A search here finds them by this text as well, after
        all LoRAs whose own texts match. `at` is the time of the hub's listing: it never replaces values that were
        listed later. Many LoRAs are written in several transactions, so that other processes can write in between.
        """
        changed, found_phrases, time = 0, pieces(found_by), timestamp(at)
        for batch in _batches(loras):
            with self.writing() as writing:
                stored = writing.stored(lora.ref for lora in batch.values())
                later = {lora_key for lora_key, entry in stored.items() if at is not None and entry.seen > time}
                change_of = {
                    lora_key: change(lora, stored.get(lora_key), found_phrases, is_older=lora_key in later)
                    for lora_key, lora in batch.items()
                }
                changes = [each for each in change_of.values() if each is not None]
                writing.put(changes, at)
                unchanged = [lora_key for lora_key in change_of.keys() - later if change_of[lora_key] is None]
                writing.update_seen([stored[lora_key].id for lora_key in unchanged], at)
                changed += len(changes)
        return changed

    def _stored_lora(self, ref: Ref) -> Lora | None:
        document = self.document(ref)
        return read(document) if document is not None else None

    def lora(self, ref: Ref) -> Lora:
        """Return the LoRA that `ref` or its version belongs to. Raises NotFound, or Withheld."""
        document = self.document(ref)
        if document is None:
            raise not_found(ref)
        return check_shown(decode(document))

    def find(self, ref: Ref) -> Lora | None:
        """Return the LoRA of `ref`, or None if it is unknown or withheld."""
        with suppress(NotFound):
            return self.lora(ref)
        return None

    def file(self, ref: Ref) -> WeightFile:
        """Return the file of `ref`, or the main file of its version or of the default version. Raises NotFound."""
        _, file = self.lora(ref).resolve(ref)
        if file is None:
            raise not_found(ref)
        return file

    def mark_removed(self, ref: Ref) -> None:
        """Mark a LoRA as removed from its hub, so that it stays findable. Mark only the version if `ref` has one."""
        lora = self._stored_lora(ref)
        if lora is None:
            return
        if ref.version is None:
            lora = replace(lora, access="removed")
        else:
            versions = (replace(v, access="removed") if v.ref.version == ref.version else v for v in lora.versions)
            lora = replace(lora, versions=tuple(versions))
        # Not self.add: VisitorCatalog adds for one visitor, but the removal concerns all of them.
        Catalog.add(self, [lora])

    def withhold(self, refs: Iterable[Ref]) -> None:
        """Mark known LoRAs as withheld, because their hub says that they show a minor.

        Only the mark and the hashes of a withheld LoRA are kept.
        """
        mark = Claim(field="minor", value=True, source="hub", where="minor")
        known = filter(None, map(self._stored_lora, refs))
        self.add([Lora(ref=lora.ref, title="", url=lora.url, nsfw="explicit", claims=(mark,)) for lora in known])

    def also_on(self, ref: Ref) -> tuple[Record, ...]:
        """Return LoRAs of the same creator and title on other hubs that don't share a file with this one."""
        known = self._stored_lora(ref)
        number = twin(known) if known else None
        if known is None or number is None:
            return ()
        others = filter(None, map(read, self.twins_of(number, known.ref)))
        return tuple(flatten(lora) for lora in others if lora.hub != known.hub and not lora.is_withheld)

    def stats(self) -> CatalogStats:
        stats, indexed = super().stats(), self._index.change(self)
        return stats if indexed is None else replace(stats, index="current" if indexed == stats.change else "behind")

    def search(self, query: Query, marks: Marks = NO_MARKS, *, offset: int = 0, now: datetime | None = None) -> Listing:
        """Return one page of results, without images above the query's level.

        `offset` is the position of the first result. A base filter also selects the file of each Record. The query's
        `age` is relative to `now`.
        """
        first, limit = max(0, offset), max(1, query.limit)
        listing = self.listing(replace(query, limit=first + limit), marks, now)
        ids = listing.ids[first:]
        return replace(listing, ids=ids, records=tuple(self.cards(ids, query).values()))

    def listing(self, query: Query, marks: Marks = NO_MARKS, now: datetime | None = None) -> Listing:
        """Return the results of `search` as ids instead of records (see `cards`), so thousands can be read at once."""
        wanted = plan(query, marks, now)
        return self._index.run(self, lambda state, searcher: self._list(state, searcher, wanted))

    @cachedmethod(attrgetter("_listings"), _without_searcher, attrgetter("_listed_lock"))
    def _list(self, state: IndexState, searcher: tantivy.Searcher, wanted: Plan) -> Listing:
        ringed = with_rings(searcher, wanted)
        paging = self._executor.submit(page, searcher, ringed)
        # Counts don't depend on the page or the order, so all pages of a list share one cache entry.
        total, found = self._count(state, searcher, replace(ringed, sort="relevance", limit=1))
        ids, rings = paging.result()
        corrected = ringed.rings.corrected if ringed.rings else ""
        return Listing(ids=ids, total=total, facets=facets(found, self.spellings), rings=rings, corrected=corrected)

    @cachedmethod(attrgetter("_counts"), _without_searcher, attrgetter("_listed_lock"))
    def _count(self, state: IndexState, searcher: tantivy.Searcher, ringed: Plan) -> tuple[int, Found]:
        return count(searcher, ringed, self._executor)

    def cards(self, ids: Sequence[int], query: Query) -> dict[int, Record]:
        """Return the cards with these ids as `search` shows them.

        If a LoRA was merged into another card since the search, return that card for its id.
        """
        leads = self.leads(ids)
        homes = self.homes_of(list(dict.fromkeys(leads.values())))
        records = {lead: record for lead, copies in homes.items() if (record := _record(copies, query)) is not None}
        return {number: records[leads[number]] for number in ids if leads.get(number) in records}

    def similar(self, ref: Ref, *, limit: int = 12, nsfw: Nsfw = "soft") -> tuple[Similar, ...]:
        """Return LoRAs that are similar to this one and not for another architecture (see similar.py).

        Raises NotFound.
        """
        row, level = row_of(self.lora(ref)), NSFW_LEVELS.index(nsfw)
        found = self._index.run(self, lambda _, searcher: find_similar(searcher, row, limit=limit, nsfw=level))
        cards = self.cards([number for number, *_ in found], Query(nsfw=nsfw))
        return tuple(
            Similar(record=cards[number], score=score, reason=reason)
            for number, score, reason in found
            if number in cards and (reason != "same subject" or is_about(row, cards[number].title))
        )

    def complete_value(self, field: str, prefix: str) -> tuple[tuple[str, int], ...]:
        """Return folded filter values that begin with `prefix` with their numbers of LoRAs, most frequent first."""
        return self._index.run(self, lambda _, searcher: values(searcher, field, fold_name(prefix)))


def facts_keys(ref: Ref, sha256: str | None) -> tuple[str, ...]:
    """Return the keys under which a file's facts are stored: its SHA-256, if known, and its hashed ref.

    Refs are hashed because the keys of facts are converted to lower case.
    """
    by_ref = f"ref:{hashlib.sha256(str(ref).encode()).hexdigest()}"
    return (sha256, by_ref) if sha256 else (by_ref,)


def _batches(loras: Iterable[Lora]) -> Iterator[dict[Key, Lora]]:
    """Split `loras` into batches by database key. A repeated LoRA begins a new batch."""
    batch: dict[Key, Lora] = {}
    for lora in loras:
        lora_key = key(lora.ref)
        if lora_key in batch or len(batch) == _BATCH:
            yield batch
            batch = {}
        batch[lora_key] = lora
    if batch:
        yield batch


def _record(homes: Sequence[Home], query: Query) -> Record | None:
    """Return the record of the first visible copy on a requested hub, or None without such a copy."""
    loras = [lora for home in homes if (lora := read(home.document)) is not None and not lora.is_withheld]
    shown = next((lora for lora in loras if not query.hubs or lora.hub in query.hubs), None)
    if shown is None:
        return None
    record = record_for_bases(shown, query.bases)
    images = tuple(image for image in record.images if within(image.nsfw, query.nsfw))
    others = tuple(lora.ref for lora in loras if lora is not shown)
    # Most records need no change, and copying one costs as much as the rest of this function.
    is_whole = len(images) == len(record.images) and not others
    return record if is_whole else replace(record, images=images, homes=others)


def not_found(ref: Ref) -> NotFound:
    return NotFound(f"{ref} is not in the catalog. Search for it while its hub can be reached.", hub=ref.hub)
