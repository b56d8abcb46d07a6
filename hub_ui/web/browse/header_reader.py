"""Reads the headers of the visible cards in the background, a few at a time."""

import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
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
_UPDATE_SECONDS = 0.5


@dataclass(frozen=True, kw_only=True)
class HeaderReader:
    """One for the whole app: any number of visitors causes at most AT_ONCE requests at a time to each hub."""

    services: Services
    _pools: dict[Origin, ThreadPoolExecutor] = field(default_factory=dict)
    _failed: dict[Ref, float] = field(default_factory=dict)
    _closed: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        for connector in self.services.connectors:
            self._pools[connector.name] = ThreadPoolExecutor(AT_ONCE)

    def read(self, records: Sequence[Record]) -> Iterator[None]:
        """Yields whenever more are known. Ends after the last one, or PATIENCE_SECONDS."""
        stops: dict[Origin, threading.Event] = defaultdict(threading.Event)
        unread = [record for record in records if self._is_unread(record)][:MOST_CARDS]
        running = {self._pools[one.hub].submit(self._read_one, one, stops[one.hub]) for one in unread}
        deadline = time.monotonic() + PATIENCE_SECONDS
        try:
            while running and time.monotonic() < deadline:
                done, running = wait(running, timeout=_UPDATE_SECONDS)
                if any(one.result() for one in done):
                    yield
        finally:
            for stop in stops.values():
                stop.set()

    def close(self) -> None:
        """Waits for the running reads, because their catalog closes next."""
        self._closed.set()
        for pool in self._pools.values():
            pool.shutdown()

    def _is_unread(self, record: Record) -> bool:
        """Whether its file can be read here and has not been."""
        file = record.file
        if self._closed.is_set() or record.hub not in self._pools:
            return False
        if file is None or file.format != "safetensors" or record.access != "open":
            return False
        since_failure = time.monotonic() - self._failed.get(file.ref, -AGAIN_AFTER_SECONDS)
        return since_failure >= AGAIN_AFTER_SECONDS and self.services.lookup.find_facts(file) is None

    def _read_one(self, record: Record, stop: threading.Event) -> bool:
        """Whether its header is known now. A hub that limits requests is asked for no other of these."""
        # While it waited, nobody may want it any more, or it may have been read for somebody else.
        if stop.is_set() or not self._is_unread(record):
            return False
        try:
            self.services.lookup.inspect(record.ref)
        except HubUiError as error:
            if len(self._failed) >= MOST_FAILED:
                self._failed.clear()
            if record.file is not None:
                self._failed[record.file.ref] = time.monotonic()
            if isinstance(error, RateLimited | HubDown | HubTimeout):
                stop.set()
            return False
        return True


def with_header_facts(services: Services, record: Record) -> tuple[Record, Facts | None]:
    """`record` with its file's facts, if they were ever read. Reads nothing itself."""
    facts = services.lookup.find_facts(record.file) if record.file else None
    return (record if facts is None else record_with_header(record, facts.adapter)), facts
