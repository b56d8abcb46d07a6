"""Ends connections that wait for bytes once their pull is cancelled: a stalled server would hold it for its timeout."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import requests

from hub_ui.library.progress import Meter

_SECONDS_BETWEEN_LOOKS = 0.2


class Watch:
    """The answers of one pull that are being read."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._lock = threading.Lock()
        self._open: list[requests.Response] = []

    @contextmanager
    def over(self, response: requests.Response) -> Iterator[None]:
        with self._lock:
            self._open.append(response)
        try:
            yield
        finally:
            with self._lock:
                self._open.remove(response)

    @contextmanager
    def running(self) -> Iterator[None]:
        if not self._meter.can_be_cancelled:
            yield
            return
        ended = threading.Event()
        thread = threading.Thread(target=self._look, args=(ended,), name="cancelled?", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def _look(self, ended: threading.Event) -> None:
        while not ended.wait(_SECONDS_BETWEEN_LOOKS):
            if self._meter.cancelled:
                self._shut()

    def _shut(self) -> None:
        """Whoever reads gets an end in place of bytes, and then asks the meter."""
        with self._lock:
            for response in self._open:
                try:
                    response.raw.shutdown()
                # Read to its end already, or not able to.
                except (OSError, RuntimeError, ValueError):
                    continue
