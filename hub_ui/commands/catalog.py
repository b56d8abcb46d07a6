"""The commands hub-ui crawl, which reads the hubs' lists, and hub-ui catalog, which exports, imports and counts."""

import os
import re
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Annotated

from connectors.claims.base_models import unfold_series
from connectors.errors import BadQuery, HubUiError, KeyRequired, UsageError, suggestion
from connectors.guard import without_guard
from connectors.query import BY_KEY, Query
from connectors.query_fields import AGES
from connectors.registry import HUBS, origin_label
from hub_ui import settings
from hub_ui.app import services
from hub_ui.app.documents import unknown_values
from hub_ui.app.services import Services
from hub_ui.base.format import duration, join, plural, size
from hub_ui.base.json_values import attributes
from hub_ui.catalog import snapshot
from hub_ui.catalog.catalog import Catalog as StoredCatalog
from hub_ui.catalog.crawl import Crawl as CatalogCrawl
from hub_ui.catalog.crawl import CrawlOptions, Progress, Source
from hub_ui.commands import JsonOption, argument, check_file, flag, option, whole_number
from hub_ui.commands.terminal import Terminal

ACTIONS = ("export", "import", "stats")
_LONGEST_AGE = 20_000 * AGES.factors["d"]
_AGE = re.compile(r"(?P<number>[0-9]{1,6})(?P<unit>[hdwmy])")
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Catalog(JsonOption):
    action: Annotated[str, argument("export|import|stats", "What to do.")]
    file: Annotated[Path | None, argument("[FILE]", "The snapshot to write or to read, such as catalog.jsonl.zst.")] = (
        None
    )
    hosted: Annotated[bool, flag("--hosted", "The catalog of a shared page (serve --hosted).")] = False

    def run(self, terminal: Terminal) -> int:
        if self.action not in ACTIONS:
            near = suggestion(self.action, ACTIONS)
            raise UsageError(f"“{self.action[:40]}” is nothing to do with a catalog.{near} Try: hub-ui catalog --help")
        if (self.file is None) is not (self.action == "stats"):
            raise UsageError(f"hub-ui catalog {self.action} takes {'no' if self.file else 'a'} FILE.")
        check_file(self.file)
        with services.build(settings.from_environment(os.environ, hosted=self.hosted)) as built:
            if self.file is None:
                _print_stats(built.catalog, terminal)
            elif self.action == "export":
                _export(built.catalog, self.file, terminal)
            else:
                _import(built.catalog, self.file, terminal)
        return 0


def _export(catalog: StoredCatalog, file: Path, terminal: Terminal) -> None:
    total = sum(catalog.stats().loras.values())
    result = snapshot.export(
        catalog.documents(),
        file,
        lambda number: terminal.progress(f"Writing: {number:,} of {total:,} LoRAs", number / max(total, 1)),
    )
    text = f"{plural(result.loras, 'LoRA')} in {file}, {size(result.bytes, precise=True)}."
    terminal.show({"file": str(file), **asdict(result)}, lambda: terminal.line(text))
    if result.unreadable and not terminal.json:
        skipped = plural(result.unreadable, "entry", "entries")
        terminal.note(f"hub-ui: {skipped} of the catalog can't be read: left out.")


def _import(catalog: StoredCatalog, file: Path, terminal: Terminal) -> None:
    result = snapshot.load(
        file,
        lambda loras, at: catalog.add(loras, at=at),
        lambda number, total: terminal.progress(f"Reading: {number:,} of {total:,} LoRAs", number / max(total, 1)),
    )
    text = f"{plural(result.loras, 'LoRA')} read, {result.changed:,} of them new or changed."
    terminal.show({"file": str(file), **asdict(result)}, lambda: terminal.line(text))
    if result.foreign and not terminal.json:
        terminal.note(f"hub-ui: {plural(result.foreign, 'LoRA')} of hubs that this hub-ui doesn't know: left out.")


def _print_stats(catalog: StoredCatalog, terminal: Terminal) -> None:
    stats = catalog.stats()
    facts = [
        *((origin_label(hub), f"{number:,}") for hub, number in stats.loras.items()),
        ("versions", f"{stats.versions:,}"),
        ("files", f"{stats.files:,}"),
        ("on several hubs", f"{stats.shared_cards:,}"),
        ("removed", f"{stats.removed:,}"),
        ("listed between", f"{stats.oldest} and {stats.newest}" if stats.oldest else None),
        ("size", size(stats.bytes, precise=True)),
    ]
    terminal.show(asdict(stats), lambda: terminal.facts(facts))


