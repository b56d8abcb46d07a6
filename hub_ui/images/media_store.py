"""Images of hubs, kept on disk so that they come once, without a network too.

    <home>/hub-images/3f/3f9a…-5d0c….webp    SHA-256 of the address, then of the content; the type is the checked one

A store has a budget in bytes. What was not shown for longest goes first: a file's time is that of its last use. Several
processes may use a folder: a file comes into place whole, and one that is gone or damaged is as if never kept.
"""

import hashlib
import os
import secrets
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

# Types that were checked by their bytes. An SVG may contain code, so it is none of them.
SUFFIXES = {
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/webp": ".webp",
    "image/gif": ".gif",
    "video/mp4": ".mp4",
    "video/webm": ".webm",
}
_TYPES = {suffix: media_type for media_type, suffix in SUFFIXES.items()}
_PART = ".part"
# A process that was killed in the middle leaves one behind.
_PART_SECONDS = 3600.0
# Others may add files unseen, so the folder is counted anew after so much of the budget.
_SHARE_BETWEEN_COUNTS = 20


@dataclass(frozen=True, kw_only=True)
class MediaFile:
    data: bytes
    media_type: str

    @cached_property
    def digest(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


class MediaStore:
    """Any thread may use it. It raises nothing: what can't be kept is fetched again."""

    def __init__(self, folder: Path, budget: int) -> None:
        """Use `folder` for at most `budget` bytes; a budget of 0 stores no files."""
        self.folder = folder
        self.budget = budget
        self._uncounted = budget
        self._lock = threading.Lock()

    def get(self, url: str, types: Sequence[str] = tuple(SUFFIXES)) -> MediaFile | None:
        """Return the stored file for `url` if its type is one of `types`, or else None."""
        for path in self._paths(url):
            media_type = _TYPES.get(path.suffix)
            with suppress(OSError):
                data = path.read_bytes()
                found = MediaFile(data=data, media_type=media_type or "")
                if found.digest != path.stem.partition("-")[2]:
                    path.unlink()
                elif media_type in types:
                    # The time of use can't be stored on a read-only disk.
                    with suppress(OSError):
                        os.utime(path)
                    return found
        return None

    def put(self, url: str, file: MediaFile) -> None:
        """Store the file, and delete the least recently used files if the budget is spent."""
        name = _name(url)
        path = self.folder / name[:2] / f"{name}-{file.digest}{SUFFIXES[file.media_type]}"
        part = path.with_suffix(f".{secrets.token_hex(4)}{_PART}")
        with suppress(OSError):
            with self._lock:
                has_room = self._make_room(len(file.data))
            if not has_room:
                return
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                part.write_bytes(file.data)
                part.replace(path)
            finally:
                part.unlink(missing_ok=True)

    def size(self) -> int:
        """In bytes, of all files."""
        return sum(size for _, size, _ in self._files())

    def clear(self) -> None:
        for _, _, path in self._files():
            with suppress(OSError):
                path.unlink()

    def _paths(self, url: str) -> list[Path]:
        name = _name(url)
        with suppress(OSError):
            return [path for path in (self.folder / name[:2]).glob(f"{name}-*") if path.suffix in _TYPES]
        return []

    def _make_room(self, size: int) -> bool:
        """Whether there is room for `size` bytes. Counts the folder only every now and then."""
        between = self.budget // _SHARE_BETWEEN_COUNTS
        self._uncounted += size
        if self._uncounted < between:
            return True
        files = sorted(self._files())
        total, most = sum(size for _, size, _ in files), self.budget - between
        for at, old, path in files:
            is_left_over = path.suffix == _PART and at < time.time() - _PART_SECONDS
            if total + size > most or is_left_over:
                with suppress(OSError):
                    path.unlink()
                    total -= old
        self._uncounted = 0
        return total + size <= most

    def _files(self) -> Iterator[tuple[float, int, Path]]:
        """Time of last use, size and path."""
        with suppress(OSError):
            for inner in os.scandir(self.folder):
                with suppress(OSError):
                    for entry in os.scandir(inner.path):
                        with suppress(OSError):
                            found = entry.stat()
                            yield found.st_mtime, found.st_size, Path(entry.path)


def _name(url: str) -> str:
    return hashlib.sha256(url.encode("utf-8", "surrogatepass")).hexdigest()
