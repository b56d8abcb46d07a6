"""What visitors of a shared page meet in place of its owner's hubs and library. See policy.py for what they may do."""

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from huggingface_hub import hf_hub_url

from connectors.connector import Connector, Download, HttpDownload
from connectors.errors import AccessError, Gated, HubUiError, KeyRequired, NotFound, UsageError
from connectors.query import Page, Query
from connectors.record import Lora
from connectors.ref import Ref
from hub_ui.i18n import _
from hub_ui.library.library import Library
from hub_ui.library.lockfile import Entry


class VisitorConnector:
    """What the hub says to someone without a key. `connector` must have none."""

    def __init__(self, connector: Connector) -> None:
        self.connector = connector
        self.name = connector.name
        self.label = connector.label

    def search(self, query: Query, cursor: str | None = None) -> Page:
        with refusals_for_visitors(self.label):
            return self.connector.search(query, cursor)

    def get(self, ref: Ref) -> Lora:
        with refusals_for_visitors(self.label):
            return self.connector.get(ref)

    def download(self, ref: Ref, lora: Lora | None = None) -> Download:
        with refusals_for_visitors(self.label):
            found = self.connector.download(ref, lora)
        if isinstance(found, HttpDownload):
            return found
        # Hugging Face's cache is the owner's: visitors must neither fill it nor be served from it.
        url = hf_hub_url(found.repo, found.path, revision=found.commit, endpoint=found.endpoint)
        return HttpDownload(ref=found.ref, name=found.name, url=url, size=found.size, sha256=found.sha256)

    def locate(self, ref: Ref) -> Download:
        with refusals_for_visitors(self.label):
            return self.connector.locate(ref)


@contextmanager
def refusals_for_visitors(label: str) -> Iterator[None]:
    """A visitor has no key to add, and must not hear of the owner's."""
    try:
        yield
    except (KeyRequired, Gated) as error:
        raise AccessError(
            _(
                "{label} hands this to signed-in people only, and a shared page signs in to no hub. Choose "
                "another LoRA, or run hub-ui on your own computer with a key of your own."
            ).format(label=label),
            hub=error.hub,
        ) from error
    except NotFound as error:
        if "key" not in error.message:
            raise
        raise NotFound(
            _("{label} has nothing of that name that is open to everyone.").format(label=label), hub=error.hub
        ) from error


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

    def pull(self, download: Download, label: str, pull: Callable[[int], Entry]) -> Entry:
        """What `pull` fetches, given the most bytes that it may; nothing is left of what failed or was stopped."""
        with self.reserve(download.ref, download.size), refusals_for_visitors(label):
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
