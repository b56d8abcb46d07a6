"""Identify LoRA files on a disk by their bytes, and provide files that are on no hub.

A file with a hub's SHA-256 is that hub's. It is looked up in the library's lock file, then in the catalog, then on
CivitAI, which finds files by hash. A file that shares only the tensors (AutoV3) is an edited copy with other metadata.

A person's own files can be inspected and tried before they are kept. They are hidden in the library's folder with their
own lock file, so each has a ref, and keeping one is a rename. Other files are left alone.
"""

import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Literal

from connectors import errors
from connectors.claims.resolve import flatten, record_with_header, with_header
from connectors.connector import Download
from connectors.record import Claim, Lora, Record, Version, WeightFile
from connectors.ref import LOCAL, Ref, local_ref
from connectors.weights.header import tensors_sha256
from connectors.weights.inspect import Facts, inspect_path
from hub_ui.base.disk import disk_errors_as_messages, drop_empty, hash_of, visible_files
from hub_ui.library.file_names import SUFFIX, safe_name, without_suffix
from hub_ui.library.library import Library
from hub_ui.library.lockfile import ABOUT, Entry

FOLDER = ".own"
KEPT_SECONDS = 86_400.0


class OwnFiles:
    """A person's files that are not kept yet. Several threads and processes may use them.

    The first file creates the folder.
    """

    def __init__(self, library: Library, clock: Callable[[], float] = time.time) -> None:
        self._library = library
        self._unkept = Library(library.folder, library.folder / FOLDER / "own.lock")
        self._clock = clock

    def entries(self) -> tuple[Entry, ...]:
        return self._unkept.entries()

    def entry(self, ref: Ref) -> Entry:
        """Return the entry of a file. Raises NotFound if the file is missing."""
        found = next((entry for entry in self.entries() if entry.answers_to(ref)), None)
        if found is None or not self._library.path(found).is_file():
            raise errors.NotFound("This file is not here any more. Choose it again.")
        return found

    @disk_errors_as_messages()
    def add(self, path: Path, entry: Entry) -> Entry:
        """Move a file here. `entry` is its future entry in the library. The same bytes may be here already."""
        self.sweep()
        name = f"{safe_name(without_suffix(PurePosixPath(entry.file).name))}{SUFFIX}"
        placed = replace(entry, file=f"{FOLDER}/{entry.sha256[:12]}/{name}")
        target = self._library.path(placed)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(path, target)
        # Set the time of the arrival, because `sweep` deletes files by their age.
        os.utime(target, (self._clock(), self._clock()))
        for known in self.entries():
            if known.ref == placed.ref and known.file != placed.file:
                self.discard(known.ref)
        self._unkept.adopt([placed])
        return self.entry(placed.ref)

    @disk_errors_as_messages()
    def keep(self, ref: Ref, place: str, source: str = "") -> Entry:
        """Move a file into the library, to a free path like `place`, and add its entry there."""
        entry = self.entry(ref)
        known = self._library.find(entry.ref)
        if known is not None and self._library.path(known).is_file():
            self.discard(ref)
            return known
        place = known.file if known else self._library.free_place(place, entry.ref)
        target = self._library.folder / place
        target.parent.mkdir(parents=True, exist_ok=True)
        # Not a rename, because a folder of the library may be a link to another disk.
        shutil.move(self._library.path(entry), target)
        self._library.adopt([replace(entry, file=place, source=source)])
        self._forget(entry)
        return self._library.entry(entry.ref)

    @disk_errors_as_messages()
    def discard(self, ref: Ref) -> None:
        """Delete a file. A missing file is not an error."""
        for entry in [entry for entry in self.entries() if entry.answers_to(ref)]:
            self._library.path(entry).unlink(missing_ok=True)
            self._forget(entry)

    def sweep(self) -> None:
        """Delete the files that were not kept within a day."""
        for entry in self.entries():
            with suppress(FileNotFoundError):
                if self._library.path(entry).stat().st_mtime > self._clock() - KEPT_SECONDS:
                    continue
            self.discard(entry.ref)

    def _forget(self, entry: Entry) -> None:
        with self._unkept.writer():
            self._unkept.write(other for other in self._unkept.entries() if other.ref != entry.ref)
        drop_empty(self._library.path(entry).parent, self._library.folder / FOLDER)


