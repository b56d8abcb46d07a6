"""hub-ui crawl: reads the hubs' lists into the catalog."""

import os
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from connectors.errors import BadQuery, HubUiError, KeyRequired
from connectors.guard import without_guard
from connectors.query import Query
from connectors.registry import HUBS
from hub_ui import services, settings
from hub_ui.catalog.crawl import Crawl as CatalogCrawl
from hub_ui.catalog.crawl import CrawlOptions, Progress, Source
from hub_ui.commands.options import JsonOption, flag, option, whole_number
from hub_ui.format import duration, join
from hub_ui.services import Services
from hub_ui.terminal import Terminal

_DAYS = {"h": 1 / 24, "d": 1, "w": 7, "m": 30, "y": 365}
_AGE = re.compile(r"(?P<number>[0-9]{1,6})(?P<unit>[hdwmy])")
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)


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
        wanted = Query.of(hubs=tuple(self.hub or ()), bases=tuple(self.base or ()))
        is_whole = self.since == "all"
        since = None if self.since is None or is_whole else read_time(self.since, datetime.now(UTC))
        options = CrawlOptions(bases=wanted.bases, since=since, whole=is_whole, limit=self.limit)
        with services.build(settings.from_environment(os.environ, hosted=self.hosted)) as built:
            crawl = CatalogCrawl(sources(built, wanted.hubs), built.catalog, options)
            start = time.monotonic()

            def show_progress() -> None:
                terminal.progress(*describe(crawl.progress, time.monotonic() - start))

            try:
                crawl.run(show_progress, lambda: terminal.note("Stopping after the pages under way."))
            except KeyboardInterrupt:
                self._print(crawl.progress, terminal, stopped=True)
                terminal.note("Stopped. The same command goes on from here.")
                raise
        self._print(crawl.progress, terminal, stopped=False)
        return exit_code(crawl.progress, chosen=bool(wanted.hubs))

    def _print(self, hubs: Sequence[Progress], terminal: Terminal, *, stopped: bool) -> None:
        for hub in hubs:
            if hub.error is not None:
                terminal.note(f"{hub.hub}: {hub.error.message}")
        if terminal.json:
            terminal.document({"hubs": [to_json(hub) for hub in hubs], "stopped": stopped})
            return
        header = ("HUB", "PAGES", "NEW", "CHANGED", "UNCHANGED", "REMOVED", "TIME", "LIST")
        terminal.table(header, [row(hub) for hub in hubs])


def sources(built: Services, hubs: Sequence[str]) -> list[Source]:
    return [
        Source(connector=without_guard(connector), address=built.settings.endpoints[connector.name])
        for connector in built.connectors
        if not hubs or connector.name in hubs
    ]


def read_time(text: str, now: datetime) -> datetime:
    """A date, or an age before `now`. Raises BadQuery."""
    if age := _AGE.fullmatch(text):
        days = int(age["number"]) * _DAYS[age["unit"]]
        return max(now - timedelta(days=min(days, 20_000)), _EARLIEST)
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise BadQuery(
            f"“{text[:40]}” is no time to go back to. Write a date such as 2026-01-31, an age such as 12h, 30d, 8w, 6m "
            "or 1y, or all."
        ) from None
    return max(time if time.tzinfo else time.replace(tzinfo=UTC), _EARLIEST)


def describe(hubs: Sequence[Progress], seconds: float) -> tuple[str, float]:
    """One line: what each hub has given, how fast, and how long it will take. And which part of it is done."""
    counts = (f"{hub.label} {hub.loras:,}" for hub in hubs if hub.error is None)
    waits = next((hub.waits for hub in hubs if hub.waits), "")
    rate = sum(hub.loras for hub in hubs) / max(seconds, 0.001)
    left = [hub.seconds_left for hub in hubs]
    known = [each for each in left if each is not None]
    text = join(
        *counts,
        f"{rate:,.0f} LoRAs/s",
        f"about {duration(max(known))} left" if known and len(known) == len(left) else "",
        waits,
    )
    return text, min((hub.fraction for hub in hubs if not hub.ended), default=1.0)


def row(hub: Progress) -> tuple[str, ...]:
    numbers = (hub.pages, hub.new, hub.changed, hub.unchanged, hub.removed)
    state = "complete" if hub.complete else "failed" if hub.error else "goes on"
    return hub.label, *(f"{number:,}" for number in numbers), duration(hub.seconds), state


def to_json(hub: Progress) -> dict[str, Any]:
    error = hub.error
    return {
        "hub": hub.hub,
        "pages": hub.pages,
        "new": hub.new,
        "changed": hub.changed,
        "unchanged": hub.unchanged,
        "removed": hub.removed,
        "seconds": round(hub.seconds, 3),
        "complete": hub.complete,
        "error": error and error.name,
        "message": error and error.message,
        "retry_after": error and error.retry_after,
    }


def exit_code(hubs: Sequence[Progress], *, chosen: bool) -> int:
    """That of the worst failure. A missing key is none where other hubs were read and nobody named the hub."""
    errors: list[HubUiError] = [hub.error for hub in hubs if hub.error is not None]
    if not chosen and len(errors) < len(hubs):
        # To visitors of a shared page, a missing key is only the cause.
        errors = [error for error in errors if KeyRequired not in (type(error), type(error.__cause__))]
    return max((error.exit_code for error in errors), default=0)
