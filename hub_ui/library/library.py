"""The library: a folder of LoRA files, and the lock file that describes it."""

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from filelock import FileLock

from connectors.connector import Download, HttpDownload
from connectors.errors import BadRef, HubUiError, IntegrityError, NotFound, NotWeights, UsageError, WrongHash
from connectors.record import Record
from connectors.ref import LOCAL, Ref
from connectors.weights.inspect import Facts, inspect_path
from hub_ui.base import disk
from hub_ui.library import lockfile
from hub_ui.library.download.partial_file import (
    DownloadIdentity,
    Meter,
    PartialFile,
    check_promise,
    part_of,
    read_state,
)
from hub_ui.library.download.transfer import DownloadOptions, fetch, fetch_from_hub, sweep
from hub_ui.library.file_names import DEFAULT_NAMES, FileNameTemplate, fold, free_path, is_safe_path, target
from hub_ui.library.lockfile import Entry, Lock, entry_about

# Returns the download of a file, with a new signed address at each call.
Locate: TypeAlias = Callable[[], Download]
# The folder of lock files for writers, and of the states of partial files. It is safe to delete while nothing runs.
_STATE = ".hub-ui"
_LOCK_FILE = "the lock file itself"
_SECRET = re.compile(r"token|auth|key|secret|sign|x-amz", re.IGNORECASE)


