"""The commands hub-ui search, news, show, inspect and similar, which read hubs, the catalog and files."""

import os
import shlex
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, make_dataclass, replace
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import Annotated, Any

import typer

from connectors.errors import BadQuery, HubUiError, KeyRequired, UsageError
from connectors.query import BY_KEY, FIELDS, Query
from connectors.query_fields import Field
from connectors.query_language import format, parse
from connectors.record import Lora, Record, distinct, is_marked
from connectors.ref import Ref
from connectors.weights.file_type import Layouts
from connectors.weights.inspect import Facts, inspect_path, inspect_url
from hub_ui import commands, settings
from hub_ui.app import documents, news, services
from hub_ui.app.news import SavedSearch
from hub_ui.app.services import Services
from hub_ui.app.used_loras import find_ref
from hub_ui.base.format import ago, danger, size
from hub_ui.catalog.crawl import was_read
from hub_ui.commands import JsonOption, argument, flag, option, parse_ref, parse_source, results_json, try_each
from hub_ui.commands.terminal import Terminal


@dataclass(frozen=True, kw_only=True)
class SearchCommand(JsonOption):
    text: Annotated[str, argument("TEXT", 'Words and filters such as "ink rank:>=16 -anime"; "" lists everything.')]
    limit: Annotated[int, option("N", "The number of results in all.", commands.count)] = 200
    offline: Annotated[bool, flag("--offline", "Search what was seen before, ask no hub.")] = False

    @property
    def query(self) -> Query:
        """The query of the text and the options. For a single value, the option overrides the text. Raise BadQuery."""
        options = {field.key: getattr(self, field.key) for field in FIELDS}
        filters = {key: [value] if isinstance(value, str) else value for key, value in options.items() if value}
        return documents.query_of(self.text, filters, limit=self.limit)

    def run(self, terminal: Terminal) -> int:
        query = self.query
        with services.build(settings.from_environment(os.environ)) as built:
            result = documents.search(built, query, self.text, offline=self.offline)
        failures, records = result.failures, result.records
        for failure in failures:
            terminal.note(f"{failure.hub}: {failure.message}")
        for sentence in result.notes:
            terminal.note(f"hub-ui: {sentence}")
        terminal.show(result.to_json(), lambda: print_rings(result, terminal))
        if result.corrected:
            terminal.note(f"Did you mean: {result.corrected}")
        hubs = sum(query.may_ask(connector.name) for connector in built.connectors)
        if not records and (not failures or hubs > len({failure.hub for failure in failures})):
            where = " on the hubs that answered" if failures else ""
            terminal.note(f"Nothing found{where}. Fewer words or fewer filters find more.")
        return exit_code(failures, hubs=hubs, found=result.answered)


def _filter_option(field: Field) -> tuple[str, Any, Any]:
    values = ", ".join([field.example] if field.is_open or field.usual else field.choices())
    help = f"{field.meaning} {'Such as' if field.is_open or field.usual else 'One of'} {values}.".replace("`", "")
    kind = list[str] | None if field.form == "list" else str | None
    return field.key, Annotated[kind, option(field.key.upper(), help, panel="Filters")], None


Search = make_dataclass("Search", map(_filter_option, FIELDS), bases=(SearchCommand,), frozen=True, kw_only=True)


def exit_code(failures: Sequence[HubUiError], *, hubs: int, found: bool) -> int:
    """Return 0 if any hub responded, otherwise the highest exit code of the failures.

    A missing key counts only if there is no other failure.
    """
    failed_hubs = {failure.hub for failure in failures}
    if found or not failures or len(failed_hubs) < hubs:
        return 0
    others = [failure for failure in failures if not isinstance(failure, KeyRequired)]
    return max(failure.exit_code for failure in others or failures)


def print_rings(found: documents.Found, terminal: Terminal) -> None:
    """Print the records, with a line above each ring of looser matches."""
    ends = [*(ring.start for ring in found.rings[1:]), len(found.records)]
    for ring, end in zip(found.rings, ends, strict=False):
        records = found.records[ring.start : end]
        terminal.lines(filter(None, [ring.sentence if records else ""]))
        print_records(records, terminal)
    if not found.rings:
        print_records(found.records, terminal)


# The first columns of every table of records.
_HEADER = ("TITLE", "BY", "BASE MODEL")


def _cells(record: Record) -> tuple[str, str, str]:
    return record.title, record.creator or "", record.base_model or record.raw_base_model or ""


def print_records(records: Sequence[Record], terminal: Terminal) -> None:
    rows = [
        (
            *_cells(record),
            record.kind or "",
            "" if record.downloads is None else f"{record.downloads:,}",
            str(record.ref),
        )
        for record in records
    ]
    terminal.table((*_HEADER, "KIND", "DOWNLOADS", "REF"), rows)
    for record in records:
        terminal.lines(f"! {record.title}: {sentence}" for sentence in record.conflict_sentences)