# "held": the lock file has it already. "edited": the tensors of a hub's file with other metadata. "not asked": a hub
# that may know the file was skipped, because it failed before. "unread": the file can't be read, or has an older
# format, which can run code when it is loaded.
IdentifyState = Literal["held", "recognised", "edited", "unknown", "not asked", "unread"]
How = Literal["lock file", "catalog", "SHA256", "AutoV2", "AutoV3"]
_OLDER = (".ckpt", ".pt", ".pth", ".bin")
_WORKERS = min(4, os.cpu_count() or 1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Digests:
    """The hashes of a file. `tensors` is the SHA-256 of the bytes after the header, None without tensors."""

    size: int
    sha256: str
    tensors: str | None

    @property
    def autov2(self) -> str:
        return self.sha256[:10].upper()

    @property
    def autov3(self) -> str | None:
        return self.tensors[:12].upper() if self.tensors else None


@dataclass(frozen=True, kw_only=True, slots=True)
class IdentifiedFile:
    """The result for one file. `path` is relative to the folder, with forward slashes. `facts` are from its header."""

    path: str
    state: IdentifyState
    digests: Digests | None = None
    ref: Ref | None = None
    how: How | None = None
    record: Record | None = None
    facts: Facts | None = None
    error: errors.HubUiError | None = None

    @property
    def is_own_lora(self) -> bool:
        """Whether it is a LoRA that differs from every hub's file, possibly an edited copy."""
        return self.state in ("unknown", "edited") and self.facts is not None and self.facts.adapter.is_lora

    def entry(self, file: str, source: str = "") -> Entry:
        """Build an entry. An exact copy of a hub's file has its ref, other files a local ref of name and hash."""
        stem, sha256 = PurePosixPath(file).stem, self.digests.sha256 if self.digests else ""
        about = self.record or (self.facts.adapter if self.facts else None)
        return Entry(
            ref=self.ref if self.state == "recognised" and self.ref else local_ref(stem, sha256),
            title=self.record.title if self.record else stem,
            file=file,
            size=self.digests.size if self.digests else 0,
            sha256=sha256,
            source=source,
            # A header has no weight and no licence.
            **{name: getattr(about, name) for name in ABOUT if hasattr(about, name)},
        )


@dataclass(frozen=True, kw_only=True)
class Identifier:
    """The identification of files by their hashes.

    `seen` returns every known ref of a SHA-256, `lora` the known data of a ref, and `inspect` reads a file's header.
    `by_hash` queries a hub, and may be None. After an error the hub is not queried again: `failure` is called with the
    error, and the files that only this hub could identify are "not asked", with the error.
    """

    entries: tuple[Entry, ...]
    seen: Callable[[str], Iterable[Ref]]
    lora: Callable[[Ref], Lora]
    inspect: Callable[[Path, str], Facts]
    by_hash: Callable[[str], tuple[Lora, Ref]] | None = None
    failure: Callable[[errors.HubUiError], None] = lambda error: None

    def run(self, folder: Path) -> Iterator[IdentifiedFile]:
        """Yield one result per file, in the order of their paths."""
        current, refusal = self, None
        paths = files_in(folder)
        with ThreadPoolExecutor(_WORKERS) as pool:
            for path, read in zip(paths, pool.map(_try_digests, paths), strict=True):
                name = path.relative_to(folder).as_posix()
                if isinstance(read, errors.HubUiError):
                    yield IdentifiedFile(path=name, state="unread", error=read)
                    continue
                try:
                    found = current._identify(name, read)
                except (errors.AccessError, errors.NetworkError, errors.RateLimited) as error:
                    self.failure(error)
                    current, refusal = replace(self, by_hash=None), error
                    found = current._identify(name, read)
                if refusal is not None and found.state == "unknown":
                    found = replace(found, state="not asked", error=refusal)
                yield current._with_facts(found, path, read)

    def one(self, path: Path) -> IdentifiedFile:
        """Identify a single file anywhere on the disk. Raises the error if it can't be read."""
        read = _try_digests(path)
        if isinstance(read, errors.HubUiError):
            raise read
        found = self._with_facts(self._identify(path.name, read), path, read)
        if found.error is not None:
            raise found.error
        return found

    def _identify(self, name: str, read: Digests) -> IdentifiedFile:
        entry = next((entry for entry in self.entries if entry.sha256 == read.sha256), None)
        installed = (
            IdentifiedFile(path=name, state="held", digests=read, ref=entry.ref, how="lock file") if entry else None
        )
        # A file that was local when its entry was added may be on a hub now.
        if entry is not None and installed is not None and entry.ref.hub != LOCAL:
            return installed
        for lora, ref, how in self._candidates(read):
            version = lora.version(ref.version)
            file = version.find_file(ref) if version else None
            same = (file.sha256 if file else None) in ((read.sha256,) if how == "AutoV3" else (read.sha256, None))
            # Only AutoV3, the hash of the tensors, may match a file with other bytes: an edited copy.
            if same or how == "AutoV3":
                if installed is not None and not same:
                    break
                record = flatten(lora, version, file)
                state: IdentifyState = "recognised" if same else "edited"
                return IdentifiedFile(path=name, state=state, digests=read, ref=ref, how=how, record=record)
        return installed or IdentifiedFile(path=name, state="unknown", digests=read)

    def _candidates(self, read: Digests) -> Iterator[tuple[Lora, Ref, How]]:
        for ref in self.seen(read.sha256):
            with suppress(errors.NotFound):
                lora = self.lora(ref)
                if ref.is_pinned:
                    yield lora, ref, "catalog"
        hashes: tuple[tuple[How, str | None], ...] = (
            ("SHA256", read.sha256.upper()),
            ("AutoV2", read.autov2),
            ("AutoV3", read.autov3),
        )
        for how, value in hashes:
            if value is not None and self.by_hash is not None:
                with suppress(errors.NotFound):
                    lora, ref = self.by_hash(value)
                    yield lora, ref, how

    def _with_facts(self, found: IdentifiedFile, path: Path, read: Digests) -> IdentifiedFile:
        try:
            facts = self.inspect(path, read.sha256)
        except errors.HubUiError as error:
            is_unread = found.state in ("unknown", "not asked")
            return replace(found, state="unread" if is_unread else found.state, error=error)
        record = record_with_header(found.record, facts.adapter) if found.record else None
        return replace(found, facts=facts, record=record)


def files_in(folder: Path) -> list[Path]:
    """Return the weight files of any format, sorted. Hidden folders and pipes, which would block, are skipped."""
    found = (path for path in visible_files(folder) if path.name.lower().endswith((SUFFIX, *_OLDER)))
    return sorted(path for path in found if not os.path.exists(path) or os.path.isfile(path))


def _try_digests(path: Path) -> Digests | errors.HubUiError:
    try:
        return digests(path)
    except (errors.NotWeights, errors.BadHeader) as error:
        return error
    except OSError as error:
        return errors.HubUiError(f"{path.name} can't be read: {error.strerror or error}.")


def digests(path: Path) -> Digests:
    """Hash a file. Raises NotWeights or BadHeader if it is not a safetensors file."""
    if path.name.lower().endswith(_OLDER):
        raise errors.NotWeights(f"{path.name} has an older format, which can run code when loaded. It was not read.")
    tensors, whole = tensors_sha256(path), hash_of(path)
    return Digests(size=whole.size, sha256=whole.sha256, tensors=tensors)


def entry_of_file(found: IdentifiedFile, entries: Iterable[Entry]) -> Entry:
    """Return the entry that a file has or would have. A file that is only tried needs none."""
    known = (entry for entry in entries if found.state == "held" and entry.ref == found.ref)
    return next(known, None) or found.entry(found.path)


@dataclass(frozen=True, kw_only=True)
class LocalFiles:
    """A LoRA source for local files, based on the lock entry and the header of each file."""

    library: Library

    def get(self, ref: Ref) -> Lora:
        entry = self._entry(ref)
        path = self.library.path(entry)
        file = WeightFile(ref=entry.ref, name=path.name, size=entry.size, sha256=entry.sha256, primary=True)
        version = Version(ref=entry.ref, name=entry.sha256[:12], files=(file,))
        # A person may have edited the values of the lock file. For the others, the file's header has precedence.
        claims = tuple(
            Claim(field=name, value=value, source="hub", where="lock file")
            for name in ABOUT
            if (value := getattr(entry, name)) not in (None, ())
        )
        lora = Lora(ref=entry.ref.lora, title=entry.title, url="", versions=(version,), claims=claims)
        return with_header(lora, entry.ref, inspect_path(path).adapter) if path.is_file() else lora

    def download(self, ref: Ref, lora: Lora | None = None) -> Download:
        return self.locate(ref)

    def locate(self, ref: Ref) -> Download:
        """Raise an error in any case, because no hub has the file."""
        entry = self._entry(ref)
        raise content_error(entry) if self.library.path(entry).is_file() else missing_error(entry)

    def _entry(self, ref: Ref) -> Entry:
        # The local name may differ, but the hash identifies the file.
        found = [entry for entry in self.library.entries() if entry.answers_to(ref) or entry.sha256 == ref.version]
        if len(found) == 1:
            return found[0]
        if found:
            # Raises UsageError with all candidates.
            return self.library.entry(ref)
        unkept = next((entry for entry in OwnFiles(self.library).entries() if entry.answers_to(ref)), None)
        if unkept is not None:
            return unkept
        bytes_ = f" with sha256 {ref.version[:12]}…" if ref.version else ""
        raise errors.NotFound(
            f"“{ref.id}” is a file from somebody's disk{bytes_}: no hub is known to have it, and this library doesn't. "
            f"Put it below {self.library.folder} and run: hub-ui import {self.library.folder}"
        )


def content_error(entry: Entry) -> errors.WrongHash:
    return errors.WrongHash(
        f"{entry.file} is not what was entered any more, and no hub is known to have what was. The file was left as it "
        "is. If it is meant to be so, enter it anew with hub-ui import."
    )


def missing_error(entry: Entry) -> errors.NotFound:
    return errors.NotFound(
        f"“{entry.title}” is not at {entry.file} any more, and no hub is known to have it. Put the file with sha256 "
        f'{entry.sha256[:12]}… back there, or forget it: hub-ui remove "{entry.ref}" --keep-file'
    )
