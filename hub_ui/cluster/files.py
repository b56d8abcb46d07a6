"""Files on their way to a replica, named by their SHA-256: found in a shared folder, or read from where they are."""

import hashlib
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cachetools import LRUCache

from connectors.errors import HubUiError, WrongHash
from hub_ui.i18n import _

_CHUNK = 8_000_000
_MOST_HASHES = 1000
# Chunks that wait in Ray's memory for a replica that writes slowly.
_CHUNKS_AHEAD = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class SharedFile:
    """A file of the computer that asks. `path` is where it is there, and `node` is Ray's name of that computer."""

    path: Path
    sha256: str
    node: str


class Hashes:
    """SHA-256 of files, each read once until it changes."""

    def __init__(self) -> None:
        self._known: LRUCache[tuple[Path, int, int], str] = LRUCache(_MOST_HASHES)
        self._lock = threading.Lock()

    def of(self, path: Path) -> str:
        """Raises OSError for a file that can't be read."""
        stat = path.stat()
        key = path, stat.st_mtime_ns, stat.st_size
        with self._lock:
            known = self._known.get(key)
        if known is None:
            with path.open("rb") as file:
                known = hashlib.file_digest(file, "sha256").hexdigest()
            with self._lock:
                self._known[key] = known
        return known


class FileStore:
    """Files that were sent to this computer, up to `budget` bytes. All of its replicas share the folder."""

    def __init__(self, folder: Path, budget: int) -> None:
        self._folder = folder
        self._budget = budget
        self._hashes = Hashes()

    def find(self, file: SharedFile, read: Callable[[SharedFile], Iterable[bytes]]) -> Path:
        """Where the file is on this computer. `read` fetches what is not here. Raises WrongHash for other bytes."""
        own = self._folder / f"{file.sha256}{file.path.suffix}"
        if own.is_file():
            # What was used last is kept. The time of change stays: caches go by it.
            os.utime(own, ns=(time.time_ns(), own.stat().st_mtime_ns))
            return own
        if self._is_same(file):
            return file.path
        self._folder.mkdir(parents=True, exist_ok=True)
        part = own.with_name(f"{own.name}.{secrets.token_hex(4)}.part")
        digest = hashlib.sha256()
        try:
            with part.open("wb") as out:
                for chunk in read(file):
                    digest.update(chunk)
                    out.write(chunk)
            if digest.hexdigest() != file.sha256:
                raise WrongHash(
                    _(
                        "{name} is not the file that it was when it was downloaded. Remove it and download it again."
                    ).format(name=file.path.name)
                )
            part.replace(own)
        finally:
            part.unlink(missing_ok=True)
        self._make_room(own)
        return own

    def _is_same(self, file: SharedFile) -> bool:
        """Whether the path leads to the same bytes here: on one computer, or in a folder that both have."""
        try:
            return self._hashes.of(file.path) == file.sha256
        except OSError:
            return False

    def _make_room(self, newest: Path) -> None:
        """Deletes what was used longest ago, above the budget."""
        files = [(path.stat(), path) for path in self._folder.iterdir() if path != newest and path.suffix != ".part"]
        used = newest.stat().st_size + sum(stat.st_size for stat, _path in files)
        for stat, path in sorted(files, key=lambda pair: pair[0].st_atime_ns):
            if used <= self._budget:
                return
            path.unlink(missing_ok=True)
            used -= stat.st_size


def read_chunks(path: str) -> Iterator[bytes]:
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk


def read_from_node(file: SharedFile) -> Iterator[bytes]:
    """The file's bytes, read by a task on the computer that it is on."""
    import ray
    from ray.exceptions import RayError
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    remote: Any = ray.remote(read_chunks)  # its types know no streams
    task = remote.options(
        num_cpus=0,
        num_returns="streaming",
        scheduling_strategy=NodeAffinitySchedulingStrategy(node_id=file.node, soft=False),
        _generator_backpressure_num_objects=_CHUNKS_AHEAD,
    )
    try:
        for chunk in task.remote(str(file.path)):
            yield ray.get(chunk)
    except (RayError, OSError) as error:
        raise HubUiError(
            _("{name} could not be sent to the worker that generates. Try again.").format(name=file.path.name)
        ) from error