HubRef = Annotated[str, argument("REF", "A web address, or HUB:ID.")]


@dataclass(frozen=True, kw_only=True)
class Show(JsonOption):
    ref: HubRef

    def run(self, terminal: Terminal) -> int:
        with services.build(settings.from_environment(os.environ)) as built:
            details = documents.show(built, parse_ref(self.ref, partial(find_ref, built)))
        if details.note:
            terminal.note(details.note)
        terminal.show(details.to_json(), lambda: _print_details(details.lora, details.record, terminal))
        return 0


def _print_details(lora: Lora, record: Record, terminal: Terminal) -> None:
    numbers = (
        ("rank", record.rank),
        ("alpha", None if record.alpha is None else f"{record.alpha:g}"),
        ("weight", record.weight_text),
    )
    terminal.facts(
        [
            ("title", record.title),
            ("by", record.creator),
            ("ref", str(record.ref)),
            ("address", record.url),
            ("also at", ", ".join(map(str, record.homes))),
            ("base model", record.base_model or record.raw_base_model),
            ("architecture", record.architecture),
            ("kind", record.kind),
            ("trigger words", ", ".join(record.trigger_words)),
            ("strength", " ".join(f"{name} {value}" for name, value in numbers if value)),
            ("file", f"{record.file.name} {size(record.file.size, precise=True)}" if record.file else None),
            ("licence", record.license),
            ("access", record.access),
            ("content", record.nsfw or "unrated"),
            ("shows", "a real person" if is_marked(record.claims, "real_person") else None),
            ("danger", danger(record) or None),
            ("conflicts", " ".join(record.conflict_sentences)),
        ]
    )
    for version in lora.versions:
        terminal.line()
        terminal.line(f"{version.name}  {version.updated_at or ''}  {version.access}  {version.ref}")
        sizes = [(file.name, size(file.size, precise=True) or "size unknown") for file in version.files]
        terminal.lines(f"  {name}  {text}" for name, text in sizes)
    if record.claims:
        terminal.line()
    for claim in distinct(record.claims):
        value = ", ".join(claim.value) if isinstance(claim.value, tuple) else claim.value
        terminal.line(f"{claim.field} = {value}  ({claim.source}: {claim.where})")


@dataclass(frozen=True, kw_only=True)
class News(JsonOption):
    text: Annotated[str, typer.Argument(metavar="TEXT", help="With --save: words and filters, as for search.")] = ""
    save: Annotated[str, option("NAME", "Save the search TEXT; from now on its news are told.")] = ""
    remove: Annotated[str, option("NAME", "Remove a saved search.")] = ""
    limit: Annotated[int, option("N", "The number of results of each search.", commands.count)] = 50
    offline: Annotated[bool, flag("--offline", "Ask no hub, and leave what is new as it is.")] = False

    def run(self, terminal: Terminal) -> int:
        if self.save and self.remove:
            raise UsageError("Choose one: --save or --remove.")
        now = time.time()
        with services.build(settings.from_environment(os.environ)) as built:
            if self.save:
                search = SavedSearch(name=self.save, text=format(parse(self.text)), seen=round(now))
                searches = built.searches.change(lambda searches: news.add(searches, search))
            elif self.remove:
                searches = built.searches.change(lambda searches: news.remove(searches, self.remove))
            elif self.text:
                raise UsageError(f"To save that search: hub-ui news --save NAME {shlex.quote(self.text)}")
            else:
                searches = built.searches.read()
            asks = not (self.save or self.remove)
            results = [(one, self._find(built, one, now) if asks else documents.Found(records=())) for one in searches]
            # A search with a failed hub is not marked as seen, so that its news is shown the next time.
            complete = {search.name for search, found in results if not found.failures}
            if asks and not self.offline:
                built.searches.change(lambda searches: news.look(searches, complete, now))
        shown = [(search, datetime.fromtimestamp(search.seen, UTC).isoformat(), found) for search, found in results]
        document = [
            {"name": one.name, "query": one.text, "since": since, **found.to_json()} for one, since, found in shown
        ]
        terminal.show({"searches": document}, lambda: _print_news(shown, terminal))
        for failure in {failure.message: failure for _search, found in results for failure in found.failures}.values():
            terminal.note(": ".join(filter(None, (failure.hub, failure.message))))
        return 0

    def _find(self, built: Services, search: SavedSearch, now: float) -> documents.Found:
        try:
            found = documents.search(built, search.query(now, self.limit), offline=self.offline)
        except BadQuery as error:
            # An invalid search, or one with an unknown base model, must not keep the others from being shown.
            return documents.Found(records=(), failures=(error,))
        # Drop looser matches, because a saved search with fewer words would be another search.
        return replace(found, records=()) if any(ring.sentence for ring in found.rings) else found


