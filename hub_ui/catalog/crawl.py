"""Crawl the hubs' lists into the catalog page by page, each hub in its own thread.

Lists are read newest first, back to what an earlier complete crawl has seen. The position is stored after the LoRAs of
each page. So a crawl that was interrupted at any moment, by Ctrl+C or a kill, resumes at that page.
"""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Self
from urllib.parse import urlsplit

import msgspec

from connectors.connector import Connector
from connectors.errors import AccessError, HubUiError, NotFound, Withheld
from connectors.http.json_fields import moment
from connectors.http.retry import TRANSIENT_ERRORS, Attempts, RetryPolicy
from connectors.query import Page, Query, Range
from connectors.ref import HubName
from connectors.registry import HUBS
from hub_ui.catalog.catalog import Catalog

PAGE = 100
# Hugging Face counts requests over five minutes, so it may demand a wait that long. The total number of waits is
# unlimited, because each page is worth them.
POLICY = RetryPolicy(tries=7, first=2.0, longest=900.0, worth=0)
# An incremental crawl overlaps the earlier one: clocks differ, and lists are not sorted to the second.
OVERLAP = timedelta(days=1)
# The date of the first LoRAs for images. Only the estimate of the remaining time uses it.
FIRST_LORAS = datetime(2022, 12, 1, tzinfo=UTC)
# LoRAs that a complete list lacks are requested individually, at most this many after each complete crawl.
MAX_CHECKS = 200
_RUN = "crawl run"
_SECONDS_BETWEEN_LOOKS = 0.2
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True, kw_only=True, slots=True)
class CrawlOptions:
    """The options of a crawl. By default it reads everything newer than the last complete crawl.

    With `since`, it reads everything updated since then. With `whole`, it reads lists to their end. `limit` is the
    number of LoRAs to read from each hub now; the next crawl resumes there.
    """

    bases: tuple[str, ...] = ()
    since: datetime | None = None
    whole: bool = False
    limit: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """A hub and its address, which is a different one for a mirror or the local hubs."""

    connector: Connector
    address: str

    @property
    def seconds_per_page(self) -> float:
        """The pause between pages. A hub on this computer needs none."""
        if urlsplit(self.address).hostname in _LOOPBACK:
            return 0.0
        return 60.0 / HUBS[self.connector.name].pages_per_minute


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """The position of a hub's crawl. Everything updated before `complete` is in the catalog.

    `run` is the last run that has read the list to its end. The other fields describe an unfinished crawl, if `began`
    is set. It goes back to `since` (None: to the end of the list), `newest` is the newest date it has seen, and it
    resumes at the page `cursor` (None: the first page).
    """

    complete: datetime | None = None
    run: str | None = None
    began: datetime | None = None
    since: datetime | None = None
    newest: datetime | None = None
    cursor: str | None = None

    def begin(self, options: CrawlOptions, now: datetime) -> Self:
        """Return the unfinished crawl if it goes back far enough, or else a new one."""
        last_complete = self.complete - OVERLAP if self.complete and not options.whole else None
        since = options.since or last_complete
        is_enough = (
            self.since is None or (since is not None and self.since <= since) or not (options.since or options.whole)
        )
        if self.began is not None and is_enough:
            return self
        return replace(self, began=now, since=since, newest=None, cursor=None)

    def after(self, page: Page, run: str) -> Self:
        """Return the position after a page. Times are the hub's, so that a wrong clock here does no harm."""
        times = [time for lora in page.loras if (time := moment(lora.updated_at)) is not None]
        newest = max((*times, *([self.newest] if self.newest else [])), default=None)
        if page.cursor is not None:
            return replace(self, newest=newest, cursor=page.cursor)
        until = min(filter(None, (self.began, newest)), default=None)
        complete = max(filter(None, (self.complete, until)), default=None)
        return replace(self, complete=complete, run=run, began=None, since=None, newest=None, cursor=None)


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """The progress of a hub's crawl. `fraction` is estimated from the dates of the last page.

    `waits` is the reason for a pause. `complete`: the list was read as far back as requested.
    """

    hub: HubName
    label: str
    pages: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    removed: int = 0
    seconds: float = 0.0
    fraction: float = 0.0
    start_fraction: float = 0.0
    waits: str = ""
    complete: bool = False
    error: HubUiError | None = None
    ended: bool = False

    @property
    def loras(self) -> int:
        return self.new + self.changed + self.unchanged

    @property
    def seconds_left(self) -> float | None:
        """The estimated seconds left, or None if too little was read for an estimate."""
        done = self.fraction - self.start_fraction
        if self.ended:
            return 0.0
        return self.seconds * (1 - self.fraction) / done if done > 0.001 else None


