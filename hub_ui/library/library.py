"""The library: a folder of LoRA files and the lock file that describes it."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from filelock import FileLock, Timeout

from connectors.connector import Download, HttpDownload
from connectors.errors import BadRef, HubUiError, IntegrityError, NotFound, NotWeights, UsageError, WrongHash
from connectors.record import Record
from connectors.ref import LOCAL, Ref
from connectors.weights import inspect
from hub_ui.library import lockfile
from hub_ui.library.disk import (
    FULL,
    Fetched,
    disk_trouble,
    drop_empty,
    hash_of,
    holds_bytes,
    link,
    link_or_copy,
    move,
    stamp,
)
from hub_ui.library.download import fetch as http_download
from hub_ui.library.download import huggingface
from hub_ui.library.download.address import Renew
from hub_ui.library.download.fetch import check_promise
from hub_ui.library.download.http import DownloadOptions
from hub_ui.library.download.partial_file import DownloadIdentity, PartialFile, Place, part_of, read_state
from hub_ui.library.download.progress import Meter, Progress
from hub_ui.library.file_names import DEFAULT, FileNameTemplate, is_safe_path, target
from hub_ui.library.lockfile import Entry, Lock

# Empty files that keep writers apart, and what is known of parts; safe to delete while nothing runs.
_STATE = ".hub-ui"
_LOCK_FILE = "the lock file itself"
_SECRET = re.compile(r"token|auth|key|secret|sign|x-amz", re.IGNORECASE)
_SECONDS_BETWEEN_TRIES = 0.1


class Library:
    """Several threads and several processes may use one library at once."""

    def __init__(
        self, folder: Path, lock: Path, *, manner: DownloadOptions | None = None, names: FileNameTemplate | None = None
    ) -> None:
        self.folder = folder
        self.lock = lock
        self.manner = manner or DownloadOptions()
        self.names = names or FileNameTemplate.parse(DEFAULT)
        self._known: tuple[tuple[int, int, int] | None, Lock] = (None, Lock())

    def entries(self) -> tuple[Entry, ...]:
        """Everything in the lock file, sorted by ref. Raises LockError when it can't be read."""
        return self._read().entries

    def _read(self) -> Lock:
        now = stamp(self.lock)
        if now is None:
            return Lock()
        known, lock = self._known
        if known != now:
            lock = lockfile.read(_text(self.lock), self.lock.name)
            self._known = now, lock
        return lock

    def lock_text(self) -> str:
        """The lock file as it is, to be handed on; empty while there is none."""
        return _text(self.lock) if stamp(self.lock) is not None else ""

    def entry(self, ref: Ref) -> Entry:
        """The entry a ref names; version and file may be left out while only one entry is meant."""
        found = [entry for entry in self.entries() if entry.answers_to(ref)]
        if not found:
            raise NotFound(f"{ref} is not in the library. Pull it first: hub-ui pull {ref}", hub=ref.hub)
        if len(found) > 1:
            names = ", ".join(str(entry.ref) for entry in found)
            raise UsageError(f"{ref} may mean several files of the library. Choose one: {names}")
        return found[0]

    def holds(self, ref: Ref) -> bool:
        return any(entry.answers_to(ref) for entry in self.entries())

    def path(self, entry: Entry) -> Path:
        if not is_safe_path(entry.file):
            raise UsageError(f"“{entry.file}” lies outside the library folder, so it is not touched.")
        return self.folder / entry.file

    def pull(
        self,
        download: Download,
        record: Record,
        *,
        report: Callable[[Progress], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
        renew: Renew | None = None,
        most: int | None = None,
    ) -> Entry:
        """The file of a pinned ref in the folder, its bytes checked, and its entry in the lock file.

        A file already there with the right bytes is returned without asking anyone, and bytes that lie here under
        another ref are not fetched again. Pulls of one ref, or of the same bytes, that run at the same time wait for
        each other and fetch once. Whatever goes wrong, no wrong file has its final name. What came is kept as a part
        for the next pull, also after PullCancelled, unless the bytes were wrong; `forget` drops it.

        `renew` gives the same download afresh when a signed address has expired. Raises UsageError for a file of more
        than `most` bytes.
        """
        if not download.ref.pinned:
            raise BadRef(f"{download.ref} names no fixed version, so its bytes may change. Pin it first.")
        meter = Meter(total=download.size, report=report, cancelled=cancelled, most=most)
        # Before anything is fetched: a lock file that can't be read must not cost a download first.
        self.entries()
        try:
            with self._alone(str(download.ref), meter), self._alone(_bytes_of(download), meter):
                entry = self._present(download, record) or self._fetched(download, record, meter, renew)
        except OSError as error:
            raise disk_trouble(error) from error
        meter.finish(entry.size)
        return entry

    def present(self, ref: Ref) -> Entry | None:
        """The entry of exactly this pinned ref, if its file is there with the right bytes. Asks nobody."""
        known = self._pinned(ref) if ref.pinned else None
        return known if known is not None and self._is_right(known) else None

    def forget(self, ref: Ref) -> None:
        """Drops what has come of a ref that is not to be pulled after all."""
        try:
            with self._alone(str(ref), Meter()):
                self._drop(ref)
        except OSError as error:
            raise disk_trouble(error) from error

    def kept_bytes(self, ref: Ref) -> int:
        """How much of a ref has come and waits to be gone on with."""
        state = read_state(self._state(ref))
        return sum(stop - start for start, stop in state.spans) if state else 0

    def remove(self, ref: Ref, *, keep_file: bool = False) -> Entry:
        """Takes the entry out of the lock file, then the file off the disk unless it is to be kept."""
        if not self.holds(ref):
            raise NotFound(
                f"{ref} is not in the library, so there is nothing to remove. {self.lock.name} lists what is.",
                hub=ref.hub,
            )
        entry = self.entry(ref)
        path = self.path(entry)
        try:
            with self._alone(str(entry.ref), Meter()):
                with self._alone(_LOCK_FILE, Meter()):
                    others = [other for other in self.entries() if other.ref != entry.ref]
                    try:
                        self._write(others)
                    except OSError as error:
                        if keep_file or error.errno not in FULL:
                            raise
                        # On a full disk the file's own room has to do for the lock file.
                        path.unlink(missing_ok=True)
                        self._write(others)
                if not keep_file:
                    path.unlink(missing_ok=True)
                    drop_empty(path.parent, self.folder)
        except OSError as error:
            raise disk_trouble(error) from error
        return entry

    def adopt(self, entries: Iterable[Entry]) -> tuple[Entry, ...]:
        """Enters files that lie in the folder already. A ref or file that has an entry is left as it is.

        But an entry that names no hub gives way to a new one for the same file: it was found on one by now, or it was
        written anew by whoever trains it.
        """
        wanted = tuple(entries)
        if not wanted:
            # Nothing is asked of a folder that may be somebody's own, or not to be written.
            return ()
        try:
            with self._alone(_LOCK_FILE, Meter()):
                files = {entry.file.casefold() for entry in wanted}
                kept = [e for e in self.entries() if e.ref.hub != LOCAL or e.file.casefold() not in files]
                refs, files = {entry.ref for entry in kept}, {entry.file.casefold() for entry in kept}
                new: list[Entry] = []
                for entry in wanted:
                    if entry.ref not in refs and entry.file.casefold() not in files:
                        new.append(entry)
                        refs.add(entry.ref)
                        files.add(entry.file.casefold())
                if new:
                    self._write([*kept, *new])
        except OSError as error:
            raise disk_trouble(error) from error
        return tuple(new)

    def _drop(self, ref: Ref) -> None:
        state = read_state(self._state(ref))
        part = part_of(self.folder, state) if state else None
        if part is not None:
            part.unlink(missing_ok=True)
            drop_empty(part.parent, self.folder)
        self._state(ref).unlink(missing_ok=True)

    def _is_right(self, entry: Entry) -> bool:
        """What a pull left that was ended just after it wrote the entry is of no use any more."""
        right = holds_bytes(self.path(entry), entry.sha256)
        if right:
            # It stands in nobody's way where it can't be taken away.
            with suppress(OSError):
                self._drop(entry.ref)
        return right

    def _pinned(self, ref: Ref) -> Entry | None:
        return next((entry for entry in self.entries() if entry.ref == ref), None)

    def _present(self, download: Download, record: Record) -> Entry | None:
        """The entry of a file that is there and right; a file whose entry was lost gets a new one."""
        known = self._pinned(download.ref)
        if known is not None:
            _agree(known, download)
            return known if self._is_right(known) else None
        path, sha256 = self._left(download) or (self.folder / self._place(download, record), download.sha256)
        if sha256 is None or not holds_bytes(path, sha256):
            return None
        with self._alone(_LOCK_FILE, Meter()):
            entry = self._enter(download, record, path, hash_of(path))
        self._state(download.ref).unlink(missing_ok=True)
        return entry

    def _left(self, download: Download) -> tuple[Path, str] | None:
        """The file that a pull had checked and renamed when it was ended, a moment before it wrote its entry."""
        state = read_state(self._state(download.ref))
        if state is None or not state.proved or not state.target or not is_safe_path(state.target):
            return None
        if state.target.casefold() in {entry.file.casefold() for entry in self.entries()}:
            return None
        return self.folder / state.target, state.proved

    def _fetched(self, download: Download, record: Record, meter: Meter, renew: Renew | None) -> Entry:
        known = self._pinned(download.ref)
        near = self.path(known) if known else self.folder / self._place(download, record)
        part = self._part(download, near, known)
        try:
            if not isinstance(download, HttpDownload):
                huggingface.sweep(download)
            fetched = self._twin(download, part) or _fetch(download, part, meter, renew, self.manner)
            if known is not None:
                check_promise(fetched, known.size, known.sha256)
            meter.check()
            return self._keep(download, record, part, fetched)
        except IntegrityError as error:
            # A web page in place of the rest says nothing of a beginning that has passed for weights.
            if not isinstance(error, NotWeights) or part.complete or not part.covered(0):
                part.drop()
            raise
        finally:
            part.rest()
            drop_empty(part.path.parent, self.folder)
            drop_empty(near.parent, self.folder)

    def _part(self, download: Download, near: Path, known: Entry | None) -> PartialFile:
        """Beside the target, so that the last step is a rename; named for the ref, so that no two pulls share one."""
        digest = _digest(str(download.ref))
        promised = download.sha256 or (known.sha256 if known else None)
        purpose = DownloadIdentity(
            ref=str(download.ref), address=source_of(download), sha256=promised.lower() if promised else None
        )
        place = Place(
            folder=self.folder, state=self._state(download.ref), part=near.with_name(f"{near.stem}.{digest}.part")
        )
        return PartialFile.open(place, purpose)

    def _state(self, ref: Ref) -> Path:
        return self.folder / _STATE / f"{_digest(str(ref))}.json"

    def _twin(self, download: Download, part: PartialFile) -> Fetched | None:
        """The same bytes from another entry's file, where the hub promises bytes that lie here already."""
        sha256 = part.state.purpose.sha256
        twin = self._holder(sha256, download.ref) if sha256 else None
        if twin is None:
            return None
        part.path.unlink(missing_ok=True)
        link_or_copy(twin, part.path)
        fetched = hash_of(part.path)
        return fetched if fetched.sha256 == sha256 else None

    def _holder(self, sha256: str, but: Ref) -> Path | None:
        paths = (self.path(entry) for entry in self.entries() if entry.sha256 == sha256 and entry.ref != but)
        return next((path for path in paths if holds_bytes(path, sha256)), None)

    def _keep(self, download: Download, record: Record, part: PartialFile, fetched: Fetched) -> Entry:
        """The part under its final name, and its entry. Ended at any moment, the next pull finds its way from here."""
        self._share(part, fetched, download.ref)
        part.sync()
        record = _completed(record, part.path)
        with self._alone(_LOCK_FILE, Meter()):
            known = self._pinned(download.ref)
            # Another ref may have taken the place meanwhile.
            path = self.path(known) if known else self.folder / self._place(download, record)
            path.parent.mkdir(parents=True, exist_ok=True)
            part.prove(fetched.sha256, path.relative_to(self.folder).as_posix())
            move(part.path, path)
            entry = known or self._enter(download, record, path, fetched)
        part.settle()
        return entry

    def _share(self, part: PartialFile, fetched: Fetched, ref: Ref) -> None:
        """Bytes that turn out to lie here already, under another ref, take their room once."""
        twin = self._holder(fetched.sha256, ref)
        if twin is None or twin.samefile(part.path):
            return
        other = part.path.with_suffix(".twin")
        other.unlink(missing_ok=True)
        if link(twin, other):
            move(other, part.path)

    def _place(self, download: Download, record: Record) -> str:
        """A path that no other entry has, and no file that is someone else's."""
        taken = {entry.file for entry in self.entries() if entry.ref != download.ref}
        place = target(record, download.ref, download.name, taken, self.names)
        path = self.folder / place
        if path.exists() and not (download.sha256 and holds_bytes(path, download.sha256)):
            return target(record, download.ref, download.name, taken | {place}, self.names)
        return place

    def _enter(self, download: Download, record: Record, path: Path, fetched: Fetched) -> Entry:
        entry = Entry(
            ref=download.ref,
            title=record.title,
            file=path.relative_to(self.folder).as_posix(),
            size=fetched.size,
            sha256=fetched.sha256,
            source=source_of(download),
            base_model=record.base_model,
            architecture=record.architecture,
            trigger_words=record.trigger_words,
            weight=record.weight,
            license=record.license,
        )
        self._write([*(other for other in self.entries() if other.ref != entry.ref), entry])
        return entry

    def _write(self, entries: Iterable[Entry]) -> None:
        """Whole or not at all. Only while alone with the lock file, or another writer's entries would be lost."""
        self.lock.parent.mkdir(parents=True, exist_ok=True)
        new = self.lock.with_name(self.lock.name + ".new")
        with new.open("wb") as file:
            # With what another version wrote into it and this one does not know.
            file.write(lockfile.write(replace(self._read(), entries=tuple(entries))).encode())
            file.flush()
            os.fsync(file.fileno())
        move(new, self.lock)

    @contextmanager
    def _alone(self, name: str, meter: Meter) -> Iterator[None]:
        """Keeps other threads and processes out; a cancelled wait ends at once."""
        state = self.folder / _STATE
        state.mkdir(parents=True, exist_ok=True)
        lock = FileLock(state / f"{_digest(name)}.lock")
        while True:
            meter.check()
            try:
                lock.acquire(timeout=_SECONDS_BETWEEN_TRIES)
                break
            except Timeout:
                continue
        try:
            yield
        finally:
            lock.release()


def source_of(download: Download) -> str:
    """The address to write down: without anything that lets its bearer in."""
    if not isinstance(download, HttpDownload):
        return f"{download.endpoint}/{download.repo}/resolve/{download.commit}/{quote(download.path)}"
    parts = urlsplit(download.source or download.url)
    query = [(name, value) for name, value in parse_qsl(parts.query) if not _SECRET.search(name)]
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, urlencode(query), ""))


