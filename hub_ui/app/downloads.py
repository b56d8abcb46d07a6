"""Downloads into the library, at once or through the queue. Both files of a two-file LoRA are downloaded."""

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from connectors.claims import resolve
from connectors.claims.resolve import record_of
from connectors.errors import AccessError, Dangerous, HubUiError, NetworkError, NotFound, RateLimited
from connectors.record import Lora, Record
from connectors.ref import LOCAL, Ref
from hub_ui.app.lookup import Lookup
from hub_ui.base import format
from hub_ui.base.lifecycle import Lifecycle
from hub_ui.library.download.partial_file import Meter, Progress, PullCancelled
from hub_ui.library.download.queue import Queue
from hub_ui.library.download.queue_tasks import Task
from hub_ui.library.download.sync import best_home, pull_from_mirror
from hub_ui.library.library import Locate
from hub_ui.library.lockfile import Entry
from hub_ui.library.upkeep.collections import with_halves
from hub_ui.library.upkeep.identify import OwnFiles
from hub_ui.settings import Settings

_LOG = logging.getLogger(__name__)


def check_scan(record: Record) -> None:
    """Raise Dangerous if the hub's scan flagged the file."""
    if message := format.danger(record):
        raise Dangerous(message, hub=record.hub, url=record.url)


@dataclass(kw_only=True, eq=False, repr=False)
class Downloads:
    """The downloads of a library. Thread-safe. Stop `queue` when the process ends."""

    settings: Settings
    lookup: Lookup
    lifecycle: Lifecycle

    def __post_init__(self) -> None:
        self._library, self._catalog = self.lookup.library, self.lookup.catalog
        # A cache of other halves, valid for one change number of the catalog.
        self._halves: tuple[int, dict[Ref, Ref | None]] = (-1, {})
        # VisitorDownloads replaces these two methods of Library.
        self._find_file: Callable[[Ref], Entry | None] = self._library.find_installed
        self._fetch: Callable[[Locate, Record, Meter], Entry] = self._library.pull
        self.queue = Queue(self.settings.home / "queue.sqlite", self._pull_task, forget=self._library.forget)

    def holds(self, ref: Ref) -> bool:
        """Check whether the library has an entry for `ref`."""
        return self._library.holds(ref)

    def entries(self) -> tuple[Entry, ...]:
        """Return all entries of the library."""
        return self._library.entries()

    def path(self, entry: Entry) -> Path:
        return self._library.path(entry)

    @contextmanager
    def hold(self, paths: Iterable[Path]) -> Iterator[None]:
        """Keep these files on the disk while the block runs."""
        yield

    def size(self) -> int:
        """Return the size of all files in bytes."""
        return sum(entry.size for entry in self._library.entries())

    def close(self) -> None:
        """Close everything except the queue."""

    def find_installed(self, ref: Ref) -> Entry | None:
        """Return the entry that `ref` matches, if its file exists. Return None if it matches several entries.

        A ref without a version or file also matches a copy of the LoRA from another hub. Local files that a person has
        opened are searched last.
        """
        entries = [entry for entry in self._library.entries() if entry.answers_to(ref)]
        entries = entries or self.entries_of_copies(ref, self._library.entries())
        entries = entries or [entry for entry in OwnFiles(self._library).entries() if entry.answers_to(ref)]
        return entries[0] if len(entries) == 1 and self._library.path(entries[0]).exists() else None

    def entries_of_copies(self, ref: Ref, entries: Iterable[Entry]) -> list[Entry]:
        """Return the entries whose file is also a file of the LoRA `ref`, but was downloaded from another source.

        The list is empty if `ref` names a version or a file.
        """
        sources = self._catalog.homes(ref) if ref == ref.lora else ()
        others = [entry for entry in entries if entry.ref.lora in sources]
        return [entry for entry in others if any(same.lora == ref for same in self._catalog.by_sha256(entry.sha256))]

    def find_listed(self, ref: Ref) -> Entry | None:
        """Return the entry without a request to a hub, even if the hub might refuse its file now."""
        return self.find_installed(ref)

    def other_half(self, ref: Ref) -> Ref | None:
        """Return the ref of the other file of a two-file LoRA, if the catalog knows it."""
        change = self._catalog.change()
        if self._halves[0] != change:
            self._halves = change, {}
        halves = self._halves[1]
        if ref not in halves:
            try:
                halves[ref] = resolve.other_half(self._catalog.lora(ref), ref)
            except NotFound:
                halves[ref] = None
        return halves[ref]

    def entries_of(self, ref: Ref) -> tuple[Entry, ...]:
        """Return the entry as Library.entry does, or both entries if `ref` matches the two files of one LoRA."""
        matches = [entry for entry in self._library.entries() if entry.answers_to(ref)]
        both = with_halves(matches[:1], matches, self.other_half)
        return both if len(matches) == len(both) == 2 else (self._library.entry(ref),)

    def pull(self, ref: Ref, meter: Meter | None = None, *, force: bool = False) -> Entry:
        """Pin `ref` and download its file unless it is installed. Raise the hub's error, with alternatives.

        Raise Dangerous if the hub's scan flagged the file, unless `force` is set.
        """
        meter = meter or Meter()
        entry = self._pull_file(ref, force, meter)
        half = self.other_half(entry.ref)
        if half is not None:
            self._pull_file(half, force, meter)
        return entry

    def _pull_file(self, ref: Ref, force: bool, meter: Meter) -> Entry:
        # One request for the LoRA is enough: it pins the ref, locates the file and fills the entry.
        if (installed := self._find_file(ref)) is not None:
            return installed
        try:
            lora = self.lookup.with_known_values(self._fetch_lora(ref))
            record = record_of(lora, lora.pin(ref))
            if not force:
                check_scan(record)
            copy = self._best_copy(ref, record)
            if copy != record.ref:
                try:
                    return self._pull_file(copy, force, meter)
                except PullCancelled:
                    raise
                # Fall back to the requested LoRA.
                except HubUiError as error:
                    _LOG.info("A LoRA of %s comes from another home: %s", copy.hub, error.name)
            entry = self._find_file(record.ref) if ref.hub == LOCAL else None
            if entry is None:
                locate = partial(self.lookup.connector(ref.hub).download, record.ref, lora)
                entry = self._fetch(locate, record, meter)
                self.lookup.metrics.downloads.labels(ref.hub).inc(entry.size)
                _LOG.info("a file", extra={"hub": ref.hub, "bytes": entry.size})
        except (NotFound, AccessError) as error:
            raise self.lookup.explain(error, ref) from error
        self.lookup.remember_header(entry, self.path(entry))
        return entry

    def _fetch_lora(self, ref: Ref) -> Lora:
        try:
            # The queue and the command line can wait for a slow hub, but a visitor's page can't.
            return self.lookup.fetch(ref, is_patient=self.settings.policy.allows("pull"))
        except (NetworkError, RateLimited) as error:
            # A pinned file can often be downloaded while the API is down, but the newest version can't be found.
            if not ref.is_pinned:
                raise
            return self.lookup.recall(ref, error)

    def _best_copy(self, ref: Ref, record: Record) -> Ref:
        """Return the best source of the file. Any copy will do if `ref` names neither version nor file."""
        if ref != ref.lora or record.file is None or record.file.sha256 is None:
            return record.ref
        sources = self._catalog.homes(ref)
        copies = [
            copy for copy in self._catalog.by_sha256(record.file.sha256) if copy.lora in sources and copy.is_pinned
        ]
        lora, seconds = self._catalog.lora, self.lookup.seconds
        return best_home(record.ref, copies, lora, self.settings.tokens, seconds) if copies else record.ref

    def enqueue(self, ref: Ref, title: str = "") -> Task:
        """Add `ref` to the queue. If it is pinned and its file is known, queue the full ref of the file."""
        self.lifecycle.check()
        try:
            record = record_of(self._catalog.lora(ref), ref)
        except NotFound:
            return self.queue.add(ref, title)
        file_ref = record.file.ref if ref.is_pinned and record.file is not None else ref
        return self.queue.add(file_ref, title or record.title)

    def _pull_task(self, ref: Ref, on_progress: Callable[[Progress], None], is_cancelled: Callable[[], bool]) -> Entry:
        """Download a queued file. If its hub refuses, try mirrors, provided that the lock file pins its bytes."""
        meter = Meter(on_progress=on_progress, is_cancelled=is_cancelled)
        try:
            return self.pull(ref, meter)
        except (NotFound, AccessError) as error:
            entry = self._library.find(ref)
            if entry is None:
                raise
            refs = self._catalog.by_sha256(entry.sha256)
            pull_from_mirror(error, self._library, entry, refs, self.lookup.connector, meter)
            return entry
