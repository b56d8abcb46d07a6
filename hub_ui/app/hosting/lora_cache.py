"""The LoRA files that visitors try, by their sha256: shared, within a byte budget, least recently used gone first.

Nothing here says whose a file is or what it is called: who may have one is asked of its hub before (see downloads.py).
What only a visitor's own right opened lies in a folder of this process, and is gone soon after its last use.
"""

import hashlib
import logging
import os
import re
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

import msgspec
from filelock import FileLock, Timeout

from connectors.connector import HttpDownload
from connectors.errors import HubUiError, UsageError
from connectors.http.ranges import Renew
from hub_ui.base.disk import Fetched, move, replace_file, sha256_of
from hub_ui.base.i18n import N_, _
from hub_ui.library.download.partial_file import DownloadIdentity, Meter, PartialFile
from hub_ui.library.download.transfer import DownloadOptions, fetch

_LOG = logging.getLogger(__name__)
# A file stays so long after its last use, since a generation with several LoRAs fetches one after the other.
IN_USE_SECONDS = 300.0
# Left free beside everything, for uploads, images, and what else the computer does.
SPARE_BYTES = 1_000_000_000
_SECONDS_BETWEEN_TRIES = 0.1
_NO_ROOM = N_(
    "There is no room for another LoRA on this shared page just now. Try again in some minutes, or run hub-ui on your "
    "own computer."
)
_NAME = re.compile(r"[0-9a-f]{64}\.safetensors")
_SHA256 = re.compile(r"[0-9a-f]{64}")