@dataclass(eq=False)
class Library:
    """A library on disk. Several threads and processes may use it at once."""

    folder: Path
    lock: Path
    options: DownloadOptions = field(default_factory=DownloadOptions, kw_only=True)
    names: FileNameTemplate = field(default=DEFAULT_NAMES, kw_only=True)
    # Reads a file's header, given its path and its SHA-256.
    inspect: Callable[[Path, str], Facts] = field(default=lambda path, _: inspect_path(path), kw_only=True)
    _known: tuple[tuple[int, int, int] | None, Lock] = field(default=(None, Lock()), init=False, repr=False)

    def entries(self) -> tuple[Entry, ...]:
        """Return all entries of the lock file, sorted by ref. Raises LockError if it can't be read."""
        return self._read().entries

    def lock_text(self) -> str:
        """Return the text of the lock file, or an empty text if there is none."""
        return "" if disk.stamp(self.lock) is None else read_lock(self.lock)

    def entry(self, ref: Ref) -> Entry:
        """Return the entry of a ref, whose version and file are optional if only one entry matches.

        Raises NotFound without a match and UsageError with several.
        """
        found = [entry for entry in self.entries() if entry.answers_to(ref)]
        if not found:
            step = (
                "Enter its file first: hub-ui import DIR" if ref.hub == LOCAL else f"Pull it first: hub-ui pull {ref}"
            )
            raise NotFound(f"{ref} is not in the library. {step}", hub=ref.hub)
        if len(found) > 1:
            names = ", ".join(str(entry.ref) for entry in found)
            raise UsageError(f"{ref} may mean several files of the library. Choose one: {names}")
        return found[0]

    def find(self, ref: Ref) -> Entry | None:
        """Return the entry with exactly this ref."""
        return next((entry for entry in self.entries() if entry.ref == ref), None)

    def holds(self, ref: Ref) -> bool:
        return any(entry.answers_to(ref) for entry in self.entries())

    def path(self, entry: Entry) -> Path:
        if not is_safe_path(entry.file):
            raise UsageError(f"“{entry.file}” lies outside the library folder, so it is not touched.")
        return self.folder / entry.file

    @disk.disk_errors_as_messages()
    def pull(self, locate: Locate, about: Record | Entry, meter: Meter) -> Entry:
        """Download the file of a pinned ref into the folder, check its hash, and add its entry to the lock file.

        Bytes that are already in the library, under this ref or another, are not downloaded again. Concurrent pulls of
        one ref or of the same bytes wait for each other and download once. A file with wrong bytes never gets the final
        name. A partial file is kept for the next pull, also after PullCancelled, unless its bytes are wrong.

        `about` names the file and fills in its entry. `locate` returns a new address when a signed one has expired.
        """
        download = locate()
        if not download.ref.is_pinned:
            raise BadRef(f"{download.ref} names no fixed version, so its bytes may change. Pin it first.")
        meter.at(0, download.size)
        # Fail before the download if the lock file can't be read.
        self.entries()
        # Write nothing if the file is installed, because the library may be read-only.
        entry = self.find_installed(download.ref)
        if entry is None or (download.sha256 or entry.sha256).lower() != entry.sha256:
            same_bytes = f"sha256 {download.sha256.lower()}" if download.sha256 else f"bytes of {download.ref}"
            with self._exclusive(str(download.ref), meter), self._exclusive(same_bytes, meter):
                entry = self._find(download, about) or self._fetch(download, about, meter, locate)
        meter.finish(entry.size)
        return entry

    def find_installed(self, ref: Ref) -> Entry | None:
        """Return the entry of exactly this pinned ref if its file has the right bytes. No hub is queried."""
        entry = self.find(ref) if ref.is_pinned else None
        return entry if entry is not None and self._has_right_bytes(entry) else None

    def free_place(self, wanted: str, ref: Ref, sha256: str | None = None) -> str:
        """Return a path like `wanted` that no other entry has, and no file except one with these bytes."""
        taken = {entry.file for entry in self.entries() if entry.ref != ref}
        place = free_path(wanted, ref, taken)
        path = self.folder / place
        if os.path.lexists(path) and not (sha256 and disk.holds_bytes(path, sha256)):
            return free_path(wanted, ref, taken | {place})
        return place

    @disk.disk_errors_as_messages()
    def forget(self, ref: Ref) -> None:
        """Delete the partial file of a ref that will not be pulled."""
        with self._exclusive(str(ref), Meter()):
            self._drop(ref)

    @contextmanager
    def writer(self) -> Iterator[None]:
        """Lock out other writers of the lock file and the folder during the block."""
        with self._exclusive(_LOCK_FILE, Meter()):
            yield

    def write(self, entries: Iterable[Entry]) -> None:
        """Replace the whole lock file. Call it within `writer`, or entries of other writers may be lost."""
        # Keep the keys of other versions, which this one does not know.
        written = replace(self._read(), entries=tuple(sorted(entries, key=lambda entry: (str(entry.ref), entry.file))))
        disk.replace_file(self.lock, lockfile.write(written).encode())
        # Cache the result, because reading thousands of entries takes longer than writing them.
        self._known = disk.stamp(self.lock), written

    @disk.disk_errors_as_messages()
    def adopt(self, entries: Iterable[Entry]) -> tuple[Entry, ...]:
        """Add entries for files in the folder. Existing entries of the same ref or file are kept, except local ones."""
        wanted = tuple(entries)
        new: list[Entry] = []
        if not wanted:
            # Don't even create the lock in the folder if there is nothing to add.
            return ()
        with self.writer():
            files = {fold(entry.file) for entry in wanted}
            kept = [e for e in self.entries() if e.ref.hub != LOCAL or fold(e.file) not in files]
            known: set[Ref | str] = {name for entry in kept for name in (entry.ref, fold(entry.file))}
            for entry in wanted:
                names: set[Ref | str] = {entry.ref, fold(entry.file)}
                if known.isdisjoint(names):
                    new.append(entry)
                    known |= names
            if new:
                self.write([*kept, *new])
        return tuple(new)

    @disk.disk_errors_as_messages()
    def change(self, entries: Iterable[Entry]) -> None:
        """Replace the entries that have the same refs. Files are not moved."""
        changed = {entry.ref: entry for entry in entries}
        with self.writer():
            before = self.entries()
            after = tuple(changed.get(entry.ref, entry) for entry in before)
            if after != before:
                self.write(after)

    def _read(self) -> Lock:
        now = disk.stamp(self.lock)
        if now is None:
            return Lock()
        known, lock = self._known
        if known != now:
            lock = lockfile.read(self.lock_text(), self.lock.name)
            self._known = now, lock
        return lock

    def _drop(self, ref: Ref) -> None:
        state = read_state(self._state(ref))
        part = part_of(self.folder, state) if state else None
        if part is not None:
            part.unlink(missing_ok=True)
            disk.drop_empty(part.parent, self.folder)
        self._state(ref).unlink(missing_ok=True)

    def _has_right_bytes(self, entry: Entry) -> bool:
        """Check the bytes of an entry, and remove leftovers of a pull that was killed after it wrote the entry."""
        if not disk.holds_bytes(self.path(entry), entry.sha256):
            return False
        # Leftovers that can't be deleted do no harm.
        with suppress(OSError):
            self._drop(entry.ref)
        return True

    def _find(self, download: Download, about: Record | Entry) -> Entry | None:
        """Return the entry of a file that has the right bytes. If its entry was lost, write a new one."""
        entry = self.find(download.ref)
        if entry is not None:
            if download.sha256 is not None and download.sha256.lower() != entry.sha256:
                raise WrongHash(
                    f"The lock file pins {entry.ref} to sha256 {entry.sha256[:12]}…, but the hub now promises "
                    f"{download.sha256[:12]}… under the same name. Remove the entry if you trust the new file.",
                    hub=entry.ref.hub,
                )
            return entry if self._has_right_bytes(entry) else None
        path, sha256 = self.folder / self._place(download, about), download.sha256
        # A pull may have been killed after it checked and renamed its file, but before it wrote the entry.
        state = read_state(self._state(download.ref))
        if state is not None and state.proved and state.target and is_safe_path(state.target):
            is_free = fold(state.target) not in {fold(entry.file) for entry in self.entries()}
            path, sha256 = (self.folder / state.target, state.proved) if is_free else (path, sha256)
        if sha256 is None or not disk.holds_bytes(path, sha256):
            return None
        with self.writer():
            entry = self._entry(download, about, path, disk.hash_of(path))
            self.write([*(other for other in self.entries() if other.ref != entry.ref), entry])
        self._state(download.ref).unlink(missing_ok=True)
        return entry

    def _fetch(self, download: Download, about: Record | Entry, meter: Meter, locate: Locate) -> Entry:
        entry = self.find(download.ref)
        target_path = self.path(entry) if entry else self.folder / self._place(download, about)
        sha256 = download.sha256 or (entry.sha256 if entry else None)
        identity = DownloadIdentity(
            ref=str(download.ref), address=source_of(download), sha256=sha256.lower() if sha256 else None
        )
        # The part is next to the target, so that the last step is a rename. Its name contains a hash of the ref, so
        # that two pulls never share it.
        part_path = target_path.with_name(f"{target_path.stem}.{_digest(str(download.ref))}.part")
        part = PartialFile.open(self.folder, part_path, self._state(download.ref), identity)
        try:
            if not isinstance(download, HttpDownload):
                sweep(download)
            fetched = self._copy_of(download.ref, part)
            if fetched is None:
                if isinstance(download, HttpDownload):
                    fetched = fetch(download, part, meter, renew=locate, options=self.options)
                else:
                    fetched = fetch_from_hub(download, part.path, meter, self.options.retry)
            if entry is not None:
                check_promise(fetched, entry.size, entry.sha256)
            meter.check()
            return self._install(download, about, part, fetched)
        except IntegrityError as error:
            # Keep a good beginning: a web page instead of the rest does not prove that the first bytes are wrong.
            if not isinstance(error, NotWeights) or part.complete or not part.end_of(0):
                part.drop()
            raise
        finally:
            part.close()
            disk.drop_empty(part.path.parent, self.folder)
            disk.drop_empty(target_path.parent, self.folder)

    def _copy_of(self, ref: Ref, part: PartialFile) -> disk.Fetched | None:
        """Copy the promised bytes from another entry's file if the library has them already."""
        sha256 = part.state.purpose.sha256
        path = self._path_of_bytes(sha256, ref) if sha256 else None
        if path is None:
            return None
        part.path.unlink(missing_ok=True)
        disk.link_or_copy(path, part.path)
        fetched = disk.hash_of(part.path)
        return fetched if fetched.sha256 == sha256 else None

    def _path_of_bytes(self, sha256: str, other_than: Ref) -> Path | None:
        paths = (self.path(e) for e in self.entries() if e.sha256 == sha256 and e.ref != other_than)
        return next((path for path in paths if disk.holds_bytes(path, sha256)), None)

    def _install(self, download: Download, about: Record | Entry, part: PartialFile, fetched: disk.Fetched) -> Entry:
        """Move the part to its final name and add its entry. The next pull can resume after a kill at any moment."""
        same_bytes = self._path_of_bytes(fetched.sha256, download.ref)
        if same_bytes is not None and not same_bytes.samefile(part.path):
            # Store bytes that are already in the library only once.
            link = part.path.with_suffix(".twin")
            link.unlink(missing_ok=True)
            if disk.link(same_bytes, link):
                disk.move(link, part.path)
        part.sync()
        about = self._with_header(about, part.path, fetched.sha256)
        with self.writer():
            known = self.find(download.ref)
            # Another pull may have used the path since.
            path = self.path(known) if known else self.folder / self._place(download, about)
            path.parent.mkdir(parents=True, exist_ok=True)
            part.update(proved=fetched.sha256, target=path.relative_to(self.folder).as_posix())
            disk.move(part.path, path)
            # A hard link has the time of the other file, but the library shows when a LoRA was added.
            with suppress(OSError):
                path.touch()
            entry = known or self._entry(download, about, path, fetched)
            if known is None:
                self.write([*self.entries(), entry])
        part.remove_state()
        return entry

    def _with_header(self, about: Record | Entry, path: Path, sha256: str) -> Record | Entry:
        """Fill in values that the hub does not give from the file's header. The file name uses them as well."""
        if about.architecture is not None and about.trigger_words:
            return about
        try:
            found = self.inspect(path, sha256).adapter
        except HubUiError:
            return about
        return replace(
            about,
            architecture=about.architecture or found.architecture,
            base_model=about.base_model or found.base_model,
            trigger_words=about.trigger_words or found.trigger_words,
        )

    def _state(self, ref: Ref) -> Path:
        return self.folder / _STATE / f"{_digest(str(ref))}.json"

    def _place(self, download: Download, about: Record | Entry) -> str:
        wanted = (
            about.file if isinstance(about, Entry) else target(about, download.ref, download.name, names=self.names)
        )
        return self.free_place(wanted, download.ref, download.sha256)

    def _entry(self, download: Download, about: Record | Entry, path: Path, fetched: disk.Fetched) -> Entry:
        file, source = path.relative_to(self.folder).as_posix(), source_of(download)
        return entry_about(about, ref=download.ref, file=file, size=fetched.size, sha256=fetched.sha256, source=source)

    @contextmanager
    def _exclusive(self, name: str, meter: Meter) -> Iterator[None]:
        """Lock out other threads and processes. Cancelling ends the wait for the lock at once."""

        def is_cancelled() -> bool:
            meter.check()
            return False

        state = self.folder / _STATE
        state.mkdir(parents=True, exist_ok=True)
        is_cancelled()
        with FileLock(state / f"{_digest(name)}.lock").acquire(cancel_check=is_cancelled):
            yield


def read_lock(path: Path) -> str:
    """Return the text of a lock file. Raises LockError."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise lockfile.LockError(f"{path} is no text in UTF-8. Save it so in an editor; it stays as it is.") from error
    except OSError as error:
        raise lockfile.LockError(f"{path} can't be read: {error.strerror}. Name another with --lock.") from error


def source_of(download: Download) -> str:
    """Return the address for the lock file, without tokens and signatures."""
    if not isinstance(download, HttpDownload):
        return download.url
    parts = urlsplit(download.source or download.url)
    query = [(name, value) for name, value in parse_qsl(parts.query) if not _SECRET.search(name)]
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, urlencode(query), ""))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
