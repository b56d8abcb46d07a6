"""hub-ui search: searches all hubs, or the local catalog."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from connectors.errors import HubUiError, KeyRequired
from connectors.query import Query
from connectors.record import Record
from connectors.registry import HUBS
from hub_ui import documents, services, settings
from hub_ui.commands import options
from hub_ui.commands.options import JsonOption, argument, flag, option
from hub_ui.terminal import Terminal


@dataclass(frozen=True, kw_only=True)
class Search(JsonOption):
    text: Annotated[str, argument("TEXT", 'Words and filters such as "ink rank:>=16 -anime"; "" lists everything.')]
    hub: Annotated[list[str] | None, option("H", f"A hub: {', '.join(HUBS)}.")] = None
    base: Annotated[list[str] | None, option("B", "A base model or an architecture.")] = None
    kind: Annotated[list[str] | None, option("K", "character, style, concept, control, tool; runner.")] = None
    sort: Annotated[str | None, option("S", "relevance (the default), downloads, likes or newest.")] = None
    limit: Annotated[int, option("N", "The number of results in all.", options.count)] = 200
    nsfw: Annotated[
        str | None,
        option("LEVEL", "At most safe (rated so), soft (the default: also what nobody rated), mature or explicit."),
    ] = None
    offline: Annotated[bool, flag("--offline", "Search what was seen before, ask no hub.")] = False

    @property
    def query(self) -> Query:
        """What the text and the options ask for together; of an order or a level, the option's. Raises BadQuery."""
        return documents.query_of(
            self.text,
            hubs=self.hub or (),
            bases=self.base or (),
            kinds=self.kind or (),
            sort=self.sort,
            nsfw=self.nsfw,
            limit=self.limit,
        )

    def run(self, terminal: Terminal) -> int:
        query = self.query
        with services.build(settings.from_environment(os.environ)) as built:
            found = documents.search(built, query, self.text, offline=self.offline)
        failures, records = found.failures, found.records
        for failure in failures:
            terminal.note(f"{failure.hub}: {failure.message}")
        for sentence in found.notes:
            terminal.note(f"hub-ui: {sentence}")
        if terminal.json:
            terminal.document(found.to_json())
        else:
            print_rings(found, terminal)
        if found.corrected:
            terminal.note(f"Did you mean: {found.corrected}")
        hubs = sum(query.may_ask(connector.name) for connector in built.connectors)
        if not records and (not failures or hubs > len({failure.hub for failure in failures})):
            where = " on the hubs that answered" if failures else ""
            terminal.note(f"Nothing found{where}. Fewer words or fewer filters find more.")
        return exit_code(failures, hubs=hubs, found=found.answered)


def exit_code(failures: Sequence[HubUiError], *, hubs: int, found: bool) -> int:
    """0 if any hub answered. A missing key is an error only if no other hub was searched."""
    silent = {failure.hub for failure in failures}
    if found or not failures or len(silent) < hubs:
        return 0
    down = [failure for failure in failures if not isinstance(failure, KeyRequired)]
    return max(failure.exit_code for failure in down or failures)


def print_rings(found: documents.Found, terminal: Terminal) -> None:
    """The records, with a line above those that have less than was asked for."""
    ends = [*(ring.start for ring in found.rings[1:]), len(found.records)]
    for ring, end in zip(found.rings, ends, strict=False):
        records = found.records[ring.start : end]
        terminal.lines(filter(None, [ring.sentence if records else ""]))
        print_records(records, terminal)
    if not found.rings:
        print_records(found.records, terminal)


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
