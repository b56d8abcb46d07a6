"""A download that is not complete: a `.part` file beside its target, and a small state file that describes it.

The state is written often, and always after the bytes that it describes. So a process that is killed loses only its
last moments, and no state claims bytes that are not there.

Its SHA-256 is computed by a thread of its own while others write it, and its bytes are checked. A meter counts them,
and is how a download is stopped.
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
    """The person stopped a pull. What had come is kept, so that it can go on later."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """In bytes."""

    done: int
    total: int | None


@dataclass(kw_only=True, eq=False, repr=False)
class Meter:
    """Counts a pull's bytes from several threads, calls its callbacks from one at a time, and raises PullCancelled.

    At most `most` bytes are let through: what a server says of its file's size need not be so.
    """

    on_progress: Callable[[Progress], None] | None = None
    is_cancelled: Callable[[], bool] | None = None
    most: int | None = None
    total: int | None = None
    _last: float = 0.0
    _done: int = 0
    _lock: threading.RLock = field(default_factory=threading.RLock)

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
            if self.is_cancelled is not None and self.is_cancelled():
                raise PullCancelled(_("Stopped. What has come is kept; pull it again to go on."))
            if self.most is not None and self._done > self.most:
                text = _("The file takes more than {most:,} MB, the most for one here.")
                raise UsageError(text.format(most=self.most // 1_000_000))

    def finish(self, size: int) -> None:
        """The last report: everything is there."""
        with self._lock:
            self._done = self.total = size
            self._report()

    def _report(self) -> None:
        if self.on_progress is not None:
            self.on_progress(Progress(done=self._done, total=self.total))


class DownloadIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """Which file the bytes belong to. `address` is the lasting one, without any secret."""

    ref: str
    address: str
    sha256: str | None = None

    def allows(self, other: DownloadIdentity) -> bool:
        """Whether a download of `other` can be resumed as this one: a promised hash counts more than an address."""
        if self.ref != other.ref or (self.sha256 and other.sha256 and self.sha256 != other.sha256):
            return False
        return self.address == other.address or (self.sha256 is not None and self.sha256 == other.sha256)


class PartState(msgspec.Struct, kw_only=True):
    """`validator` is the ETag or the date of the bytes, `size` the file's, both as the server says.

    `inside` is where the file begins in what the server has, and how long it is: a tar. `proved` is the sha256 of a
    part that was checked whole, and `target` where it goes: both are written before the rename.
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
    """Several threads may write at different places of it at once."""

    def __init__(self, path: Path, state_path: Path, state: PartState) -> None:
        self.path = path
        self.state = state
        self._state_path = state_path
        # How often the bytes were dropped.
        self.restarts = 0
        self._lock = threading.RLock()
        self._saved = 0.0

    @classmethod
    def open(cls, folder: Path, path: Path, state_path: Path, purpose: DownloadIdentity) -> PartialFile:
        """Resumes what an earlier pull left of the same file; anything else is deleted.

        `path` lies beside the file's target below `folder`. `state_path` is named for the ref.
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
        """The end of the bytes that are there without a gap from `at` on."""
        return next((stop for start, stop in self.state.spans if start <= at < stop), at)

    def gaps(self) -> Iterator[tuple[int, int | None]]:
        """What is missing. The last gap has no end while the size is not known."""
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
        """Saves what is known of the file by now: fields of PartState by name."""
        with self._lock:
            self.state = msgspec.structs.replace(self.state, **values)
            self.save()

    def restart(self) -> None:
        """Drops the bytes: they are another file's, or the download can't be resumed."""
        with self._lock:
            self.restarts += 1
            self.state = PartState(purpose=self.state.purpose, part=self.state.part)
            self.path.write_bytes(b"")
            self.save()

    def save(self) -> None:
        with self._lock:
            if self.state.purpose.sha256 is None and self.state.spans:
                # Nothing but the bytes themselves can tell later whether a power cut took some of them.
                self.sync()
            new = self._state_path.with_suffix(".new")
            new.write_bytes(msgspec.json.encode(self.state))
            os.replace(new, self._state_path)
            self._saved = time.monotonic()

    def sync(self) -> None:
        with self.path.open("r+b") as file:
            os.fsync(file.fileno())

    def remove_state(self) -> None:
        """Called once the file has its final name."""
        self._state_path.unlink(missing_ok=True)

    def close(self) -> None:
        """At the end of a pull, also of one that failed: bytes are kept, a part without any is removed."""
        if not self.state.spans:
            self.drop()
        elif self.path.exists() and not self.state.proved:
            self.save()

    def drop(self) -> None:
        self.path.unlink(missing_ok=True)
        self.remove_state()


def read_state(path: Path) -> PartState | None:
    """None where there is none, or none that can be read: a part without a state is worth nothing."""
    try:
        state = msgspec.json.decode(path.read_bytes(), type=PartState)
    except (OSError, msgspec.MsgspecError, RecursionError):
        return None
    spans = state.spans
    in_order = all(0 <= start < stop for start, stop in spans) and spans == _merge(spans)
    return state if state.read_as == _READ_AS and in_order else None


def part_of(folder: Path, state: PartState) -> Path | None:
    """The part a state speaks of. A state file may come from anyone: it must not name what is none of ours."""
    is_part = PurePosixPath(state.part).suffix == SUFFIX and leads_inside(state.part)
    return folder / state.part if is_part else None


def _move_bytes(state: PartState, old: Path, new: Path) -> bool:
    """Whether the bytes are there, and now lie where they should: the target may have another name since."""
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
    """The SHA-256 of a part that others write, for a thread of its own: hashlib lets them run, so it costs no time
    beside the network. Once it has `ended`, what has come of a part that is not complete is not read any more.

    `check` is called now and then, and may end it by raising.
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
            # The system still has in memory what was written just now.
            with part.path.open("rb", buffering=0) as file:
                file.seek(at)
                digest.update(data := file.read(stop - at))
            at += len(data)


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
        text = _(
            "The bytes that came (sha256 {sha256}…) are not the ones promised ({sha2562}…). Nothing was kept; pull it "
            "again, and if it happens twice, don't use this file."
        )
        raise WrongHash(text.format(sha256=fetched.sha256[:12], sha2562=sha256[:12]))
    if sha256 is None and size is not None and fetched.size != size:
        text = _("{size} bytes came where {size2} were promised. Nothing was kept; pull it again.")
        raise WrongHash(text.format(size=fetched.size, size2=size))
