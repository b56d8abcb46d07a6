"""The catalog of every LoRA that the hubs have listed so far: added as hubs answer, found by ref or by search."""

import hashlib
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from connectors.claims import base_models
from connectors.errors import HubUiError, NotFound
from connectors.filter import limit_nsfw
from connectors.query import Query
from connectors.record import Lora, Nsfw, WeightFile, within
from connectors.ref import Ref
from hub_ui.catalog import search
from hub_ui.catalog.codec import decode, encode
from hub_ui.catalog.index import Index, IndexBroken, IndexBusy
from hub_ui.catalog.merge import merge
from hub_ui.catalog.row import UNDER, record_for_bases
from hub_ui.catalog.search import BaseCount, Counts, Facets, SearchResult, plan
from hub_ui.catalog.store import Store

_LOG = logging.getLogger(__name__)


class Catalog:
    """Any thread may call any method, and several processes may have the same file open."""

    def __init__(self, store: Store, index: Index | None) -> None:
        """Without an index every search looks at every row: the same answers, slower."""
        self._store = store
        self._index = index

    @classmethod
    def open(cls, path: Path) -> Self:
        """Raises HubUiError where no file can be made. A damaged one is moved aside and an empty one opened."""
        return cls(Store(path), Index(path.with_suffix(".index")))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._store.close()

    def add(self, loras: Iterable[Lora], *, at: datetime | None = None) -> int:
        """Returns how many were new or said something new. What was known stays where they say less (see merge)."""
        given = tuple(loras)
        changed = 0
        if given:
            with self._store.writing() as writing:
                for lora in given:
                    stored = writing.document(lora.ref)
                    known = _decode(stored)
                    document = encode(merged := merge(known, lora) if known else lora)
                    if document == stored:
                        writing.update_seen(lora.ref, at)
                    else:
                        writing.put(merged, document, at)
                        changed += 1
        return changed

    def complete(self, loras: Iterable[Lora], ceiling: Nsfw) -> tuple[Lora, ...]:
        """Listed `loras`, once added, with all that is known of them up to `ceiling`: a list says less than a page."""
        documents = ((lora, self._store.document(lora.ref)) for lora in loras)
        return limit_nsfw((decode(document) if document else lora for lora, document in documents), ceiling)

    def lora(self, ref: Ref) -> Lora:
        """The LoRA that `ref`, or its version, belongs to. Raises NotFound."""
        document = self._store.document(ref)
        if document is None:
            raise _not_found(ref)
        return decode(document)

    def file(self, ref: Ref) -> WeightFile:
        """The file `ref` names, else the main one of its version or of the default version. Raises NotFound."""
        _, file = self.lora(ref).resolve(ref)
        if file is None:
            raise _not_found(ref)
        return file

    def by_sha256(self, sha256: str) -> tuple[Ref, ...]:
        """Every file with these bytes, first seen first."""
        return self._store.refs_of(sha256.lower())

    def mark_removed(self, ref: Ref) -> None:
        """Its hub no longer has it: it stays findable. Only the version is marked if `ref` names one."""
        with self._store.writing() as writing:
            lora = _decode(writing.document(ref))
            if lora is None:
                return
            if ref.version is None:
                lora = replace(lora, access="removed")
            else:
                versions = (replace(v, access="removed") if v.ref.version == ref.version else v for v in lora.versions)
                lora = replace(lora, versions=tuple(versions))
            writing.put(lora, encode(lora))

    def remember_facts(self, sha256: str, facts_json: str) -> None:
        with self._store.writing() as writing:
            writing.put_facts(sha256.lower(), facts_json)

    def facts(self, sha256: str) -> str | None:
        return self._store.facts(sha256.lower())

    def search(self, query: Query, *, offset: int = 0) -> SearchResult:
        """One page from `offset` on, without images above the query's level. A base filter picks each Record's file."""
        wanted, hits = plan(query, offset), None
        if self._index is not None:
            try:
                hits = self._index.find(self._store, wanted)
            except IndexBusy:
                _LOG.info("Another process is writing the search index; this search goes without it.")
            except IndexBroken as error:
                _LOG.warning("No search index can be kept here (%s); searches go on without it, slower.", error)
                self._index = None
        if hits is None:
            phrases = search.phrases(wanted)
            hits = search.find(() if phrases is None else self._store.rows_with(phrases), wanted)
        documents = self._store.documents(hits.ids)
        loras = filter(None, (_decode(documents.get(row_id)) for row_id in hits.ids))
        records = (record_for_bases(lora, query.bases) for lora in loras)
        counts = hits.counts
        return SearchResult(
            records=tuple(
                replace(record, images=tuple(image for image in record.images if within(image.nsfw, query.nsfw)))
                for record in records
            ),
            total=hits.total,
            facets=Facets(
                hubs=_most_first(counts.hubs),
                bases=_bases(counts, self._store.spellings),
                kinds=_most_first(counts.kinds),
                ranks=dict(sorted(counts.ranks.items())),
                licenses=_most_first(counts.licenses),
            ),
        )


def facts_keys(ref: Ref, sha256: str | None) -> tuple[str, ...]:
    """The keys of a file's facts: its SHA-256, or its ref, hashed because keys don't tell letter case apart."""
    by_ref = f"ref:{hashlib.sha256(str(ref).encode()).hexdigest()}"
    return (sha256, by_ref) if sha256 else (by_ref,)


def _decode(document: str | None) -> Lora | None:
    """None for an entry that can't be read. It is replaced when its LoRA is added again."""
    try:
        return None if document is None else decode(document)
    except HubUiError as error:
        _LOG.warning("%s", error.message)
        return None


def _not_found(ref: Ref) -> NotFound:
    return NotFound(f"{ref} is not in the catalog. Search for it while its hub can be reached.", hub=ref.hub)


def _most_first(counts: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))


def _bases(counts: Counts, spellings: Callable[[Sequence[str]], Mapping[str, str]]) -> tuple[BaseCount, ...]:
    """The tree of base models. One that is in no table is labelled with a spelling of its hub."""
    tree: dict[str, list[str]] = {}
    for group in sorted(counts.groups):
        top, _, child = group.partition(UNDER)
        children = tree.setdefault(top, [])
        # As a filter, an id that an architecture and a base model share means the whole architecture.
        if child and child != top:
            children.append(child)
    labels = {id_: base_models.architecture_label(id_) for id_ in base_models.ARCHITECTURES}
    ids = {*tree, *(child for children in tree.values() for child in children)} - {*labels, ""}
    labels |= {id_: base_models.label(id_) for id_ in ids if base_models.by_id(id_)}
    labels |= spellings(sorted(ids - {*labels}))

    def count(id_: str, children: Iterable[str] = ()) -> BaseCount:
        label = labels.get(id_, id_)
        return BaseCount(id=id_, label=label, count=counts.keys[id_], children=most_first(map(count, children)))

    def most_first(bases: Iterable[BaseCount]) -> tuple[BaseCount, ...]:
        return tuple(sorted(bases, key=lambda base: (-base.count, base.label, base.id)))

    return most_first(count(top, children) for top, children in tree.items())
