"""hub-ui search: all hubs at once, or what was seen before."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence

from connectors import federation
from connectors.claims import base_models
from connectors.claims.resolve import flatten, record_with_header
from connectors.errors import BadQuery, HubUiError, KeyRequired, suggestion
from connectors.query import Query
from connectors.record import Record
from hub_ui import services, settings
from hub_ui.catalog.catalog import Catalog
from hub_ui.services import Services
from hub_ui.terminal import Terminal, table

COLUMNS = ("TITLE", "BY", "BASE MODEL", "KIND", "DOWNLOADS", "REF")


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    query = Query.of(
        args.text,
        hubs=tuple(args.hub),
        bases=tuple(args.base),
        kinds=tuple(args.kind),
        sort=args.sort,
        limit=args.limit,
        nsfw=args.nsfw,
    )
    with services.build(settings.from_environment(os.environ)) as built:
        records, failures = _remembered(built, query) if args.offline else _found(built, query)
        unknown = _unknown_bases(built.catalog, query.bases)
    for failure in failures:
        terminal.note(f"{failure.hub}: {failure.message}")
    if unknown and not records and all(isinstance(failure, KeyRequired) for failure in failures):
        raise BadQuery(" ".join(unknown))
    for sentence in unknown:
        terminal.note(f"hub-ui: {sentence}")
    if terminal.json:
        terminal.document(
            {"results": [record.to_json() for record in records], "failures": [failure_json(f) for f in failures]}
        )
    else:
        _print(records, terminal)
    hubs = len(set(query.hubs or (connector.name for connector in built.connectors)))
    answered = hubs - len({failure.hub for failure in failures})
    if not records and answered:
        where = " on the hubs that answered" if failures else ""
        terminal.note(f"Nothing found{where}. Fewer words or fewer filters find more.")
    return exit_code(failures, hubs=hubs, found=bool(records))


def exit_code(failures: Sequence[HubUiError], *, hubs: int, found: bool) -> int:
    """0 once a hub answered. A hub that only wants a key is told, and counts where no other was asked."""
    silent = {failure.hub for failure in failures}
    if found or len(silent) < hubs:
        return 0
    down = [failure for failure in failures if not isinstance(failure, KeyRequired)]
    return max(failure.exit_code for failure in down or failures)


def failure_json(failure: HubUiError) -> dict[str, object]:
    return {
        "hub": failure.hub,
        "error": failure.name,
        "message": failure.message,
        "retry_after": failure.retry_after,
    }


def _found(built: Services, query: Query) -> tuple[Sequence[Record], Sequence[HubUiError]]:
    collected = federation.collect(built.connectors, query)
    built.catalog.add(collected.loras)
    known = built.catalog.complete(collected.loras, query.nsfw)
    return [_proved(built, flatten(lora)) for lora in known], collected.failures


def _proved(built: Services, record: Record) -> Record:
    """What a file's header was once seen to say leads here too. None is read for a search."""
    facts = built.lookup.known_facts(record.file) if record.file else None
    return record if facts is None else record_with_header(record, facts.adapter)


def _remembered(built: Services, query: Query) -> tuple[Sequence[Record], Sequence[HubUiError]]:
    return built.catalog.search(query).records, ()


def _unknown_bases(catalog: Catalog, bases: Sequence[str]) -> list[str]:
    """A sentence for each base that nobody knows: neither these tables nor any LoRA that was ever seen.

    A name that is not in the tables is searched for as it is written, since hubs add base models every week. So
    whether it is a mistake is known only once the hubs have answered.
    """
    unlisted = [base for base in bases if not base_models.is_listed(base)]
    if not unlisted:
        return []
    counts = catalog.search(Query(limit=1, nsfw="explicit")).facets.bases
    seen = [name for top in counts for base in (top, *top.children) for name in (base.id, base.label)]
    folded = {name.casefold() for name in seen}
    return [
        f"“{base}” is no base model known here, and no LoRA seen so far is for it."
        f"{suggestion(base, (*base_models.choices(), *seen))}"
        for base in unlisted
        if base.casefold() not in folded
    ]


def _print(records: Sequence[Record], terminal: Terminal) -> None:
    if records:
        terminal.lines(table([COLUMNS, *map(_row, records)]))
    for record in records:
        terminal.lines([f"! {record.title}: {sentence}" for sentence in record.conflict_sentences])


def _row(record: Record) -> tuple[str, ...]:
    return (
        record.title,
        record.creator or "",
        record.base_model or record.raw_base_model or "",
        record.kind or "",
        "" if record.downloads is None else f"{record.downloads:,}",
        str(record.ref),
    )