class LoraCache:
    """Any thread may call any method, and several processes may share one folder. `close` it in the end."""

    def __init__(
        self,
        folder: Path,
        *,
        most: int,
        largest: int,
        at_once: int,
        options: DownloadOptions | None = None,
        clock: Callable[[], float] = time.time,
        free: Callable[[], int] | None = None,
    ) -> None:
        """`most` bytes for all files together, `largest` for one, `at_once` downloads. `free` tells how much of the
        disk is.
        """
        self.folder = folder
        self.most = most
        self.largest = min(largest, most)
        self._at_once = at_once
        self._options = options or DownloadOptions()
        self._clock = clock
        self._free = free or (lambda: shutil.disk_usage(folder).free)
        # Of this process: what is coming, and what only a visitor's right opened.
        self._own = folder / "running" / uuid4().hex
        self._running = FileLock(self._own / "lock", thread_local=False)
        self._coming: dict[str, int] = {}
        self._held: Counter[Path] = Counter()
        self._changed = threading.Condition(threading.RLock())

    def find(self, sha256: str, *, shared: bool = True) -> Path | None:
        """The file with these bytes, which then counts as just used; a damaged one is dropped."""
        path = self._path(sha256, shared)
        try:
            is_right = sha256_of(path) == sha256
        except OSError:
            return None
        with self._changed:
            if not is_right:
                self._drop(path)
                return None
            self._touch(path)
        return path

    def fetch(
        self,
        download: HttpDownload,
        meter: Meter | None = None,
        *,
        shared: bool = True,
        renew: Renew | None = None,
        before: Callable[[int], None] = lambda size: None,
    ) -> Fetched:
        """The file, from the disk or from its hub; nothing is left of what failed or was stopped.

        `before` is called with the size of what has to be fetched. Raises UsageError for a file that is too large, and
        HubUiError while there is no room.
        """
        key = download.sha256 or str(download.ref)
        digest = hashlib.sha256(key.encode()).hexdigest()
        meter = meter or Meter()
        meter.most = self.largest
        size = self.largest if download.size is None else download.size
        self.check_size(size)
        self._wait_for_others(key, meter)
        try:
            sha256 = download.sha256 or self._refs().get(digest)
            path = self.find(sha256, shared=shared) if sha256 else None
            if sha256 and path is not None:
                return Fetched(size=path.stat().st_size, sha256=sha256)
            self._make_room(key, size)
            before(size if download.size is not None else 0)
            fetched = self._receive(download, meter, shared, renew)
            if download.sha256 is None and shared:
                self._note(digest, fetched.sha256)
            return fetched
        except OSError as error:
            _LOG.warning("A LoRA could not be kept: %s", error)
            raise HubUiError(_(_NO_ROOM)) from error
        finally:
            with self._changed:
                del self._coming[key]
                self._changed.notify_all()

    def check_size(self, size: int) -> None:
        """Raises UsageError for more than one file may take."""
        if size > self.largest:
            text = _(
                "The file takes {size} MB, and a shared page takes files of at most {largest} MB. Run hub-ui on your "
                "own computer to try it."
            )
            raise UsageError(text.format(size=f"{size // 10**6:,}", largest=f"{self.largest // 10**6:,}"))

    @contextmanager
    def hold(self, paths: Iterable[Path]) -> Iterator[None]:
        """Files that stay while the block runs, however long."""
        held = [path for path in paths if path.is_relative_to(self.folder)]
        with self._changed:
            self._held.update(held)
        try:
            yield
        finally:
            with self._changed:
                self._held.subtract(held)
                for path in held:
                    self._touch(path)
                self._held = +self._held

    def close(self) -> None:
        """Also removes what only visitors' own rights opened."""
        if self._running.is_locked:
            self._running.release()
            shutil.rmtree(self._own, ignore_errors=True)

    def total_bytes(self) -> int:
        """The bytes of all files, and of downloads that other processes run."""
        others = (path for path in self.folder.glob("running/*/*.part") if path.parent != self._own)
        return sum(_size(path) for path in (*self.folder.rglob("*.safetensors"), *others))

    def _path(self, sha256: str, shared: bool) -> Path:
        if not _SHA256.fullmatch(sha256):
            raise UsageError(_("This is no hash of a file. Open the LoRA again."))
        return (self.folder if shared else self._own) / f"{sha256}.safetensors"

    def _wait_for_others(self, key: str, meter: Meter) -> None:
        """Until nobody else fetches the same."""
        with self._changed:
            while key in self._coming:
                meter.check()
                self._changed.wait(_SECONDS_BETWEEN_TRIES)
            if len(self._coming) >= self._at_once:
                raise HubUiError(
                    _("Many LoRAs are being fetched for this shared page just now. Try again in some minutes.")
                )
            self._coming[key] = 0

    def _make_room(self, key: str, size: int) -> None:
        """Deletes what was used longest ago until `size` more bytes fit."""
        with self._changed:
            self._begin()
            # What only visitors' rights opened comes first: it is to go whether or not there is room.
            files = [path for path in (*self._own.iterdir(), *self.folder.iterdir()) if _NAME.fullmatch(path.name)]
            for path in sorted(files, key=lambda path: (path.parent != self._own, _used(path))):
                if self._fits(size) and path.parent != self._own:
                    break
                if self._held[path] <= 0 and self._clock() - _used(path) >= IN_USE_SECONDS:
                    self._drop(path)
            if not self._fits(size):
                raise HubUiError(_(_NO_ROOM))
            self._coming[key] = size

    def _begin(self) -> None:
        """Makes the folder of this process, and removes those of processes that ended without doing so."""
        if self._running.is_locked:
            return
        self._own.mkdir(parents=True, exist_ok=True)
        self._running.acquire(timeout=0)
        for other in self._own.parent.iterdir():
            if other == self._own:
                continue
            lock = FileLock(other / "lock")
            with suppress(Timeout, OSError):
                lock.acquire(timeout=0)
                lock.release()
                shutil.rmtree(other, ignore_errors=True)

    def _fits(self, size: int) -> bool:
        coming = sum(self._coming.values()) + size
        return self.total_bytes() + coming <= self.most and self._free() - coming >= SPARE_BYTES

    def _receive(self, download: HttpDownload, meter: Meter, shared: bool, renew: Renew | None) -> Fetched:
        name = uuid4().hex
        identity = DownloadIdentity(ref=name, address=name, sha256=download.sha256)
        part = PartialFile.open(self._own, self._own / f"{name}.part", self._own / f"{name}.json", identity)
        try:
            fetched = fetch(download, part, meter, renew=renew, options=self._options)
            path = self._path(fetched.sha256, shared)
            with self._changed:
                move(part.path, path)
                self._touch(path)
        finally:
            part.drop()
        meter.finish(fetched.size)
        return fetched

    def _touch(self, path: Path) -> None:
        """The time of its last use. That of its last change tells the engine that it is still the same file."""
        with suppress(OSError):
            os.utime(path, ns=(int(self._clock() * 1e9), path.stat().st_mtime_ns))

    def _drop(self, path: Path) -> None:
        with suppress(OSError):
            path.unlink()

    def _refs(self) -> dict[str, str]:
        """The sha256 of files that no hub tells one of, by a digest of their refs."""
        try:
            return msgspec.json.decode((self.folder / "hashes.json").read_bytes(), type=dict[str, str])
        except (OSError, msgspec.MsgspecError):
            return {}

    def _note(self, digest: str, sha256: str) -> None:
        with self._changed:
            known = self._refs().items()
            kept = {ref: found for ref, found in known if (self.folder / f"{found}.safetensors").exists()}
            replace_file(self.folder / "hashes.json", msgspec.json.encode({**kept, digest: sha256}))


def _used(path: Path) -> float:
    try:
        return path.stat().st_atime
    except OSError:
        return 0.0


def _size(path: Path) -> int:
    try:
        return path.stat().st_size if path.is_file() else 0
    except OSError:
        return 0
