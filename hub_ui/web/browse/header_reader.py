"""Reads the headers of the visible cards in the background, a few at a time."""

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from connectors.claims.resolve import record_with_header
from connectors.errors import HubDown, HubTimeout, HubUiError, RateLimited
from connectors.record import Record
from connectors.ref import Origin, Ref
from connectors.weights.inspect import Facts
from hub_ui.services import Services

MOST_CARDS = 24
AT_ONCE = 2
PATIENCE_SECONDS = 30.0
# Files that failed are not read again with every search.
AGAIN_AFTER_SECONDS = 600.0
MOST_FAILED = 10_000
_LOOK_SECONDS = 0.2
_UPDATE_SECONDS = 0.5


@dataclass(frozen=True, kw_only=True)
class HeaderReader:
    """One for the whole app: any number of visitors causes at most AT_ONCE requests at a time."""

    services: Services
    _gates: dict[Origin, threading.Semaphore] = field(default_factory=dict)
    _failed: dict[Ref, float] = field(default_factory=dict)
    _threads: set[threading.Thread] = field(default_factory=set)
    _closed: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        for connector in self.services.connectors:
            self._gates[connector.name] = threading.Semaphore(AT_ONCE)

    def unread(self, records: Sequence[Record]) -> list[Record]:
        """Those whose file can be read here and has not been, as many as are read at once."""
        return [record for record in records if self._is_unread(record)][:MOST_CARDS]

    def _is_unread(self, record: Record) -> bool:
        file = record.file
        if file is None or file.format != "safetensors" or record.access != "open":
            return False
        since_failure = time.monotonic() - self._failed.get(file.ref, -AGAIN_AFTER_SECONDS)
        return since_failure >= AGAIN_AFTER_SECONDS and self.services.lookup.find_facts(file) is None

    def read(self, records: Sequence[Record], is_cancelled: Callable[[], bool]) -> Iterator[int]:
        """Yields how many more are known, in groups. Ends after the last one, a cancel, or PATIENCE_SECONDS."""
        stop = threading.Event()
        results: queue.SimpleQueue[bool | None] = queue.SimpleQueue()
        running = self._start(self.unread(records), stop, results)
        fresh, updated = 0, time.monotonic()
        deadline = updated + PATIENCE_SECONDS
        try:
            while running and time.monotonic() < deadline and not is_cancelled():
                try:
                    is_known = results.get(timeout=_LOOK_SECONDS)
                except queue.Empty:
                    is_known = False
                running -= is_known is None
                fresh += is_known is True
                if fresh and time.monotonic() - updated >= _UPDATE_SECONDS:
                    yield fresh
                    fresh, updated = 0, time.monotonic()
            if fresh and not is_cancelled():
                yield fresh
        finally:
            stop.set()

    def close(self) -> None:
        """Waits for the running reads, because their catalog closes next."""
        self._closed.set()
        for thread in tuple(self._threads):
            thread.join(PATIENCE_SECONDS)

    def _start(self, records: Iterable[Record], stop: threading.Event, results: queue.SimpleQueue[bool | None]) -> int:
        by_hub: dict[Origin, deque[Record]] = {}
        for record in records:
            by_hub.setdefault(record.hub, deque()).append(record)
        threads = [
            threading.Thread(target=self._work, args=(waiting, stop, results), daemon=True)
            for waiting in by_hub.values()
            for _ in range(min(AT_ONCE, len(waiting)))
        ]
        self._threads.update(threads)
        for thread in threads:
            thread.start()
        return len(threads)

    def _work(self, waiting: deque[Record], stop: threading.Event, results: queue.SimpleQueue[bool | None]) -> None:
        """Puts whether each header is known now, and None at the end."""
        try:
            while waiting and not stop.is_set() and not self._closed.is_set():
                try:
                    record = waiting.popleft()
                except IndexError:  # the other thread took the last one
                    return
                results.put(self._read_one(record, stop))
        except (RateLimited, HubDown, HubTimeout):
            # The hub limits requests. The other thread finds out at its next file.
            return
        finally:
            results.put(None)
            self._threads.discard(threading.current_thread())

    def _read_one(self, record: Record, stop: threading.Event) -> bool:
        with self._gates[record.hub]:
            # While waiting for the limit, it may have been cancelled, or another thread may have read it.
            if stop.is_set() or self._closed.is_set() or not self._is_unread(record):
                return False
            try:
                self.services.lookup.inspect(record.ref)
            except HubUiError as error:
                if len(self._failed) >= MOST_FAILED:
                    self._failed.clear()
                if record.file is not None:
                    self._failed[record.file.ref] = time.monotonic()
                if isinstance(error, (RateLimited, HubDown, HubTimeout)):
                    raise
                return False
        return True


def with_header_facts(services: Services, record: Record) -> tuple[Record, Facts | None]:
    """`record` with its file's facts, if they were ever read. Reads nothing itself."""
    facts = services.lookup.find_facts(record.file) if record.file else None
    return (record if facts is None else record_with_header(record, facts.adapter)), facts
