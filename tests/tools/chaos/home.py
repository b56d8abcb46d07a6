"""What lies in a home between two lives of the process, and whether it is what it must be."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock, Timeout

from connectors.ref import Ref
from hub_ui.base.disk import stamp
from hub_ui.library import lockfile
from hub_ui.library.download.partial_file import PartState, part_of, read_state
from hub_ui.library.download.queue import Queue
from hub_ui.library.download.queue_tasks import Task
from hub_ui.library.lockfile import Entry
from tests.hub_ui.library.download.queueing import Pulls
from tests.tools.chaos.wanted import Wanted

Stamp = tuple[int, int, int]


class Broken(AssertionError):
    """Something that must never be."""


@dataclass(frozen=True, kw_only=True)
class Kept:
    """How much of each file need not be fetched again, by the ref that was asked for.

    `complete` are the files under their final names, with what changes when one is written anew.
    """

    bytes_of: Mapping[Ref, int]
    looked_into: frozenset[Ref]
    complete: Mapping[str, Stamp]


@dataclass(frozen=True, kw_only=True)
class Home:
    path: Path
    wanted: Sequence[Wanted]
    _hashed: dict[tuple[Path, Stamp], str] = field(default_factory=dict)

    @property
    def library(self) -> Path:
        return self.path / "loras"

    @property
    def lock(self) -> Path:
        return self.library / "loras.lock"

    @property
    def log(self) -> Path:
        return self.path / "log.txt"

    @property
    def cache(self) -> Path:
        return self.path / "cache"

    @property
    def queue(self) -> Path:
        return self.path / "queue.sqlite"

    def entries(self) -> tuple[Entry, ...]:
        """Of a lock file that must be readable at any moment, and every entry's file right."""
        try:
            text = self.lock.read_text()
        except FileNotFoundError:
            return ()
        try:
            entries = lockfile.loads(text)
        except lockfile.LockError as error:
            raise Broken(f"the lock file can't be read: {error}\n{text}") from error
        for entry in entries:
            self._check_entry(entry)
        return entries

    def rows(self) -> tuple[Task, ...]:
        """Of the queue: each ref once, none failed, and whatever is done is in the library."""
        if not self.queue.exists():
            return ()
        queue = Queue(self.queue, Pulls())
        rows = queue.tasks()
        queue.stop()
        twice = [ref for ref, count in Counter(row.ref for row in rows).items() if count > 1]
        wrong = [row for row in rows if row.state not in ("waiting", "running", "done")]
        entries = self.entries()
        lost = [row for row in rows if row.state == "done" and not _entered(row.ref, entries)]
        if twice or wrong or lost:
            raise Broken(f"the queue holds twice {twice}, in a wrong state {wrong}, done without an entry {lost}")
        return rows

    def kept(self) -> Kept:
        """Checks all there is, and tells what the next life may build on."""
        self._check_nothing_damaged()
        self.rows()
        complete = self._complete()
        whole = {self._sha256(self.library / name) for name in complete}
        states = list(self._states())
        return Kept(
            bytes_of={each.ref: self._kept_of(each, whole, states) for each in self.wanted},
            looked_into=frozenset(
                each.ref for each in self.wanted for state in states if state.inside and _is_for(state, each)
            ),
            complete=complete,
        )

    def check_end(self) -> None:
        """Everything that was wanted is there, and nothing else."""
        rows, entries = self.rows(), self.entries()
        undone = [row for row in rows if (row.state, row.done) != ("done", row.total)]
        missing = [str(each.ref) for each in self.wanted if not _entered(each.ref, entries)]
        if undone or missing or len(rows) != len(self.wanted) or len(entries) != len(self.wanted):
            raise Broken(f"{len(rows)} tasks, {len(entries)} entries; not done {undone}, without an entry {missing}")
        expected = {entry.file for entry in entries} | {"loras.lock"}
        left = [name for name in _files(self.library) if name not in expected and not _is_state_lock(name)]
        if left:
            raise Broken(f"left over in the library: {left}")
        if halves := [path.name for path in self.cache.rglob("*.incomplete")]:
            raise Broken(f"left over in huggingface_hub's cache: {halves}")
        self._check_locks_are_free()

    def _check_entry(self, entry: Entry) -> None:
        known = next((each for each in self.wanted if entry.answers_to(each.ref)), None)
        if known is None or (entry.size, entry.sha256) != (known.size, known.sha256) or not entry.ref.is_pinned:
            raise Broken(f"the lock file says of {entry.ref} what is not so: {entry}")
        path = self.library / entry.file
        if not path.is_file() or self._sha256(path) != entry.sha256:
            raise Broken(f"the file of {entry.ref} is not what the lock file says: {path}")

    def _complete(self) -> dict[str, Stamp]:
        right = {each.sha256 for each in self.wanted}
        found = dict[str, Stamp]()
        for path in self.library.rglob("*.safetensors"):
            if self._sha256(path) not in right:
                raise Broken(f"wrong bytes under a final name: {path}, {path.stat().st_size} bytes")
            found[path.relative_to(self.library).as_posix()] = stamp(path) or (0, 0, 0)
        return found

    def _states(self) -> Iterator[PartState]:
        for path in self.library.glob(".hub-ui/*.json"):
            state = read_state(path)
            part = part_of(self.library, state) if state else None
            if state is not None and part is not None and part.exists():
                yield state

    def _kept_of(self, each: Wanted, whole: set[str], states: Sequence[PartState]) -> int:
        cached = each.hub == "huggingface" and any(self.cache.glob(f"*/blobs/{each.sha256}"))
        if each.sha256 in whole or cached:
            return each.size
        # What came out of a tar that streamed by can't be gone on with: only ranges of the tar can.
        of_use = (state for state in states if state.inside or each.hub != "replicate")
        spans = [state.spans for state in of_use if _is_for(state, each)]
        return max((sum(stop - start for start, stop in found) for found in spans), default=0)

    def _sha256(self, path: Path) -> str:
        """Remembered while the file stays untouched."""
        now = stamp(path)
        if now is None:
            raise Broken(f"{path} was there and is gone")
        if (path, now) not in self._hashed:
            self._hashed[path, now] = hashlib.sha256(path.read_bytes()).hexdigest()
        return self._hashed[path, now]

    def _check_nothing_damaged(self) -> None:
        if damaged := [path.name for path in self.path.glob("*damaged*")]:
            raise Broken(f"moved aside as damaged: {damaged}")
        if self.log.exists() and "Traceback" in (text := self.log.read_text()):
            raise Broken(f"a fault of hub-ui's own stands in the log:\n{text}")

    def _check_locks_are_free(self) -> None:
        for path in self.path.rglob("*.lock"):
            if path == self.lock:
                continue
            try:
                FileLock(path).acquire(timeout=0).lock.release()
            except Timeout as error:
                raise Broken(f"{path} is still held by someone") from error


def _is_for(state: PartState, each: Wanted) -> bool:
    return Ref.parse(state.purpose.ref).lora == each.ref.lora


def _entered(ref: Ref, entries: Sequence[Entry]) -> bool:
    return any(entry.answers_to(ref) for entry in entries)


def _files(folder: Path) -> Iterator[str]:
    return (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def _is_state_lock(name: str) -> bool:
    """The empty files that keep writers apart stay, as filelock leaves them."""
    return name.startswith(".hub-ui/") and name.endswith(".lock")
