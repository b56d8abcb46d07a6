"""What visitors of a shared page meet in place of its owner's library. See policy.py for what they may do."""

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from connectors.connector import Download
from connectors.errors import HubUiError, UsageError
from connectors.ref import Ref
from hub_ui.hosting.connector import refusals_for_visitors
from hub_ui.i18n import _
from hub_ui.library.library import Library
from hub_ui.library.lockfile import Entry

_IN_USE_SECONDS = 900.0
# Left free beside everything, for uploads, images, and what else the computer does.
_SPARE_BYTES = 1_000_000_000


class VisitorLibrary:
    """Any thread may call any method."""

    def __init__(
        self,
        library: Library,
        *,
        most: int,
        largest: int,
        clock: Callable[[], float] = time.monotonic,
        free: Callable[[], int] | None = None,
    ) -> None:
        """`most` bytes for all files together, `largest` for one. `free` tells how much of the disk is."""
        self.largest = largest
        self._library = library
        self._most = most
        self._clock = clock
        self._free = free or (lambda: shutil.disk_usage(library.folder).free)
        self._used: dict[Ref, float] = {}
        self._coming: dict[Ref, int] = {}
        self._lock = threading.Lock()

    def use(self, ref: Ref) -> None:
        self._used[ref] = self._clock()

    def pull(self, download: Download, pull: Callable[[int], Entry]) -> Entry:
        """What `pull` fetches, given the most bytes that it may; nothing is left of what failed or was stopped."""
        with self.reserve(download.ref, download.size), refusals_for_visitors(download.ref.hub):
            try:
                return pull(self.largest)
            except HubUiError:
                self._library.forget(download.ref)
                raise

    @contextmanager
    def reserve(self, ref: Ref, size: int | None) -> Iterator[None]:
        """Reserves room for `size` bytes while the block runs; None if the size is unknown.

        Raises UsageError for a file that is too large, and HubUiError while there is no room.
        """
        if size is not None and size > self.largest:
            raise UsageError(
                _(
                    "The file takes {size:,} MB, and a shared page tries files of at most {largest:,} MB. Run "
                    "hub-ui on your own computer to try it."
                ).format(size=size // 1_000_000, largest=self.largest // 1_000_000)
            )
        wanted = self.largest if size is None else size
        with self._lock:
            self._library.folder.mkdir(parents=True, exist_ok=True)
            for entry in sorted(self._library.entries(), key=lambda entry: self._used.get(entry.ref, 0.0)):
                if self._fits(wanted):
                    break
                if self._clock() - self._used.get(entry.ref, -_IN_USE_SECONDS) >= _IN_USE_SECONDS:
                    self._library.remove(entry.ref)
            if not self._fits(wanted):
                raise HubUiError(
                    _(
                        "There is no room for another LoRA on this shared page just now. Try again in a "
                        "quarter of an hour, or run hub-ui on your own computer."
                    )
                )
            self._coming[ref] = wanted
        try:
            yield
        finally:
            with self._lock:
                del self._coming[ref]
            self.use(ref)

    def _fits(self, size: int) -> bool:
        coming = sum(self._coming.values()) + size
        taken = sum(path.stat().st_size for path in self._library.folder.rglob("*") if path.is_file())
        return taken + coming <= self._most and self._free() - coming >= _SPARE_BYTES
