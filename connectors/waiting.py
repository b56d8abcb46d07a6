"""How many searches wait for each hub: one that hangs takes only so many, and the others are told at once."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from connectors.errors import HubTimeout
from connectors.ref import HubName

MOST = 16
SLOW_SECONDS = 4.0


class Waiting:
    """Any thread may call any method. A hub that answers takes as many searches as there are."""

    def __init__(
        self, *, most: int = MOST, slow_seconds: float = SLOW_SECONDS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._most = most
        self._slow_seconds = slow_seconds
        self._clock = clock
        self._numbers = itertools.count()
        self._since: dict[HubName, dict[int, float]] = {}
        self._lock = threading.Lock()

    @contextmanager
    def place(self, hub: HubName, label: str) -> Iterator[None]:
        """Raises HubTimeout while `most` searches wait for the hub and the first of them has waited for long."""
        number = next(self._numbers)
        with self._lock:
            since = self._since.setdefault(hub, {})
            if len(since) >= self._most and self._clock() - min(since.values()) > self._slow_seconds:
                raise HubTimeout(
                    f"{label} is slow to answer just now, so its results are left out. Try again in a minute.", hub=hub
                )
            since[number] = self._clock()
        try:
            yield
        finally:
            with self._lock:
                del since[number]
