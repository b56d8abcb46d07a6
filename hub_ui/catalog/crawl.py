"""Follows the hubs' lists into the catalog, page by page, each hub in a thread of its own.

Lists are read with the newest first, up to what an earlier complete crawl has seen. Where a crawl stands is written
down after each page's LoRAs are: one that is ended at any moment, by Ctrl+C or by a kill, goes on at that page.
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
# Hugging Face counts requests over five minutes, so that it may ask to wait as long. However many waits a long list
# takes in all, each page that comes is worth them.
POLICY = RetryPolicy(tries=7, first=2.0, longest=900.0, worth=0)
# An incremental crawl goes back a little further than it must: clocks differ, and lists are not sorted to the second.
OVERLAP = timedelta(days=1)
# Before this there were no LoRAs for images. Only the estimate of what is left uses it.
FIRST_LORAS = datetime(2022, 12, 1, tzinfo=UTC)
# LoRAs that a complete list no longer has are asked for one by one, this many after each complete crawl.
MAX_CHECKS = 200
_RUN = "crawl run"
_SECONDS_BETWEEN_LOOKS = 0.2
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True, kw_only=True, slots=True)
class CrawlOptions:
    """What to read: what is newer than the last complete crawl; with `since`, all that was updated since then.

    `whole` reads a list to its end, complete before or not. `limit` counts the LoRAs to read from each hub now; the
    next crawl goes on from there.
    """

    bases: tuple[str, ...] = ()
    since: datetime | None = None
    whole: bool = False
    limit: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """A hub and the address that it answers at, which is another one for a mirror or the local hubs."""

    connector: Connector
    address: str

    @property
    def seconds_per_page(self) -> float:
        """A hub on this computer is asked without pauses."""
        if urlsplit(self.address).hostname in _LOOPBACK:
            return 0.0
        return 60.0 / HUBS[self.connector.name].pages_per_minute


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where the crawl of a hub stands. All that was updated before `complete` is in the catalog.

    `run` is the run of the command that has last read the list to its end.

    The rest is about the crawl under way, if `began` is set: it goes back to `since` (None: to the end of the list),
    has seen nothing newer than `newest`, and goes on with the page of `cursor` (None: the first one).
    """

    complete: datetime | None = None
    run: str | None = None
    began: datetime | None = None
    since: datetime | None = None
    newest: datetime | None = None
    cursor: str | None = None

    def begin(self, options: CrawlOptions, now: datetime) -> Self:
        """The crawl under way if it goes back as far as is wanted, else a new one."""
        known = self.complete - OVERLAP if self.complete and not options.whole else None
        since = options.since or known
        is_enough = (
            self.since is None or (since is not None and self.since <= since) or not (options.since or options.whole)
        )
        if self.began is not None and is_enough:
            return self
        return replace(self, began=now, since=since, newest=None, cursor=None)

    def after(self, page: Page, run: str) -> Self:
        """At the page that follows. The times are the hub's, so that a wrong clock here costs nothing."""
        times = [time for lora in page.loras if (time := moment(lora.updated_at)) is not None]
        newest = max((*times, *([self.newest] if self.newest else [])), default=None)
        if page.cursor is not None:
            return replace(self, newest=newest, cursor=page.cursor)
        until = min(filter(None, (self.began, newest)), default=None)
        complete = max(filter(None, (self.complete, until)), default=None)
        return replace(self, complete=complete, run=run, began=None, since=None, newest=None, cursor=None)


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """How far the crawl of a hub is. `fraction` is estimated from how far back in time the last page was.

    `waits` says why no page is read just now. `complete`: the list was read to where it should be.
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
        """None while too little was read to tell."""
        done = self.fraction - self.start_fraction
        if self.ended:
            return 0.0
        return self.seconds * (1 - self.fraction) / done if done > 0.001 else None


class Stopped(Exception):
    """Someone ended the crawl."""


@dataclass(kw_only=True)
class HubCrawl:
    """The crawl of one hub. `progress` may be read by any thread."""

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
        """Ends with `progress.complete`, or with an error, or because of the limit or `stop`."""
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
            # This run was ended while it read other hubs.
            self._update(complete=True)
            return
        place = place.begin(self.options, datetime.now(UTC))
        while True:
            self._check()
            begin = time.monotonic()
            place, page = self._next_page(place)
            self._add(page, place)
            following = place.after(page, self.run_name)
            self.catalog.put_state(key, msgspec.json.encode(following).decode())
            if page.cursor is None:
                self._update(complete=True, fraction=1.0)
                break
            if self.options.limit is not None and self.progress.loras >= self.options.limit:
                return
            place = following
            self.stop.wait(max(0.0, self.source.seconds_per_page - (time.monotonic() - begin)))
        if place.began is not None and place.since is None and not self.options.bases:
            self._check_missing(place.began)

    def _next_page(self, place: Place) -> tuple[Place, Page]:
        """The page at the cursor. One of an earlier run is given up where the hub refuses it and answers the start."""
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
        known = len(self.catalog.stored(loras))
        changed = self.catalog.add(tuple(loras.values()))
        self.catalog.withhold(page.withheld)
        progress, new = self.progress, min(len(loras) - known, changed)
        taken = progress.loras + len(loras)
        parts = [progress.fraction, _fraction(page, place)]
        if self.options.limit is not None:
            parts.append(min(1.0, taken / self.options.limit))
        self._update(
            pages=progress.pages + 1,
            new=progress.new + new,
            changed=progress.changed + changed - new,
            unchanged=progress.unchanged + len(loras) - changed,
            fraction=max(parts),
            # What a crawl that goes on had read before took none of this one's time.
            start_fraction=progress.start_fraction if progress.pages or place.cursor is None else max(parts),
            seconds=time.monotonic() - self._start,
        )

    def _check_missing(self, began: datetime) -> None:
        """A list leaves out what is still there, so only a hub that answers "not found" proves that a LoRA is gone."""
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
            # Most hubs are asked twice about one LoRA.
            self.stop.wait(max(0.0, 2 * self.source.seconds_per_page - (time.monotonic() - begin)))

    def _check(self) -> None:
        if self.stop.is_set():
            raise Stopped

    def _update(self, **changes: object) -> None:
        self.progress = replace(self.progress, **changes)  # type: ignore[arg-type]


class Crawl:
    """The crawl of several hubs at once. One that was ended is the same run when it goes on within a day."""

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
        """Calls `on_progress` now and then. Ctrl+C ends it after the pages under way: then `on_stop` is called."""
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
    """Whether a crawl has read the whole list of a hub."""
    return _read_place(catalog.state(_key(hub, address, CrawlOptions()))).complete is not None


def _key(hub: HubName, address: str, options: CrawlOptions) -> str:
    """A crawl back to a time of its own says nothing of what the usual one has read."""
    return " ".join(("crawl since" if options.since else "crawl", hub, address, *sorted(options.bases)))


def _read_place(stored: str | None) -> Place:
    """The first place again for what can't be read: nothing is lost but time."""
    try:
        return msgspec.json.decode(stored, type=Place) if stored else Place()
    except msgspec.DecodeError:
        return Place()


def _fraction(page: Page, place: Place) -> float:
    """How far back in time the page is, of the time that the crawl goes back from its newest LoRA."""
    times = [time for lora in page.loras if (time := moment(lora.updated_at)) is not None]
    if not times:
        return 0.0
    newest = max(filter(None, (*times, place.newest)))
    whole = newest - (place.since or FIRST_LORAS)
    return max(0.0, min(1.0, (newest - min(times)) / whole)) if whole else 1.0
