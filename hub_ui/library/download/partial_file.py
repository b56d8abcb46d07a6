"""An incomplete download: a `.part` file next to its target, and a small state file that describes it.

The state is saved often, and always after the bytes that it describes. So a killed process loses only its last moments,
and a state never claims bytes that are missing.

A separate thread computes the SHA-256 while other threads write the bytes. A meter counts the bytes and can stop the
download.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

import msgspec

from connectors.errors import BadHeader, HubUiError, NotWeights, UsageError, WrongHash
from connectors.weights.header import FileReader, header_length, read_header
from hub_ui.base.disk import Fetched, leads_inside, move
from hub_ui.base.i18n import _

_READ_AS = 1
_SECONDS_BETWEEN_SAVES = 0.5
_SECONDS_BETWEEN_REPORTS = 0.1
SUFFIX = ".part"

Span = tuple[int, int]


class PullCancelled(HubUiError):
    """A visitor stopped a pull. The received bytes are kept, so that it can be resumed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """The progress in bytes."""

    done: int
    total: int | None


@dataclass(kw_only=True, eq=False, repr=False)
class Meter:
    """A counter for the bytes of a pull. It is thread-safe and calls its callbacks from one thread at a time.

    Raises PullCancelled after a cancellation. Raises UsageError after more than `most` bytes, because a server may
    report a wrong size.
    """

    on_progress: Callable[[Progress], None] | None = None
    is_cancelled: Callable[[], bool] | None = None
    most: int | None = None
    total: int | None = None
    _last: float = 0.0
    _done: int = 0
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def at(self, done: int, total: int | None) -> None:
        """Set the bytes that exist already. After a restart they are fewer than before."""
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
            if self.is_cancelled is not None and self.is_cancelled():
                raise PullCancelled(_("Stopped. What has come is kept; pull it again to go on."))
            if self.most is not None and self._done > self.most:
                text = _("The file takes more than {most:,} MB, the most for one here.")
                raise UsageError(text.format(most=self.most // 1_000_000))

    def finish(self, size: int) -> None:
        """Report that all bytes have arrived."""
        with self._lock:
            self._done = self.total = size
            self._report()

    def _report(self) -> None:
        if self.on_progress is not None:
            self.on_progress(Progress(done=self._done, total=self.total))


class DownloadIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """The file that the bytes belong to. `address` is the permanent one, without any secret."""

    ref: str
    address: str
    sha256: str | None = None

    def allows(self, other: DownloadIdentity) -> bool:
        """Return whether a download of `other` can resume this one. A promised hash outranks a different address."""
        if self.ref != other.ref or (self.sha256 and other.sha256 and self.sha256 != other.sha256):
            return False
        return self.address == other.address or (self.sha256 is not None and self.sha256 == other.sha256)


class PartState(msgspec.Struct, kw_only=True):
    """The state of a partial file, stored as JSON.

    `validator` is the ETag or the date, `size` the size of the file, both from the server. `inside` is the span of the
    file in the server's tar. `proved` is the SHA-256 of a part that was completely checked, `target` its final path:
    both are saved before the rename.
    """

    purpose: DownloadIdentity
    part: str
    validator: str | None = None
    size: int | None = None
    inside: Span | None = None
    spans: list[Span] = []
    proved: str | None = None
    target: str | None = None
    read_as: int = _READ_AS


class PartialFile:
    """A partial file. Several threads may write at different positions at once."""

    def __init__(self, path: Path, state_path: Path, state: PartState) -> None:
        self.path = path
        self.state = state
        self._state_path = state_path
        # The number of restarts, each of which drops all bytes.
        self.restarts = 0
        self._lock = threading.RLock()
        self._saved = 0.0

    @classmethod
    def open(cls, folder: Path, path: Path, state_path: Path, purpose: DownloadIdentity) -> PartialFile:
        """Open the part of an earlier pull of the same file. Any other part is deleted.

        `path` is next to the file's target in `folder`. The name of `state_path` depends on the ref.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        state_path.parent.mkdir(parents=True, exist_ok=True)
        part = path.relative_to(folder).as_posix()
        known = read_state(state_path)
        old = part_of(folder, known) if known else None
        if known and old and purpose.allows(known.purpose) and _move_bytes(known, old, path):
            state = msgspec.structs.replace(known, purpose=purpose, part=part, proved=None, target=None)
            return cls(path, state_path, state)
        if old is not None and old.exists():
            old.unlink()
        path.unlink(missing_ok=True)
        return cls(path, state_path, PartState(purpose=purpose, part=part))

    @property
    def size(self) -> int | None:
        return self.state.size

    @property
    def bytes_done(self) -> int:
        return sum(stop - start for start, stop in self.state.spans)

    @property
    def complete(self) -> bool:
        return self.size is not None and self.end_of(0) >= self.size

    def end_of(self, at: int) -> int:
        """Return the end of the contiguous bytes from `at` on."""
        return next((stop for start, stop in self.state.spans if start <= at < stop), at)

    def gaps(self) -> Iterator[tuple[int, int | None]]:
        """Yield the missing spans. The last one has no end while the size is unknown."""
        at = 0
        for start, stop in self.state.spans:
            if start > at:
                yield at, start
            at = stop
        if self.size is None or at < self.size:
            yield at, self.size

    @contextmanager
    def writer(self, at: int) -> Iterator[BinaryIO]:
        self.path.touch()
        with self.path.open("r+b", buffering=0) as file:
            file.seek(at)
            yield file

    def wrote(self, start: int, stop: int) -> None:
        with self._lock:
            self.state.spans = _merge([*self.state.spans, (start, stop)])
            if time.monotonic() - self._saved >= _SECONDS_BETWEEN_SAVES:
                self.save()

    def update(self, **values: Any) -> None:
        """Set fields of PartState by name and save it."""
        with self._lock:
            self.state = msgspec.structs.replace(self.state, **values)
            self.save()

    def restart(self) -> None:
        """Drop all bytes, because they belong to another file or the download can't be resumed."""
        with self._lock:
            self.restarts += 1
            self.state = PartState(purpose=self.state.purpose, part=self.state.part)
            self.path.write_bytes(b"")
            self.save()

    def save(self) -> None:
        with self._lock:
            if self.state.purpose.sha256 is None and self.state.spans:
                # Without a promised hash, bytes lost in a power cut would go unnoticed.
                self.sync()
            new = self._state_path.with_suffix(".new")
            new.write_bytes(msgspec.json.encode(self.state))
            os.replace(new, self._state_path)
            self._saved = time.monotonic()

    def sync(self) -> None:
        with self.path.open("r+b") as file:
            os.fsync(file.fileno())

    def remove_state(self) -> None:
        """Delete the state after the file has its final name."""
        self._state_path.unlink(missing_ok=True)

    def close(self) -> None:
        """Save the state at the end of a pull, even a failed one. A part without bytes is deleted."""
        if not self.state.spans:
            self.drop()
        elif self.path.exists() and not self.state.proved:
            self.save()

    def drop(self) -> None:
        self.path.unlink(missing_ok=True)
        self.remove_state()


def read_state(path: Path) -> PartState | None:
    """Read a state. Return None if it is missing or invalid, because a part without a state can't be resumed."""
    try:
        state = msgspec.json.decode(path.read_bytes(), type=PartState)
    except (OSError, msgspec.MsgspecError, RecursionError):
        return None
    spans = state.spans
    in_order = all(0 <= start < stop for start, stop in spans) and spans == _merge(spans)
    return state if state.read_as == _READ_AS and in_order else None


def part_of(folder: Path, state: PartState) -> Path | None:
    """Return the path of the part, or None if it is unsafe: a state file may come from anyone."""
    is_part = PurePosixPath(state.part).suffix == SUFFIX and leads_inside(state.part)
    return folder / state.part if is_part else None


def _move_bytes(state: PartState, old: Path, new: Path) -> bool:
    """Move the bytes to the present name of the part. Return whether they exist."""
    try:
        if old.stat().st_size < (state.spans[-1][1] if state.spans else 0):
            return False
        if old != new:
            move(old, new)
    except OSError:
        return False
    return True


def _merge(spans: list[Span]) -> list[Span]:
    merged: list[Span] = []
    for start, stop in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(stop, merged[-1][1]))
        else:
            merged.append((start, stop))
    return merged


_CHUNK = 1024 * 1024
_SECONDS_BETWEEN_LOOKS = 0.02


def hash_while_written(part: PartialFile, ended: threading.Event, check: Callable[[], None]) -> str:
    """Return the SHA-256 of a part while other threads write it.

    It needs its own thread. hashlib releases the interpreter's lock, so hashing costs no time next to the network.
    After `ended` is set, an incomplete part is not read further. `check` is called regularly and may stop the hashing
    with an error.
    """
    while True:
        digest, at, restarts = hashlib.sha256(), 0, part.restarts
        while part.restarts == restarts:
            check()
            if ended.is_set() and (not part.complete or at == part.size):
                return digest.hexdigest()
            stop = min(at + _CHUNK, part.end_of(at))
            if stop == at:
                ended.wait(_SECONDS_BETWEEN_LOOKS)
                continue
            # Read the bytes now, while they are still in the system's cache.
            with part.path.open("rb", buffering=0) as file:
                file.seek(at)
                digest.update(data := file.read(stop - at))
            at += len(data)


def check_start(head: bytes) -> None:
    """Check the first bytes of a file, at least 9. Raises NotWeights if it can't be safetensors."""
    with _errors_as_not_weights():
        header_length(head)


def check_file(path: Path) -> None:
    """Check a complete file. Raises NotWeights unless its header describes exactly the bytes after it."""
    with _errors_as_not_weights(), path.open("rb") as file:
        read_header(FileReader(file))


@contextmanager
def _errors_as_not_weights() -> Iterator[None]:
    try:
        yield
    except (NotWeights, BadHeader) as error:
        raise NotWeights(_("{message} It was not kept.").format(message=error.message)) from error


def check_promise(fetched: Fetched, size: int | None, sha256: str | None) -> None:
    """Compare a file with its promised hash, or with its size if there is no hash. Raises WrongHash."""
    if sha256 is not None and fetched.sha256 != sha256.lower():
        text = _(
            "The bytes that came (sha256 {sha256}…) are not the ones promised ({sha2562}…). Nothing was kept; pull it "
            "again, and if it happens twice, don't use this file."
        )
        raise WrongHash(text.format(sha256=fetched.sha256[:12], sha2562=sha256[:12]))
    if sha256 is None and size is not None and fetched.size != size:
        text = _("{size} bytes came where {size2} were promised. Nothing was kept; pull it again.")
        raise WrongHash(text.format(size=fetched.size, size2=size))
