"""Downloads: from a hub into the library. Their progress, and how they are stopped."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from connectors.errors import HubUiError, UsageError
from hub_ui.i18n import _

_SECONDS_BETWEEN_REPORTS = 0.1


class PullCancelled(HubUiError):
    """The person stopped a pull. What had come is kept, so that it can go on later."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """In bytes."""

    done: int
    total: int | None


class Meter:
    """Counts a pull's bytes from several threads, calls its callbacks from one at a time, and raises PullCancelled."""

    def __init__(
        self,
        *,
        on_progress: Callable[[Progress], None] | None = None,
        is_cancelled: Callable[[], bool] | None = None,
    ) -> None:
        self.total: int | None = None
        # So many bytes are let through: what a server says of its file's size need not be so.
        self.most: int | None = None
        self._on_progress = on_progress
        self._is_cancelled = is_cancelled
        self._last = 0.0
        self._done = 0
        self._lock = threading.RLock()

    def at(self, done: int, total: int | None) -> None:
        """So many bytes lie here already; after a start from the front, fewer than there were."""
        with self._lock:
            self._done, self.total = done, total

    def add(self, count: int) -> None:
        with self._lock:
            self._done += count
            self.check()
            now = time.monotonic()
            if now - self._last >= _SECONDS_BETWEEN_REPORTS:
                self._last = now
                self._report()

    def check(self) -> None:
        with self._lock:
            if self._is_cancelled is not None and self._is_cancelled():
                raise PullCancelled(_("Stopped. What has come is kept; pull it again to go on."))
            if self.most is not None and self._done > self.most:
                raise UsageError(
                    _("The file takes more than {most:,} MB, the most for one here.").format(
                        most=self.most // 1_000_000
                    )
                )

    def finish(self, size: int) -> None:
        """The last report: everything is there."""
        with self._lock:
            self._done = self.total = size
            self._report()

    def _report(self) -> None:
        if self._on_progress is not None:
            self._on_progress(Progress(done=self._done, total=self.total))
