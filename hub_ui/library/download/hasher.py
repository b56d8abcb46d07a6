"""The sha256 of a part, computed in a thread of its own while others write it, and the checks of the bytes."""

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from connectors.errors import BadHeader, NotWeights, WrongHash
from connectors.weights.header import FileReader, header_length, read_header
from hub_ui.i18n import _
from hub_ui.library.disk import Fetched
from hub_ui.library.download.partial_file import PartialFile

_CHUNK = 1024 * 1024
# Bytes that wait in memory to be hashed. Others are read back from the part, where the system still has them.
_MOST_WAITING = 8 * 1024 * 1024
_LOOK_AGAIN_SECONDS = 0.2
# Longest time that a connection waits for the hash to come after it.
_MOST_WAIT_SECONDS = 0.2


class Hasher:
    """hashlib lets other threads run, so the hash costs no time beside the network."""

    def __init__(self, part: PartialFile) -> None:
        self._part = part
        self._lock = threading.Condition()
        self._waiting: dict[int, bytes] = {}
        self._round = 0
        self._end = threading.Event()
        self._fed = threading.Event()
        self._moved = threading.Event()
        self._reset()
        self._thread = threading.Thread(target=self._run, name="sha256", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._fed.set()
        self._thread.join()

    def feed(self, at: int, data: bytes) -> None:
        """Bytes that were written to the part at `at`. Far ahead of the hash they are read from the part again."""
        with self._lock:
            if self._is_next(at):
                self._lock.wait_for(lambda: self._waiting_bytes + len(data) <= _MOST_WAITING, _MOST_WAIT_SECONDS)
            if self._is_next(at) and self._waiting_bytes + len(data) <= _MOST_WAITING:
                self._waiting[at] = data
                self._waiting_bytes += len(data)
        self._fed.set()

    def _is_next(self, at: int) -> bool:
        """Whether all bytes from the hash up to here are in memory."""
        return self._at <= at <= self._at + self._hashing + self._waiting_bytes

    def restart(self) -> None:
        """What was hashed belongs to other bytes than those that come now."""
        with self._lock:
            self._round += 1
            self._reset()

    def finish(self, check: Callable[[], None]) -> str:
        """Once the part is complete. `check` is called now and then, and may end the wait by raising."""
        while self._at < (self._part.size or 0):
            check()
            if self._error is not None:
                raise self._error
            self._moved.wait(_LOOK_AGAIN_SECONDS)
            self._moved.clear()
        return self._digest.hexdigest()

    def _reset(self) -> None:
        self._at = 0
        self._digest = hashlib.sha256()
        self._waiting.clear()
        self._waiting_bytes = 0
        self._hashing = 0
        self._error: OSError | None = None

    def _run(self) -> None:
        while not self._end.is_set():
            self._fed.clear()
            try:
                busy = self._step()
            except OSError as error:
                self._error, busy = error, False
                self._moved.set()
            if not busy:
                self._fed.wait()

    def _step(self) -> bool:
        """Hashes what comes next; False if it has not come."""
        with self._lock:
            at, digest, this_round = self._at, self._digest, self._round
            data = self._waiting.pop(at, b"")
            self._waiting_bytes -= len(data)
            self._hashing = len(data)
            self._lock.notify_all()
            stop = min([at + _CHUNK, *(start for start in self._waiting if start > at)])
        stop = min(stop, self._part.end_of(at))
        if not data and stop > at:
            with self._part.path.open("rb", buffering=0) as file:
                file.seek(at)
                data = file.read(stop - at)
        if not data:
            return False
        digest.update(data)
        with self._lock:
            if self._round == this_round:
                self._at, self._hashing = at + len(data), 0
                for start in [start for start in self._waiting if start < self._at]:
                    self._waiting_bytes -= len(self._waiting.pop(start))
        self._moved.set()
        return True


def check_start(head: bytes) -> None:
    """Raises NotWeights when a file that begins with these (at least 9) bytes can't be safetensors."""
    with _errors_as_not_weights():
        header_length(head)


def check_file(path: Path) -> None:
    """Raises NotWeights unless the header can be read and describes exactly the bytes that follow it."""
    with _errors_as_not_weights(), path.open("rb") as file:
        read_header(FileReader(file))


@contextmanager
def _errors_as_not_weights() -> Iterator[None]:
    try:
        yield
    except (NotWeights, BadHeader) as error:
        raise NotWeights(_("{message} It was not kept.").format(message=error.message)) from error


def check_promise(fetched: Fetched, size: int | None, sha256: str | None) -> None:
    """Raises WrongHash unless the bytes are the ones promised. A size alone counts only where there is no hash."""
    if sha256 is not None and fetched.sha256 != sha256.lower():
        raise WrongHash(
            _(
                "The bytes that came (sha256 {sha256}…) are not the ones promised ({sha2562}…). Nothing was "
                "kept; pull it again, and if it happens twice, don't use this file."
            ).format(sha256=fetched.sha256[:12], sha2562=sha256[:12])
        )
    if sha256 is None and size is not None and fetched.size != size:
        raise WrongHash(
            _("{size} bytes came where {size2} were promised. Nothing was kept; pull it again.").format(
                size=fetched.size, size2=size
            )
        )
