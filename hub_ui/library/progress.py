"""How far a pull has come, and the way to stop it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from connectors.errors import HubUiError

_SECONDS_BETWEEN_REPORTS = 0.1


class PullCancelled(HubUiError):
    """The person stopped a pull. Nothing of it is left behind."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """`done` and `total` in bytes; `total` is None while nobody has said."""

    done: int
    total: int | None
    seconds: float

    @property
    def fraction(self) -> float | None:
        return min(1.0, self.done / self.total) if self.total else None


class Meter:
    """Counts bytes of one pull, reports a few times a second, and raises PullCancelled once asked to."""

    def __init__(
        self,
        *,
        total: int | None = None,
        report: Callable[[Progress], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> None:
        self.total = total
        self._report = report
        self._cancelled = cancelled
        self._start = time.monotonic()
        self._last = 0.0
        self._done = 0

    def add(self, count: int) -> None:
        self._done += count
        self.check()
        now = time.monotonic()
        if now - self._last >= _SECONDS_BETWEEN_REPORTS:
            self._last = now
            self._tell()

    def check(self) -> None:
        if self._cancelled is not None and self._cancelled():
            raise PullCancelled("Stopped. Nothing was kept; pull it again to start over.")

    def finish(self, size: int) -> None:
        """The last report: everything is there."""
        self._done = self.total = size
        self._tell()

    def _tell(self) -> None:
        if self._report is not None:
            self._report(Progress(done=self._done, total=self.total, seconds=time.monotonic() - self._start))