class Stopped(Exception):
    """The crawl was stopped."""


@dataclass(kw_only=True)
class HubCrawl:
    """The crawl of one hub. `progress` may be read from any thread."""

    source: Source
    catalog: Catalog
    options: CrawlOptions
    run_name: str
    stop: threading.Event
    policy: RetryPolicy = POLICY
    progress: Progress = field(init=False)
    _start: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        connector = self.source.connector
        self.progress = Progress(hub=connector.name, label=HUBS[connector.name].label)
        self._attempts = Attempts(self.policy, self._check)

    def run(self) -> None:
        """Crawl until the list is complete, an error occurs, the limit is reached or `stop` is set."""
        self._start = time.monotonic()
        try:
            self._read_list()
        except Stopped:
            pass
        except HubUiError as error:
            self._update(error=error)
        self._update(ended=True, waits="", seconds=time.monotonic() - self._start)

    def _read_list(self) -> None:
        key = _key(self.source.connector.name, self.source.address, self.options)
        place = _read_place(self.catalog.state(key))
        if place.run == self.run_name and place.began is None:
            # This run was interrupted while it read other hubs.
            self._update(complete=True)
            return
        place = place.begin(self.options, datetime.now(UTC))
        while True:
            self._check()
            begin = time.monotonic()
            place, page = self._next_page(place)
            self._add(page, place)
            next_place = place.after(page, self.run_name)
            self.catalog.put_state(key, msgspec.json.encode(next_place).decode())
            if page.cursor is None:
                self._update(complete=True, fraction=1.0)
                break
            if self.options.limit is not None and self.progress.loras >= self.options.limit:
                return
            place = next_place
            self.stop.wait(max(0.0, self.source.seconds_per_page - (time.monotonic() - begin)))
        if place.began is not None and place.since is None and not self.options.bases:
            self._check_missing(place.began)

    def _next_page(self, place: Place) -> tuple[Place, Page]:
        """Return the page at the cursor. If the hub rejects the cursor of an earlier run, restart at the first page."""
        try:
            return place, self._page(place, place.cursor)
        except HubUiError as error:
            is_cursor = not isinstance(error, (*TRANSIENT_ERRORS, AccessError))
            if place.cursor is None or not is_cursor or self.progress.pages:
                raise
            return replace(place, cursor=None, newest=None), self._page(place, None)

    def _page(self, place: Place, cursor: str | None) -> Page:
        age = None
        if place.since is not None:
            age = Range(most=int((datetime.now(UTC) - place.since).total_seconds()))
        query = Query(bases=self.options.bases, sort="newest", limit=PAGE, nsfw="explicit", age=age)
        while True:
            try:
                return self.source.connector.search(query, cursor)
            except TRANSIENT_ERRORS as error:
                self._update(waits=error.message)
                self._attempts.wait(error, done=self.progress.pages)
                self._update(waits="")

    def _add(self, page: Page, place: Place) -> None:
        loras = {lora.ref: lora for lora in page.loras}
        known_count = len(self.catalog.stored(loras))
        changed = self.catalog.add(tuple(loras.values()))
        self.catalog.withhold(page.withheld)
        progress, new = self.progress, min(len(loras) - known_count, changed)
        total = progress.loras + len(loras)
        parts = [progress.fraction, _fraction(page, place)]
        if self.options.limit is not None:
            parts.append(min(1.0, total / self.options.limit))
        self._update(
            pages=progress.pages + 1,
            new=progress.new + new,
            changed=progress.changed + changed - new,
            unchanged=progress.unchanged + len(loras) - changed,
            fraction=max(parts),
            # Exclude the pages of an interrupted crawl, because they cost no time in this run.
            start_fraction=progress.start_fraction if progress.pages or place.cursor is None else max(parts),
            seconds=time.monotonic() - self._start,
        )

    def _check_missing(self, began: datetime) -> None:
        """Request each missing LoRA. A list may be incomplete, so only "not found" proves a removal."""
        connector = self.source.connector
        for ref in self.catalog.stale_refs(connector.name, began, MAX_CHECKS):
            self._check()
            begin = time.monotonic()
            try:
                self.catalog.add((connector.get(ref),))
            except Withheld:
                self.catalog.withhold([ref])
            except NotFound:
                self.catalog.mark_removed(ref)
                self._update(removed=self.progress.removed + 1)
            except (*TRANSIENT_ERRORS, AccessError):
                return
            # Most hubs need two requests for one LoRA.
            self.stop.wait(max(0.0, 2 * self.source.seconds_per_page - (time.monotonic() - begin)))

    def _check(self) -> None:
        if self.stop.is_set():
            raise Stopped

    def _update(self, **changes: object) -> None:
        self.progress = replace(self.progress, **changes)  # type: ignore[arg-type]


