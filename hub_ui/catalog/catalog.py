"""The catalog of every LoRA that the hubs have listed so far: added as hubs answer, found by ref or by search."""

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
from hub_ui.catalog.similar import Similar, alike, is_about
from hub_ui.catalog.store import CatalogStats, Home, Store
from hub_ui.catalog.writing import Key, key, twin

# LoRAs in one transaction: others wait for it, and all of it is in memory.
_BATCH = 1_000
_MOST_LISTINGS = 200
_MOST_COUNTS = 128


def _without_searcher(_catalog: object, state: IndexState, _searcher: object, wanted: Plan) -> Hashable:
    """What a list or its counts are known by: the index's state says which searcher it was."""
    return state, wanted


class Catalog(Store):
    """Any thread may call any method, and several processes may have the same file open."""

    def __init__(self, database: Path | str, folder: Path | None) -> None:
        """`folder` is that of the search index, which is temporary without one."""
        super().__init__(database)
        self._index = Index(folder)
        self._executor = ThreadPoolExecutor(max(2, os.cpu_count() or 1), "search-index")
        # By the index's state: most people look at the same few lists, and count the same for their pages.
        self._listings: LRUCache[tuple[IndexState, Plan], Listing] = LRUCache(_MOST_LISTINGS)
        self._counts: LRUCache[tuple[IndexState, Plan], tuple[int, Found]] = LRUCache(_MOST_COUNTS)
        self._listed_lock = threading.Lock()

    @classmethod
    def open(cls, path: Path, database: str = "") -> Self:
        """The file, or the PostgreSQL `database` by its address; the index stands beside the path either way.

        Raises HubUiError where no file can be made. A damaged one is moved aside and an empty one opened.
        """
        return cls(database or path, path.with_suffix(".index"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_raised: object) -> None:
        self.close()

    def close(self) -> None:
        # The store first: who still searches is told that the catalog is closed.
        super().close()
        self._index.close()
        self._executor.shutdown()

    def add(self, loras: Iterable[Lora], *, found_by: str = "", at: datetime | None = None) -> int:
        """Returns how many were new or said something new. What was known stays where they say less (see merge).

        `found_by` is the text that a hub found them by: it finds them here too, last, where they don't say it. `at` is
        when they were listed: of what was listed later, nothing goes back.
        Many are written in several transactions, so that other processes can write in between.
        """
        changed, found_pieces, time = 0, pieces(found_by), timestamp(at)
        for batch in _batches(loras):
            with self.writing() as writing:
                stored = writing.stored(lora.ref for lora in batch.values())
                later = {place for place, one in stored.items() if at is not None and one.seen > time}
                found = {
                    place: change(lora, stored.get(place), found_pieces, is_older=place in later)
                    for place, lora in batch.items()
                }
                changes = [one for one in found.values() if one is not None]
                writing.put(changes, at)
                writing.update_seen([stored[place].id for place in found.keys() - later if found[place] is None], at)
                changed += len(changes)
        return changed

    def _known(self, ref: Ref) -> Lora | None:
        document = self.document(ref)
        return read(document) if document is not None else None

    def lora(self, ref: Ref) -> Lora:
        """The LoRA that `ref`, or its version, belongs to. Raises NotFound, or Withheld."""
        document = self.document(ref)
        if document is None:
            raise not_found(ref)
        return check_shown(decode(document))

    def find(self, ref: Ref) -> Lora | None:
        """The same; None for what was never seen, and for what nobody is shown."""
        with suppress(NotFound):
            return self.lora(ref)
        return None

    def file(self, ref: Ref) -> WeightFile:
        """The file `ref` names, else the main one of its version or of the default version. Raises NotFound."""
        _, file = self.lora(ref).resolve(ref)
        if file is None:
            raise not_found(ref)
        return file

    def mark_removed(self, ref: Ref) -> None:
        """Its hub no longer has it: it stays findable. Only the version is marked if `ref` names one."""
        lora = self._known(ref)
        if lora is None:
            return
        if ref.version is None:
            lora = replace(lora, access="removed")
        else:
            versions = (replace(v, access="removed") if v.ref.version == ref.version else v for v in lora.versions)
            lora = replace(lora, versions=tuple(versions))
        # For everybody, whoever asked.
        Catalog.add(self, [lora])

    def withhold(self, refs: Iterable[Ref]) -> None:
        """Its hub says now that nobody is to be shown it: of what was known only that is kept."""
        mark = Claim(field="minor", value=True, source="hub", where="minor")
        known = filter(None, map(self._known, refs))
        self.add([Lora(ref=lora.ref, title="", url=lora.url, nsfw="explicit", claims=(mark,)) for lora in known])

    def also_on(self, ref: Ref) -> tuple[Record, ...]:
        """LoRAs with the same creator and title on other hubs, with other bytes."""
        known = self._known(ref)
        number = twin(known) if known else None
        if known is None or number is None:
            return ()
        found = filter(None, map(read, self.twins_of(number, known.ref)))
        return tuple(flatten(lora) for lora in found if lora.hub != known.hub and not lora.is_withheld)

    def stats(self) -> CatalogStats:
        stats, indexed = super().stats(), self._index.change(self)
        return stats if indexed is None else replace(stats, index="current" if indexed == stats.change else "behind")

    def search(self, query: Query, marks: Marks = NO_MARKS, *, offset: int = 0, now: datetime | None = None) -> Listing:
        """One page from `offset` on, without images above the query's level. A base filter picks each Record's file.

        The query's `age` is counted from `now`.
        """
        first, limit = max(0, offset), max(1, query.limit)
        found = self.listing(replace(query, limit=first + limit), marks, now)
        ids = found.ids[first:]
        return replace(found, ids=ids, records=tuple(self.cards(ids, query).values()))

    def listing(self, query: Query, marks: Marks = NO_MARKS, now: datetime | None = None) -> Listing:
        """The same list as the numbers of its cards (see `cards`): thousands of them are read at once."""
        wanted = plan(query, marks, now)
        return self._index.ask(self, lambda state, searcher: self._list(state, searcher, wanted))

    @cachedmethod(attrgetter("_listings"), _without_searcher, attrgetter("_listed_lock"))
    def _list(self, state: IndexState, searcher: tantivy.Searcher, wanted: Plan) -> Listing:
        ringed = with_rings(searcher, wanted)
        paging = self._executor.submit(page, searcher, ringed)
        # Counts depend on no page and no order.
        total, found = self._count(state, searcher, replace(ringed, sort="relevance", limit=1))
        ids, rings = paging.result()
        corrected = ringed.rings.corrected if ringed.rings else ""
        return Listing(ids=ids, total=total, facets=facets(found, self.spellings), rings=rings, corrected=corrected)

    @cachedmethod(attrgetter("_counts"), _without_searcher, attrgetter("_listed_lock"))
    def _count(self, state: IndexState, searcher: tantivy.Searcher, ringed: Plan) -> tuple[int, Found]:
        return count(searcher, ringed, self._executor)

    def cards(self, ids: Sequence[int], query: Query) -> dict[int, Record]:
        """The cards with these numbers, as `search` shows them.

        A LoRA that is on another's card by now is shown as that card.
        """
        leads = self.leads(ids)
        homes = self.homes_of(list(dict.fromkeys(leads.values())))
        records = {lead: record for lead, some in homes.items() if (record := _record(some, query)) is not None}
        return {number: records[leads[number]] for number in ids if leads.get(number) in records}

    def similar(self, ref: Ref, *, limit: int = 12, nsfw: Nsfw = "soft") -> tuple[Similar, ...]:
        """LoRAs that share much with this one (see similar.py), none of them for another architecture.

        Raises NotFound.
        """
        row, level = row_of(self.lora(ref)), NSFW_LEVELS.index(nsfw)
        found = self._index.ask(self, lambda _, searcher: alike(searcher, row, limit=limit, nsfw=level))
        cards = self.cards([number for number, *_ in found], Query(nsfw=nsfw))
        return tuple(
            Similar(record=cards[number], score=score, reason=reason)
            for number, score, reason in found
            if number in cards and (reason != "same subject" or is_about(row, cards[number].title))
        )

    def complete_value(self, field: str, prefix: str) -> tuple[tuple[str, int], ...]:
        """Values of a filter that begin with `prefix`, folded, with how many LoRAs have each, most frequent first."""
        return self._index.ask(self, lambda _, searcher: values(searcher, field, fold_name(prefix)))


def facts_keys(ref: Ref, sha256: str | None) -> tuple[str, ...]:
    """The keys of a file's facts: its SHA-256, or its ref, hashed because keys don't tell letter case apart."""
    by_ref = f"ref:{hashlib.sha256(str(ref).encode()).hexdigest()}"
    return (sha256, by_ref) if sha256 else (by_ref,)


def _batches(loras: Iterable[Lora]) -> Iterator[dict[Key, Lora]]:
    """By what names them in the table. One that comes again begins a new batch."""
    batch: dict[Key, Lora] = {}
    for lora in loras:
        place = key(lora.ref)
        if place in batch or len(batch) == _BATCH:
            yield batch
            batch = {}
        batch[place] = lora
    if batch:
        yield batch


def _record(homes: Sequence[Home], query: Query) -> Record | None:
    """A card as the first of its homes shows it, on one of the hubs that are asked for."""
    loras = [lora for home in homes if (lora := read(home.document)) is not None and not lora.is_withheld]
    shown = next((lora for lora in loras if not query.hubs or lora.hub in query.hubs), None)
    if shown is None:
        return None
    record = record_for_bases(shown, query.bases)
    images = tuple(image for image in record.images if within(image.nsfw, query.nsfw))
    others = tuple(lora.ref for lora in loras if lora is not shown)
    # Nothing is left out of most cards, and a copy takes as long as the rest.
    is_whole = len(images) == len(record.images) and not others
    return record if is_whole else replace(record, images=images, homes=others)


def not_found(ref: Ref) -> NotFound:
    return NotFound(f"{ref} is not in the catalog. Search for it while its hub can be reached.", hub=ref.hub)