def _fetch(
    download: Download, part: PartialFile, meter: Meter, renew: Renew | None, manner: DownloadOptions
) -> Fetched:
    if isinstance(download, HttpDownload):
        return http_download.fetch(download, part, meter, renew=renew, manner=manner)
    return huggingface.fetch(download, part.path, meter, manner.patience)


def _bytes_of(download: Download) -> str:
    """What keeps two refs with the same promised bytes from being fetched side by side."""
    return f"sha256 {download.sha256.lower()}" if download.sha256 else f"bytes of {download.ref}"


def _completed(record: Record, path: Path) -> Record:
    """With what the file itself says where no hub does: it is named by that too."""
    if record.architecture is not None and record.trigger_words:
        return record
    try:
        found = inspect.inspect_path(path).adapter
    except HubUiError:
        return record
    return replace(
        record,
        architecture=record.architecture or found.architecture,
        base_model=record.base_model or found.base_model,
        trigger_words=record.trigger_words or found.trigger_words,
    )


def _agree(known: Entry, download: Download) -> None:
    if download.sha256 is not None and download.sha256.lower() != known.sha256:
        raise WrongHash(
            f"The lock file pins {known.ref} to sha256 {known.sha256[:12]}…, but the hub now promises "
            f"{download.sha256[:12]}… under the same name. Remove the entry if you trust the new file.",
            hub=known.ref.hub,
        )


def _text(lock: Path) -> str:
    try:
        return lock.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise lockfile.LockError(f"{lock.name} can't be read ({error}). It was left as it is.") from error


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