class Crawl:
    """A crawl of several hubs at once. If it was interrupted, starting it again within a day resumes the same run."""

    def __init__(
        self, sources: Sequence[Source], catalog: Catalog, options: CrawlOptions, policy: RetryPolicy = POLICY
    ) -> None:
        now, unfinished = datetime.now(UTC), catalog.state(_RUN)
        began = moment(unfinished)
        name = unfinished if unfinished and began and now - began < OVERLAP else now.isoformat()
        catalog.put_state(_RUN, name)
        self._catalog = catalog
        self._stop = threading.Event()
        self._hubs = [
            HubCrawl(source=source, catalog=catalog, options=options, run_name=name, stop=self._stop, policy=policy)
            for source in sources
        ]

    @property
    def progress(self) -> tuple[Progress, ...]:
        return tuple(hub.progress for hub in self._hubs)

    def run(self, on_progress: Callable[[], None], on_stop: Callable[[], None]) -> None:
        """Crawl all hubs and call `on_progress` regularly.

        Ctrl+C stops the crawl after the current pages; `on_stop` is called before that wait.
        """
        with ThreadPoolExecutor(max_workers=len(self._hubs) or 1) as threads:
            runs = [threads.submit(hub.run) for hub in self._hubs]
            try:
                while wait(runs, timeout=_SECONDS_BETWEEN_LOOKS).not_done:
                    on_progress()
            except KeyboardInterrupt:
                on_stop()
                raise
            finally:
                self._stop.set()
        for run in runs:
            run.result()
        self._catalog.put_state(_RUN, "")


def was_read(catalog: Catalog, hub: HubName, address: str) -> bool:
    """Return whether a crawl has read the whole list of a hub."""
    return _read_place(catalog.state(_key(hub, address, CrawlOptions()))).complete is not None


def _key(hub: HubName, address: str, options: CrawlOptions) -> str:
    """Return the key of a crawl's position. A crawl with `since` has its own, because it is not a complete one."""
    return " ".join(("crawl since" if options.since else "crawl", hub, address, *sorted(options.bases)))


def _read_place(stored: str | None) -> Place:
    """Decode a stored position. Restart from the beginning if it is damaged, which costs only time."""
    try:
        return msgspec.json.decode(stored, type=Place) if stored else Place()
    except msgspec.DecodeError:
        return Place()


def _fraction(page: Page, place: Place) -> float:
    """Return how far the page has come in the time span of the crawl, from the newest LoRA (0) to the end (1)."""
    times = [time for lora in page.loras if (time := moment(lora.updated_at)) is not None]
    if not times:
        return 0.0
    newest = max(filter(None, (*times, place.newest)))
    whole = newest - (place.since or FIRST_LORAS)
    return max(0.0, min(1.0, (newest - min(times)) / whole)) if whole else 1.0