def _print_news(results: Sequence[tuple[SavedSearch, str, documents.Found]], terminal: Terminal) -> None:
    for search, since, found in results:
        terminal.line(f"{search.name}: {len(found.records):,} new since {ago(since)}  ({search.text or 'everything'})")
        if found.records:
            print_records(found.records, terminal)
    if not results:
        terminal.note('No search is saved yet. Save one: hub-ui news --save "My styles" "kind:style base:sdxl"')


@dataclass(frozen=True, kw_only=True)
class Inspect(JsonOption):
    files: Annotated[list[str], argument("PATH|URL|REF", "A .safetensors here, at a web address, or on a hub.")]

    def run(self, terminal: Terminal) -> int:
        layouts = Layouts()
        with ExitStack() as stack:

            @cache
            def build() -> Services:
                # Build the services only for a ref, because local files need neither the catalog nor the hubs.
                return stack.enter_context(services.build(settings.from_environment(os.environ)))

            def inspect(text: str) -> Facts:
                source = parse_source(text)
                if isinstance(source, Path):
                    return inspect_path(source, layouts)
                return build().lookup.inspect(source) if isinstance(source, Ref) else inspect_url(source)

            results = try_each(self.files, inspect, terminal)
        read_files = [(name, r) for name, r in zip(self.files, results, strict=True) if isinstance(r, Facts)]
        terminal.show(results_json(results, Facts.to_json), lambda: _print_facts(read_files, terminal))
        return next((result.exit_code for result in results if isinstance(result, HubUiError)), 0)


def _print_facts(files: Sequence[tuple[str, Facts]], terminal: Terminal) -> None:
    for i, (name, facts) in enumerate(files):
        if i:
            terminal.line()
        terminal.facts([("file", name), *_facts_rows(facts)])
        terminal.lines(f"! {warning}" for warning in facts.adapter.remarks)


def _facts_rows(facts: Facts) -> list[tuple[str, str | None]]:
    """Return the names and values of the facts. An unknown value is None."""
    adapter = facts.adapter
    ranks = ", ".join(f"{rank} in {layers}" for rank, layers in adapter.ranks.items())
    read = "nothing: known from before"
    if facts.bytes_read:
        read = size(facts.bytes_read, precise=True) + (f" in {facts.requests} requests" if facts.requests else "")
    return [
        ("is", "a LoRA" if adapter.is_lora else f"no LoRA: {adapter.what}"),
        ("architecture", adapter.architecture),
        ("may also be", ", ".join(adapter.alternatives)),
        ("base model", adapter.base_model),
        ("algorithm", adapter.algorithm),
        ("format", adapter.format),
        ("rank", str(adapter.rank) if adapter.rank is not None else None),
        ("layers by rank", ranks if len(adapter.ranks) > 1 else None),
        ("alpha", f"{adapter.alpha:g}  ({adapter.alpha_source})" if adapter.alpha is not None else None),
        ("strength at 1", f"{adapter.scale:g}" if adapter.scale is not None and adapter.is_lora else None),
        ("text encoder", "changed too" if adapter.text_encoder else None),
        ("control", "yes: it takes a control image" if adapter.control else None),
        ("trigger words", ", ".join(adapter.trigger_words)),
        ("tensors", str(adapter.tensors)),
        ("size", size(facts.size, precise=True)),
        ("read", read),
    ]


@dataclass(frozen=True, kw_only=True)
class Similar(JsonOption):
    ref: HubRef
    limit: Annotated[int, option("N", "The number of results.", commands.count)] = 12
    nsfw: Annotated[
        str, option("LEVEL", "At most safe (rated so), soft (also what nobody rated), mature or explicit.")
    ] = "soft"

    def run(self, terminal: Terminal) -> int:
        level = BY_KEY["nsfw"].read(self.nsfw)
        with services.build(settings.from_environment(os.environ)) as built:
            ref = parse_ref(self.ref, partial(find_ref, built))
            # Fetch an unknown LoRA from its hub, which also adds it to the catalog.
            lora = built.catalog.find(ref) or built.lookup.get(ref)
            similar = built.catalog.similar(lora.ref, limit=self.limit, nsfw=level)
            is_crawled = any(was_read(built.catalog, *endpoint) for endpoint in built.settings.endpoints.items())
        results = [{**match.record.to_json(), "score": match.score, "reason": match.reason} for match in similar]
        rows = [(*_cells(match.record), f"{match.score:.2f}", match.reason, str(match.record.ref)) for match in similar]
        terminal.show({"results": results}, lambda: terminal.table((*_HEADER, "SCORE", "WHY", "REF"), rows))
        if not similar:
            advice = "" if is_crawled else " yet. hub-ui crawl reads the hubs' lists into it"
            terminal.note(f"The catalog has nothing similar{advice}.")
        return 0
