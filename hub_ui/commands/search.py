"""hub-ui search: searches all hubs, or the local catalog."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated

from connectors import federation
from connectors.claims import base_models
from connectors.claims.resolve import record_with_header
from connectors.errors import BadQuery, HubUiError, KeyRequired, suggestion
from connectors.federation import SearchResults
from connectors.query import Query
from connectors.query_language import parse
from connectors.record import Record
from connectors.registry import HUBS
from hub_ui import services, settings
from hub_ui.catalog.catalog import Catalog
from hub_ui.commands import options
from hub_ui.commands.options import JsonOption, argument, flag, option
from hub_ui.services import Services
from hub_ui.terminal import Terminal


@dataclass(frozen=True, kw_only=True)
class Search(JsonOption):
    text: Annotated[str, argument("TEXT", 'Words and filters such as "ink rank:>=16 -anime"; "" lists everything.')]
    hub: Annotated[list[str] | None, option("H", f"A hub: {', '.join(HUBS)}.")] = None
    base: Annotated[list[str] | None, option("B", "A base model or an architecture.")] = None
    kind: Annotated[list[str] | None, option("K", "character, style, concept, control...")] = None
    sort: Annotated[str | None, option("S", "relevance (the default), downloads, likes or newest.")] = None
    limit: Annotated[int, option("N", "The number of results in all.", options.count)] = 200
    nsfw: Annotated[
        str | None,
        option("LEVEL", "At most safe (what is rated so), soft (the default: also unrated), mature or explicit."),
    ] = None
    offline: Annotated[bool, flag("--offline", "Search what was seen before, ask no hub.")] = False

    @property
    def query(self) -> Query:
        """What the text and the options ask for together; of an order or a level, the option's. Raises BadQuery."""
        options = Query.of(
            hubs=tuple(self.hub or ()),
            bases=tuple(self.base or ()),
            kinds=tuple(self.kind or ()),
            sort=self.sort,
            limit=self.limit,
            nsfw=self.nsfw,
        )
        query = parse(self.text, options)
        return replace(
            query,
            sort=options.sort if self.sort else query.sort,
            nsfw=options.nsfw if self.nsfw else query.nsfw,
        )

    def run(self, terminal: Terminal) -> int:
        query = self.query
        with services.build(settings.from_environment(os.environ)) as built:
            answer = SearchResults() if self.offline else ask_hubs(built, query)
            records = find(built, query)
            unknown = _unknown_bases(built.catalog, query.bases)
        failures = answer.failures
        for failure in failures:
            terminal.note(f"{failure.hub}: {failure.message}")
        if unknown and not records and all(isinstance(failure, KeyRequired) for failure in failures):
            raise BadQuery(" ".join(unknown))
        for sentence in unknown:
            terminal.note(f"hub-ui: {sentence}")
        if terminal.json:
            errors = [
                {"hub": each.hub, "error": each.name, "message": each.message, "retry_after": each.retry_after}
                for each in failures
            ]
            terminal.document({"results": [record.to_json() for record in records], "failures": errors})
        else:
            print_records(records, terminal)
        hubs = sum(query.may_ask(connector.name) for connector in built.connectors)
        if not records and (not failures or hubs > len({failure.hub for failure in failures})):
            where = " on the hubs that answered" if failures else ""
            terminal.note(f"Nothing found{where}. Fewer words or fewer filters find more.")
        return exit_code(failures, hubs=hubs, found=bool(answer.loras))


def ask_hubs(built: Services, query: Query) -> SearchResults:
    """Adds what the hubs list for a query to the catalog."""
    answer = federation.collect(built.connectors, query)
    built.catalog.add(answer.loras, found_by=query.words)
    return answer


def find(built: Services, query: Query) -> Sequence[Record]:
    """The catalog's answer. Facts from file headers read earlier take precedence; a search reads no headers."""
    installed = () if query.installed is None else [entry.ref for entry in built.library.entries()]
    records = []
    for record in built.catalog.search(query, installed=installed).records:
        facts = built.lookup.find_facts(record.file) if record.file else None
        records.append(record if facts is None else record_with_header(record, facts.adapter))
    return records


def exit_code(failures: Sequence[HubUiError], *, hubs: int, found: bool) -> int:
    """0 if any hub answered. A missing key is an error only if no other hub was searched."""
    silent = {failure.hub for failure in failures}
    if found or not failures or len(silent) < hubs:
        return 0
    down = [failure for failure in failures if not isinstance(failure, KeyRequired)]
    return max(failure.exit_code for failure in down or failures)


def _unknown_bases(catalog: Catalog, bases: Sequence[str]) -> list[str]:
    """Messages on unknown base models. Called after the search, because hubs add base models every week."""
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


def print_records(records: Sequence[Record], terminal: Terminal) -> None:
    rows = [
        (
            record.title,
            record.creator or "",
            record.base_model or record.raw_base_model or "",
            record.kind or "",
            "" if record.downloads is None else f"{record.downloads:,}",
            str(record.ref),
        )
        for record in records
    ]
    terminal.table(("TITLE", "BY", "BASE MODEL", "KIND", "DOWNLOADS", "REF"), rows)
    for record in records:
        terminal.lines(f"! {record.title}: {sentence}" for sentence in record.conflict_sentences)