@dataclass(frozen=True, kw_only=True)
class Crawl(JsonOption):
    hub: Annotated[list[str] | None, option("H", f"A hub: {', '.join(HUBS)}. Default: all.")] = None
    base: Annotated[list[str] | None, option("B", "A base model or an architecture.")] = None
    since: Annotated[
        str | None,
        option("T", "Back to a date (2026-01-31), an age (30d) or the beginning (all). Default: to what is known."),
    ] = None
    limit: Annotated[
        int | None, option("N", "The number of LoRAs of each hub to read now.", whole_number(1, 100_000_000))
    ] = None
    hosted: Annotated[bool, flag("--hosted", "Into the catalog of a shared page (serve --hosted), without keys.")] = (
        False
    )

    def run(self, terminal: Terminal) -> int:
        hubs = tuple(map(BY_KEY["hub"].read, self.hub or ()))
        bases = tuple(chain.from_iterable(map(unfold_series, self.base or ())))
        is_whole = self.since == "all"
        since = None if self.since is None or is_whole else read_time(self.since, datetime.now(UTC))
        options = CrawlOptions(bases=bases, since=since, whole=is_whole, limit=self.limit)
        with services.build(settings.from_environment(os.environ, hosted=self.hosted)) as built:
            crawl = CatalogCrawl(sources(built, hubs), built.catalog, options)
            start = time.monotonic()
            try:
                crawl.run(
                    lambda: terminal.progress(*describe(crawl.progress, time.monotonic() - start)),
                    lambda: terminal.note("Stopping after the pages under way."),
                )
            except KeyboardInterrupt:
                self._print(crawl.progress, terminal, stopped=True)
                terminal.note("Stopped. The same command goes on from here.")
                raise
            # Check after the crawl, because the hubs may have LoRAs of a base model that is in no table.
            for sentence in unknown_values(built.catalog, Query(bases=options.bases)):
                terminal.note(f"hub-ui: {sentence}")
        self._print(crawl.progress, terminal, stopped=False)
        return exit_code(crawl.progress, chosen=bool(hubs))

    def _print(self, hubs: Sequence[Progress], terminal: Terminal, *, stopped: bool) -> None:
        for hub in hubs:
            if hub.error is not None:
                terminal.note(f"{hub.hub}: {hub.error.message}")
        header = ("HUB", "PAGES", "NEW", "CHANGED", "UNCHANGED", "REMOVED", "TIME", "LIST")
        rows = [
            (
                hub.label,
                *(f"{number:,}" for number in (hub.pages, hub.new, hub.changed, hub.unchanged, hub.removed)),
                duration(hub.seconds),
                "complete" if hub.complete else "failed" if hub.error else "goes on",
            )
            for hub in hubs
        ]
        document = [
            {
                **attributes(hub, "hub", "pages", "new", "changed", "unchanged", "removed", "complete"),
                "seconds": round(hub.seconds, 3),
                "error": hub.error and hub.error.name,
                **attributes(hub.error, "message", "retry_after"),
            }
            for hub in hubs
        ]
        terminal.show({"hubs": document, "stopped": stopped}, lambda: terminal.table(header, rows))


def sources(built: Services, hubs: Sequence[str]) -> list[Source]:
    return [
        Source(connector=without_guard(connector), address=built.settings.endpoints[connector.name])
        for connector in built.connectors
        if not hubs or connector.name in hubs
    ]


def read_time(text: str, now: datetime) -> datetime:
    """Return the time of a date, or of an age before `now`, but at the earliest 2000. Raise BadQuery."""
    if age := _AGE.fullmatch(text):
        seconds = int(age["number"]) * AGES.factors[age["unit"]]
        return max(now - timedelta(seconds=min(seconds, _LONGEST_AGE)), _EARLIEST)
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise BadQuery(
            f"“{text[:40]}” is no time to go back to. Write a date such as 2026-01-31, an age such as 12h, 30d, 8w, 6m "
            "or 1y, or all."
        ) from None
    return max(time if time.tzinfo else time.replace(tzinfo=UTC), _EARLIEST)


def describe(hubs: Sequence[Progress], seconds: float) -> tuple[str, float]:
    """Return a line with the counts, the speed and the time left, and the fraction of the slowest hub."""
    counts = (f"{hub.label} {hub.loras:,}" for hub in hubs if hub.error is None)
    waits = next((hub.waits for hub in hubs if hub.waits), "")
    rate = sum(hub.loras for hub in hubs) / max(seconds, 0.001)
    estimates = [hub.seconds_left for hub in hubs]
    known = [seconds_left for seconds_left in estimates if seconds_left is not None]
    text = join(
        *counts,
        f"{rate:,.0f} LoRAs/s",
        f"about {duration(max(known))} left" if known and len(known) == len(estimates) else "",
        waits,
    )
    return text, min((hub.fraction for hub in hubs if not hub.ended), default=1.0)


def exit_code(hubs: Sequence[Progress], *, chosen: bool) -> int:
    """Return the highest exit code of the failures, or 0.

    A missing key is not a failure if another hub was read, unless hubs were chosen with --hub.
    """
    errors: list[HubUiError] = [hub.error for hub in hubs if hub.error is not None]
    if not chosen and len(errors) < len(hubs):
        # In the catalog of a shared page, KeyRequired is the cause of an error for visitors.
        errors = [error for error in errors if KeyRequired not in (type(error), type(error.__cause__))]
    return max((error.exit_code for error in errors), default=0)
