"""A cache of LoRA files for all visitors, keyed by sha256, that evicts the least recently used files.

It stores neither names nor owners: downloads.py asks the hub for access before it reads a file from here. Files that
only a visitor's own key opened are stored in a folder of this process, and deleted soon after their last use.
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
# Keep a file this long after its last use, because a generation fetches its LoRAs one after the other.
IN_USE_SECONDS = 300.0
# Disk space to leave free for uploads, images and other programs.
SPARE_BYTES = 1_000_000_000
_SECONDS_BETWEEN_TRIES = 0.1
_NO_ROOM = N_(
    "There is no room for another LoRA on this shared page just now. Try again in some minutes, or run hub-ui on your "
    "own computer."
)
_NAME = re.compile(r"[0-9a-f]{64}\.safetensors")
_SHA256 = re.compile(r"[0-9a-f]{64}")


class LoraCache:
    """A cache of LoRA files in one folder, which several processes may share. Thread-safe.

    `close` it when the process ends.
    """

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
        """Set the limits: `most` bytes for all files, `largest` bytes for one, and `at_once` parallel downloads.

        `free` returns the free bytes of the disk.
        """
        self.folder = folder
        self.most = most
        self.largest = min(largest, most)
        self._at_once = at_once
        self._options = options or DownloadOptions()
        self._clock = clock
        self._free = free or (lambda: shutil.disk_usage(folder).free)
        # The folder of this process, for running downloads and for files that only a visitor's own key opened.
        self._private = folder / "running" / uuid4().hex
        self._process_lock = FileLock(self._private / "lock", thread_local=False)
        # The bytes reserved for each running download.
        self._reserved: dict[str, int] = {}
        self._in_use: Counter[Path] = Counter()
        self._changed = threading.Condition(threading.RLock())

    def find(self, sha256: str, *, shared: bool = True) -> Path | None:
        """Return the path of a cached file, or None, and mark it as just used. Delete a damaged file."""
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
        """Return the file from the cache, or download it. Delete partial files of failed or cancelled downloads.

        `before` is called with the size in bytes before a download, or with 0 if the size is unknown. Raise UsageError
        if the file is too large, and HubUiError if there is no room for it or too many downloads are running.
        """
        key = download.sha256 or str(download.ref)
        digest = hashlib.sha256(key.encode()).hexdigest()
        meter = meter or Meter()
        meter.most = self.largest
        size = self.largest if download.size is None else download.size
        self.check_size(size)
        self._wait_for_others(key, meter)
        try:
            sha256 = download.sha256 or self._read_hashes().get(digest)
            path = self.find(sha256, shared=shared) if sha256 else None
            if sha256 and path is not None:
                return Fetched(size=path.stat().st_size, sha256=sha256)
            self._make_room(key, size)
            before(size if download.size is not None else 0)
            fetched = self._receive(download, meter, shared, renew)
            if download.sha256 is None and shared:
                self._store_hash(digest, fetched.sha256)
            return fetched
        except OSError as error:
            _LOG.warning("A LoRA could not be kept: %s", error)
            raise HubUiError(_(_NO_ROOM)) from error
        finally:
            with self._changed:
                del self._reserved[key]
                self._changed.notify_all()

    def check_size(self, size: int) -> None:
        """Raise UsageError if a file of `size` bytes is too large."""
        if size > self.largest:
            text = _(
                "The file takes {size} MB, and a shared page takes files of at most {largest} MB. Run hub-ui on your "
                "own computer to try it."
            )
            raise UsageError(text.format(size=f"{size // 10**6:,}", largest=f"{self.largest // 10**6:,}"))

    @contextmanager
    def hold(self, paths: Iterable[Path]) -> Iterator[None]:
        """Keep these files from being evicted while the block runs."""
        cached = [path for path in paths if path.is_relative_to(self.folder)]
        with self._changed:
            self._in_use.update(cached)
        try:
            yield
        finally:
            with self._changed:
                self._in_use.subtract(cached)
                for path in cached:
                    self._touch(path)
                # Unary plus drops the paths whose count is zero.
                self._in_use = +self._in_use

    def close(self) -> None:
        """Delete the folder of this process, with the files that only visitors' own keys opened."""
        if self._process_lock.is_locked:
            self._process_lock.release()
            shutil.rmtree(self._private, ignore_errors=True)

    def total_bytes(self) -> int:
        """Return the bytes of all cached files and of the downloads that other processes are running."""
        others = (path for path in self.folder.glob("running/*/*.part") if path.parent != self._private)
        return sum(_size(path) for path in (*self.folder.rglob("*.safetensors"), *others))

    def _path(self, sha256: str, shared: bool) -> Path:
        if not _SHA256.fullmatch(sha256):
            raise UsageError(_("This is no hash of a file. Open the LoRA again."))
        return (self.folder if shared else self._private) / f"{sha256}.safetensors"

    def _wait_for_others(self, key: str, meter: Meter) -> None:
        """Wait until no other thread downloads the same file, then register this download."""
        with self._changed:
            while key in self._reserved:
                meter.check()
                self._changed.wait(_SECONDS_BETWEEN_TRIES)
            if len(self._reserved) >= self._at_once:
                raise HubUiError(
                    _("Many LoRAs are being fetched for this shared page just now. Try again in some minutes.")
                )
            self._reserved[key] = 0

    def _make_room(self, key: str, size: int) -> None:
        """Delete the least recently used files until `size` more bytes fit, and reserve them."""
        with self._changed:
            self._begin()
            # Files that only visitors' own keys opened come first: they are deleted even if there is room.
            files = [path for path in (*self._private.iterdir(), *self.folder.iterdir()) if _NAME.fullmatch(path.name)]
            for path in sorted(files, key=lambda path: (path.parent != self._private, _last_used(path))):
                if self._fits(size) and path.parent != self._private:
                    break
                if self._in_use[path] <= 0 and self._clock() - _last_used(path) >= IN_USE_SECONDS:
                    self._drop(path)
            if not self._fits(size):
                raise HubUiError(_(_NO_ROOM))
            self._reserved[key] = size

    def _begin(self) -> None:
        """Create the folder of this process, and delete the folders of processes that have crashed."""
        if self._process_lock.is_locked:
            return
        self._private.mkdir(parents=True, exist_ok=True)
        self._process_lock.acquire(timeout=0)
        for other in self._private.parent.iterdir():
            if other == self._private:
                continue
            lock = FileLock(other / "lock")
            with suppress(Timeout, OSError):
                lock.acquire(timeout=0)
                lock.release()
                shutil.rmtree(other, ignore_errors=True)

    def _fits(self, size: int) -> bool:
        reserved = sum(self._reserved.values()) + size
        return self.total_bytes() + reserved <= self.most and self._free() - reserved >= SPARE_BYTES

    def _receive(self, download: HttpDownload, meter: Meter, shared: bool, renew: Renew | None) -> Fetched:
        name = uuid4().hex
        identity = DownloadIdentity(ref=name, address=name, sha256=download.sha256)
        part = PartialFile.open(self._private, self._private / f"{name}.part", self._private / f"{name}.json", identity)
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
        """Set the access time to now. Keep the modification time, by which the engine detects changed files."""
        with suppress(OSError):
            os.utime(path, ns=(int(self._clock() * 1e9), path.stat().st_mtime_ns))

    def _drop(self, path: Path) -> None:
        with suppress(OSError):
            path.unlink()

    def _read_hashes(self) -> dict[str, str]:
        """Read the sha256 of files whose hub does not publish it, keyed by a digest of their ref."""
        try:
            return msgspec.json.decode((self.folder / "hashes.json").read_bytes(), type=dict[str, str])
        except (OSError, msgspec.MsgspecError):
            return {}

    def _store_hash(self, digest: str, sha256: str) -> None:
        with self._changed:
            stored = self._read_hashes().items()
            cached = {key: value for key, value in stored if (self.folder / f"{value}.safetensors").exists()}
            replace_file(self.folder / "hashes.json", msgspec.json.encode({**cached, digest: sha256}))


def _last_used(path: Path) -> float:
    try:
        return path.stat().st_atime
    except OSError:
        return 0.0


def _size(path: Path) -> int:
    try:
        return path.stat().st_size if path.is_file() else 0
    except OSError:
        return 0
