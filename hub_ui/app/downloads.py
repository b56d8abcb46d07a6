"""Downloads into the library: now, or by the queue; of a LoRA in two files, both."""

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
    """Raises Dangerous for a file in which its hub's scan found danger."""
    if message := format.danger(record):
        raise Dangerous(message, hub=record.hub, url=record.url)


@dataclass(kw_only=True, eq=False, repr=False)
class Downloads:
    """Any thread may call any method. `queue` has to be stopped in the end."""

    settings: Settings
    lookup: Lookup
    lifecycle: Lifecycle

    def __post_init__(self) -> None:
        self._library, self._catalog = self.lookup.library, self.lookup.catalog
        # Other halves, as the catalog knew them at a number of its changes.
        self._halves: tuple[int, dict[Ref, Ref | None]] = (-1, {})
        # As those of Library: what is here of exactly a pinned ref, and what is fetched.
        self._find_file: Callable[[Ref], Entry | None] = self._library.find_installed
        self._fetch: Callable[[Locate, Record, Meter], Entry] = self._library.pull
        self.queue = Queue(self.settings.home / "queue.sqlite", self._pull_task, forget=self._library.forget)

    def holds(self, ref: Ref) -> bool:
        """Whether the library lists it."""
        return self._library.holds(ref)

    def entries(self) -> tuple[Entry, ...]:
        """All that the library lists."""
        return self._library.entries()

    def path(self, entry: Entry) -> Path:
        return self._library.path(entry)

    @contextmanager
    def hold(self, paths: Iterable[Path]) -> Iterator[None]:
        """Keeps files on the disk while the block runs."""
        yield

    def size(self) -> int:
        """In bytes, of all files."""
        return sum(entry.size for entry in self._library.entries())

    def close(self) -> None:
        """Ends what is not the queue's."""

    def find_installed(self, ref: Ref) -> Entry | None:
        """The entry that `ref` means, if its file is there. Of several that it may mean, its hub says which.

        A LoRA without a version or file may also have been fetched from another home of its card. A file that a person
        has given to be looked at counts too.
        """
        entries = [entry for entry in self._library.entries() if entry.answers_to(ref)]
        entries = entries or self.of_other_homes(ref, self._library.entries())
        entries = entries or [entry for entry in OwnFiles(self._library).entries() if entry.answers_to(ref)]
        return entries[0] if len(entries) == 1 and self._library.path(entries[0]).exists() else None

    def of_other_homes(self, ref: Ref, entries: Iterable[Entry]) -> list[Entry]:
        """Those of a LoRA without a version or file that came from another home of its card, with its bytes."""
        homes = self._catalog.homes(ref) if ref == ref.lora else ()
        elsewhere = [entry for entry in entries if entry.ref.lora in homes]
        return [entry for entry in elsewhere if any(same.lora == ref for same in self._catalog.by_sha256(entry.sha256))]

    def find_listed(self, ref: Ref) -> Entry | None:
        """The same without asking anyone, whether or not it may be used just now."""
        return self.find_installed(ref)

    def other_half(self, ref: Ref) -> Ref | None:
        """The file that belongs to this one, of a LoRA in two files, as far as the catalog knows."""
        change = self._catalog.change()
        if self._halves[0] != change:
            self._halves = change, {}
        known = self._halves[1]
        if ref not in known:
            try:
                known[ref] = resolve.other_half(self._catalog.lora(ref), ref)
            except NotFound:
                known[ref] = None
        return known[ref]

    def entries_of(self, ref: Ref) -> tuple[Entry, ...]:
        """As Library.entry; of a LoRA in two files, both where `ref` names neither alone."""
        found = [entry for entry in self._library.entries() if entry.answers_to(ref)]
        both = with_halves(found[:1], found, self.other_half)
        return both if len(found) == len(both) == 2 else (self._library.entry(ref),)

    def pull(self, ref: Ref, meter: Meter | None = None, *, force: bool = False) -> Entry:
        """Pins `ref` and fetches its file unless the library has it. Raises the hub's error, with alternatives.

        With `force` also one in which the hub's scan found danger; Dangerous is raised for it else.
        """
        meter = meter or Meter()
        entry = self._pull_file(ref, force, meter)
        half = self.other_half(entry.ref)
        if half is not None:
            self._pull_file(half, force, meter)
        return entry

    def _pull_file(self, ref: Ref, force: bool, meter: Meter) -> Entry:
        """The hub is asked about the LoRA once: what it answers pins the ref, finds the bytes and fills the entry."""
        if (installed := self._find_file(ref)) is not None:
            return installed
        try:
            lora = self.lookup.with_known_values(self._ask(ref))
            record = record_of(lora, lora.pin(ref))
            if not force:
                check_scan(record)
            home = self._home(ref, record)
            if home != record.ref:
                try:
                    return self._pull_file(home, force, meter)
                except PullCancelled:
                    raise
                # What was asked for is still to be tried.
                except HubUiError as error:
                    _LOG.info("A LoRA of %s comes from another home: %s", home.hub, error.name)
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

    def _ask(self, ref: Ref) -> Lora:
        try:
            # The queue and the command line have time; a visitor's file is asked for while they wait.
            return self.lookup.fetch(ref, is_patient=self.settings.policy.allows("pull"))
        except (NetworkError, RateLimited) as error:
            # A pinned file may still come from a hub whose API is down. The newest version is not known then.
            if not ref.is_pinned:
                raise
            return self.lookup.recall(ref, error)

    def _home(self, ref: Ref, record: Record) -> Ref:
        """Who asks for a LoRA by its id alone, as a card does, means its bytes, wherever they are."""
        if ref != ref.lora or record.file is None or record.file.sha256 is None:
            return record.ref
        homes = self._catalog.homes(ref)
        others = [same for same in self._catalog.by_sha256(record.file.sha256) if same.lora in homes and same.is_pinned]
        known, seconds = self._catalog.lora, self.lookup.seconds
        return best_home(record.ref, others, known, self.settings.tokens, seconds) if others else record.ref

    def enqueue(self, ref: Ref, title: str = "") -> Task:
        """Adds to the queue. A pinned ref goes in under the full name of its file, where that is known."""
        self.lifecycle.check()
        try:
            record = record_of(self._catalog.lora(ref), ref)
        except NotFound:
            return self.queue.add(ref, title)
        named = record.file.ref if ref.is_pinned and record.file is not None else ref
        return self.queue.add(named, title or record.title)

    def _pull_task(self, ref: Ref, on_progress: Callable[[Progress], None], is_cancelled: Callable[[], bool]) -> Entry:
        """What the lock file pins may come from any hub that is known to have the same bytes."""
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
