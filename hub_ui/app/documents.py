"""Search and the JSON documents of the command line and the API.

Other programs rely on the names in these documents, so they must not change.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, get_args

import msgspec

from connectors.claims import base_models
from connectors.claims.license import LICENSE_NAMES, Use
from connectors.claims.resolve import record_of, with_header
from connectors.errors import BadQuery, HubUiError, KeyRequired, suggestion
from connectors.federation import SearchResults
from connectors.query import BY_KEY, Query
from connectors.query_language import choices, parse, quote
from connectors.record import Access, Lora, Record, Version, claims_to_json, example_to_json, file_to_json
from connectors.ref import Ref
from connectors.registry import HUBS
from hub_ui.app.services import Services
from hub_ui.app.used_loras import find_searched, words_of_name
from hub_ui.base.json_values import attributes
from hub_ui.catalog.catalog import Catalog
from hub_ui.catalog.rings import name_in, single_words
from hub_ui.catalog.row import words
from hub_ui.catalog.search import RingStart
from hub_ui.generate.result import GenerationResult
from hub_ui.library.lockfile import Entry

MOST_RESULTS = 10_000
# Search hubs for at most this many single words.
_MOST_WORDS = 2
# LoRAs with this access have no file to download.
_NO_FILE: tuple[Access, ...] = ("generation-only", "archived", "removed")


def query_of(text: str, filters: Mapping[str, Sequence[str]], *, limit: int) -> Query:
    """Combine a text and filters into a query. A single value in `filters` overrides the text. Raise BadQuery."""
    terms = [(BY_KEY[key], f"{key}:{quote(value)}") for key, values in filters.items() for value in values]
    list_terms = " ".join(term for field, term in terms if field.form == "list")
    single_terms = " ".join(term for field, term in terms if field.form != "list")
    return parse(single_terms, parse(text, parse(list_terms, Query(limit=max(1, min(limit, MOST_RESULTS))))))


@dataclass(frozen=True, kw_only=True)
class Found:
    """The results of a search. `answered` is set if a hub listed a LoRA. `notes` are sentences about unknown names.

    For `rings` and `corrected` see catalog.search.Listing.
    """

    records: tuple[Record, ...]
    failures: tuple[HubUiError, ...] = ()
    answered: bool = False
    notes: tuple[str, ...] = field(default=())
    rings: tuple[RingStart, ...] = ()
    corrected: str = ""

    def to_json(self) -> dict[str, Any]:
        failures = [
            {"error": error.name, **attributes(error, "hub", "message", "retry_after")} for error in self.failures
        ]
        return {"results": [record.to_json() for record in self.records], "failures": failures}


def search(services: Services, query: Query, text: str = "", *, offline: bool = False, offset: int = 0) -> Found:
    """Search the hubs, add their results to the catalog, and return the catalog's results from `offset` on.

    No request is sent if `offline` is set. `text` is the text of the query. If it names one LoRA, return only that one.
    If the hubs list nothing, search them for `other_words`. Records include the facts of headers that were read
    before; a search reads no headers. Raise BadQuery if no hub failed, nothing was found, and the base model or licence
    is unknown. Raise LimitReached if the visitor's quota is used up.
    """
    services.quotas.spend("searches")
    if ref := find_searched(services, text.strip(), asks=not offline):
        record = record_of(services.lookup.known(ref) if offline else services.lookup.get(ref), ref)
        return Found(records=(record,)[offset:], answered=True)
    if words := words_of_name(text.strip()):
        query = replace(query, text=words, phrases=())
    answer = SearchResults()
    if not offline:
        services.metrics.searches.inc()
        asked = replace(query, limit=offset + query.limit)
        answer = services.lookup.collect(asked)
        for other in () if answer.loras else other_words(services.catalog, asked):
            if not answer.loras:
                answer = replace(services.lookup.collect(replace(asked, text=other)), failures=answer.failures)
    listing = services.catalog.search(query, services.lookup.marks(), offset=offset)
    records = [services.lookup.with_header_facts(record)[0] for record in listing.records]
    mistakes = unknown_values(services.catalog, query, _IN_TABLES)
    if mistakes and not records and all(isinstance(failure, KeyRequired) for failure in answer.failures):
        raise BadQuery(" ".join(mistakes))
    return Found(
        records=tuple(records),
        failures=tuple(answer.failures),
        answered=bool(answer.loras),
        notes=(*unknown_filters(services.catalog, query.text), *unknown_values(services.catalog, query)),
        rings=listing.rings,
        corrected=listing.corrected,
    )


def other_words(catalog: Catalog, query: Query) -> list[str]:
    """Return other texts to search the hubs for, in order, if they list nothing for the query.

    The first is the text without typos, or else the name in it. If no LoRA in the catalog has all words, the longest
    words follow, because some hubs search for the text as a whole.
    """
    listing = catalog.listing(query)
    other = listing.corrected or name_in(query.text)
    has_all = listing.ids and not any(ring.sentence for ring in listing.rings[:1])
    single = [] if has_all else map("".join, single_words(words(other)))
    texts = [other, *sorted(single, key=len, reverse=True)[:_MOST_WORDS]]
    return [text for text in dict.fromkeys(texts) if text != query.text]


# Messages for a filter value that no LoRA in the catalog has.
_UNKNOWN = {
    "base": "No base model is called “{name}”, and no LoRA seen so far was made for it.",
    "license": "“{name}” is no licence known here, and no LoRA seen so far has it.",
    "creator": "No LoRA seen so far is by “{name}”.",
    "tag": "No LoRA seen so far has the tag “{name}”.",
    "trigger": "No LoRA seen so far has the trigger word “{name}”.",
}
_LIKE_FILTER = re.compile(r"(?<!\S)(([^\W\d][\w-]{0,29}):(?!//)\S*)")
# If a search finds nothing, an unknown value of these filters is an error.
_IN_TABLES = ("base", "license")


def unknown_values(catalog: Catalog, query: Query, keys: Iterable[str] = tuple(_UNKNOWN)) -> list[str]:
    """Return a sentence for each filter value that is in no table and on no LoRA in the catalog.

    Call it after the hubs were searched, because they add new values every week.
    """
    sentences = []
    for key in keys:
        field = BY_KEY[key]
        excluded = (name for excluded_key, name in query.excluded if excluded_key == key)
        uses = f" Or choose a use that it must allow: {', '.join(get_args(Use))}." if key == "license" else ""
        listed = {"base": base_models.choices(), "license": LICENSE_NAMES}.get(key, ())
        for name in dict.fromkeys((*getattr(query, field.attribute), *excluded)):
            if name in (*listed, *field.choices()) or (key == "base" and base_models.is_listed(name)):
                continue
            filters: dict[str, Any] = {field.attribute: (name,)}
            if not catalog.listing(Query(nsfw="explicit", **filters)).total:
                alike = [other for other, _ in catalog.complete_value(key, name[: len(name) // 2])]
                sentences.append(f"{_UNKNOWN[key].format(name=name)}{suggestion(name, (*listed, *alike))}{uses}")
    return sentences


def unknown_filters(catalog: Catalog, text: str) -> Iterator[str]:
    """Yield a sentence for each word such as `xyz:1` that no LoRA has, and for each filter without a value."""
    for word, key in _LIKE_FILTER.findall(text):
        if key.casefold() in BY_KEY:
            yield f"“{word}” has no value, so it is searched for as a word. A filter is written as {key}:VALUE."
        elif not catalog.listing(Query(phrases=(word,), nsfw="explicit")).total:
            known = ", ".join(choices(""))
            yield f"“{key}” is not a filter, so “{word}” is searched for as a word. The filters are {known}."


@dataclass(frozen=True, kw_only=True)
class Details:
    """A LoRA with the record of one file. `note` says if its header or its usage could not be read."""

    lora: Lora
    record: Record
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        return {**self.record.to_json(), "versions": [_version_json(version) for version in self.lora.versions]}


def show(services: Services, ref: Ref) -> Details:
    """Return everything known about one LoRA.

    This includes the facts of its file's header and its usage, if they can be read.
    """
    lora, notes = services.lookup.get(ref), list[str]()
    record = record_of(lora, ref)
    if record.file and record.file.format == "safetensors" and record.access not in _NO_FILE:
        try:
            facts = services.lookup.inspect(record.file.ref)
            lora = with_header(lora, record.file.ref, facts.adapter)
            record = record_of(lora, ref)
        except HubUiError as error:
            notes.append(f"The file's own header is not among the facts: {error.message}")
    version = lora.resolve(ref)[0] if lora.versions else None
    try:
        used = services.lookup.fetch_usage(version) if version else ()
    except HubUiError as error:
        used = ()
        notes.append(f"What people use is not among the facts: {error.message}")
    claims = (*record.claims, *(usage.claim(HUBS[version.ref.hub].label) for usage in used if version))
    record = replace(record, claims=claims, homes=services.catalog.homes(lora.ref))
    return Details(lora=lora, record=record, note=" ".join(notes))


def _version_json(version: Version) -> dict[str, Any]:
    files = [
        {"ref": str(file.ref), **file_to_json(file), "primary": file.primary, "claims": claims_to_json(file.claims)}
        for file in version.files
    ]
    return {
        **attributes(version, "ref", "name", "updated_at", "access", "access_note"),
        "files": files,
        "images": [example_to_json(example) for example in version.examples],
        "claims": claims_to_json(version.claims),
    }


def other_half(services: Services, entry: Entry) -> Entry | None:
    """Return the entry of the other file of a two-file LoRA, if it is installed."""
    half = services.downloads.other_half(entry.ref)
    return services.downloads.find_installed(half) if half is not None else None


def entry_json(services: Services, entry: Entry) -> dict[str, Any]:
    half = other_half(services, entry)
    return {**_lock_entry_json(services, entry), "other_half": half and _lock_entry_json(services, half)}


def _lock_entry_json(services: Services, entry: Entry) -> dict[str, Any]:
    return {
        **attributes(entry, "ref", "title", "size", "sha256", "base_model", "architecture", "trigger_words", "weight"),
        "license": entry.license,
        "path": str(services.library.path(entry)),
        "source": entry.source or None,
    }


def result_json(result: GenerationResult, out: str, notes: Sequence[str], cells: Sequence[Path] = ()) -> dict[str, Any]:
    """Return the JSON document of a generation. Its prompt and weights are the last cell's, which uses all LoRAs."""
    report, last = result.report, result.comparison.cells[-1]
    loras = zip(result.request.adapters, last.weights, strict=True)
    coverage = [
        {
            **attributes(lora, "title", "applied", "total"),
            "missed": [{"reason": missed.reason, "tensors": len(missed.keys)} for missed in lora.missed],
            "sentence": lora.sentence(),
        }
        for lora in report.coverage
    ]
    return {
        "out": out,
        "loras": [{"ref": str(adapter.ref), "weight": weight} for adapter, weight in loras],
        **attributes(report, "base", "precision", "seed", "steps", "guidance", "sampler", "width", "height"),
        **attributes(report, "device", "level", "place"),
        "draft": report.draft is not None,
        "draft_files": list(report.draft or ()),
        "prompt": last.prompt,
        "seconds": round(sum(picture.seconds for picture in result.images), 3),
        "applied": sum(lora.applied for lora in report.coverage),
        "total": sum(lora.total for lora in report.coverage),
        "unmatched": [key for lora in report.coverage for missed in lora.missed for key in missed.keys],
        "coverage": coverage,
        "notes": list(notes),
        "sheet": None if result.comparison.kind == "one" else _sheet_json(result, cells),
    }


def _sheet_json(result: GenerationResult, cells: Sequence[Path]) -> dict[str, Any]:
    comparison = result.comparison
    images = [
        {**attributes(cell, "label", "prompt", "weights"), "out": str(cells[i]) if cells else None}
        for i, cell in enumerate(comparison.cells)
    ]
    measures = msgspec.to_builtins(result.report.measures)
    return {**attributes(comparison, "kind", "rows", "columns"), "cells": images, "measures": measures}
