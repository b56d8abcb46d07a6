"""Compare the folder with the lock file (`check_all`), and restore the files of the lock file (`Sync`).

If a hub refuses a file, a mirror may have it: another ref with the same bytes. Errors are explained with a next step.
"""

import os
import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count
from math import inf
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from connectors import errors
from connectors.claims.resolve import shown_access
from connectors.connector import Download, HttpDownload, LoraSource
from connectors.record import Lora
from connectors.ref import LOCAL, Origin, Ref
from connectors.registry import HUBS, HubName, origin_label
from hub_ui.base.disk import disk_message, hash_of, visible_files
from hub_ui.library.download.partial_file import Meter, PullCancelled
from hub_ui.library.file_names import UNFINISHED, files_beside, fold
from hub_ui.library.library import Library
from hub_ui.library.lockfile import Entry
from hub_ui.library.upkeep.identify import content_error, missing_error


def open_mirrors(ref: Ref, refs: Iterable[Ref], lora: Callable[[Ref], Lora]) -> Iterator[Ref]:
    """Yield the refs with an open download, except `ref` itself. All `refs` have the bytes of `ref`.

    `lora` returns the known data of a ref.
    """
    return (mirror for mirror in refs if mirror != ref and _is_open(lora(mirror), mirror))


def _is_open(lora: Lora, ref: Ref) -> bool:
    version = lora.version(ref.version)
    return version is not None and shown_access(lora, version) == "open"


def best_home(
    own: Ref, others: Iterable[Ref], lora: Callable[[Ref], Lora], keys: Container[HubName], seconds: Mapping[str, float]
) -> Ref:
    """Choose the ref to download from among refs with the same bytes.

    A ref that needs no key or whose hub has one comes first, then the hub with the fastest last response, then `own`.
    """

    def order(ref: Ref) -> tuple[bool, float]:
        is_free = _is_open(lora(ref), ref) and (HUBS[ref.hub].is_keyless or ref.hub in keys)
        return not is_free, seconds.get(ref.hub, inf)

    return min((own, *others), key=order)


def mirrors_of(entry: Entry, refs: Iterable[Ref]) -> list[Ref]:
    """Return the pinned refs other than the entry's own. All `refs` have the entry's bytes."""
    return [ref for ref in refs if ref != entry.ref and ref.is_pinned]


def pull_from_mirror(
    error: errors.HubUiError,
    library: Library,
    entry: Entry,
    refs: Iterable[Ref],
    connector: Callable[[Origin], LoraSource],
    meter: Meter,
) -> Ref:
    """Download a file whose own hub refused it with `error` from a mirror, and return that mirror.

    Raises NetworkError or RateLimited if a mirror may have the file later, or else `error`.
    """
    failure = error
    for mirror in () if isinstance(error, errors.Withheld) else mirrors_of(entry, refs):

        def locate(mirror: Ref = mirror) -> Download:
            return replace(connector(mirror.hub).download(mirror), ref=entry.ref)

        try:
            library.pull(locate, entry, meter)
            return mirror
        except PullCancelled:
            raise
        except (errors.NetworkError, errors.RateLimited) as later:
            failure = later
        except errors.HubUiError:
            continue
    raise failure


def explain(error: errors.HubUiError, ref: Ref, known: Lora, mirrors: Iterable[Ref]) -> errors.HubUiError:
    """Return the error with the best next step added. `mirrors` are other refs of the same bytes."""
    step = _next_step(error, ref, known, mirrors)
    if not step:
        return error
    message = error.message.rstrip()
    # Add a full stop to a hub's message without one, but not after an address.
    if message[-1:].isalnum() and "://" not in message.rpartition(" ")[2]:
        message += "."
    return type(error)(f"{message} {step}", hub=error.hub, url=error.url, retry_after=error.retry_after)


def _next_step(error: errors.HubUiError, ref: Ref, known: Lora, mirrors: Iterable[Ref]) -> str:
    mirror = next((mirror for mirror in mirrors if (mirror.hub, mirror.id) != (ref.hub, ref.id)), None)
    if mirror is not None and (mirror.hub != ref.hub or not isinstance(error, errors.RegionBlocked)):
        return f"The same bytes are at {mirror}: hub-ui pull {mirror}"
    page = f"Its page: {known.url}"
    if not isinstance(error, errors.NotFound):
        return "" if "http" in error.message else page
    by = f" by {known.creator}" if known.creator else ""
    found = f"The catalog remembers it as “{known.title}”{by}."
    if known.access == "removed":
        return found
    if known.access == "archived":
        return f"{found} {page}"
    this = known.version(ref.version)
    others = (version for version in known.versions if version is not this)
    other = next((version for version in others if version.access == "open" and version.files), None)
    return f"{found} Another version is there: hub-ui pull {other.ref}" if other else found


FileState = Literal["right", "missing", "changed", "unreadable"]
# hashlib releases the interpreter's lock, so a few threads keep a fast disk busy.
_WORKERS = min(4, os.cpu_count() or 1)


@dataclass(frozen=True, kw_only=True, slots=True)
class FileCheck:
    """The result of a check. `sha256` and `size` are the file's own, None if it could not be read."""

    entry: Entry
    state: FileState
    sha256: str | None = None
    size: int | None = None


def check(library: Library, entry: Entry) -> FileCheck:
    path = library.path(entry)
    if not path.is_file():
        return FileCheck(entry=entry, state="missing")
    try:
        found = hash_of(path)
    except OSError:
        return FileCheck(entry=entry, state="unreadable")
    state: FileState = "right" if found.sha256 == entry.sha256 else "changed"
    return FileCheck(entry=entry, state=state, sha256=found.sha256, size=found.size)


def check_all(library: Library, entries: Iterable[Entry]) -> Iterator[FileCheck]:
    """Yield the check of each entry in order. Closing the iterator stops the checks."""
    with ThreadPoolExecutor(_WORKERS) as pool:
        yield from pool.map(partial(check, library), entries)


def foreign(library: Library) -> tuple[str, ...]:
    """Return the visible files without an entry, sorted. Sidecars, partial files and the lock file are skipped."""
    files = [entry.file for entry in library.entries()]
    named = {*map(fold, files), *(fold(name) for _file, name in files_beside(library.folder, files))}
    paths = (path for path in visible_files(library.folder) if path != library.lock)
    found = sorted(path.relative_to(library.folder).as_posix() for path in paths)
    # On a case-sensitive disk, another file may differ from an entry's file only in letter case.
    exact = {fold(name): name for name in set(files).intersection(found)}
    strangers = (name for name in found if fold(name) not in named or exact.get(fold(name), name) != name)
    return tuple(name for name in strangers if not name.casefold().endswith(UNFINISHED))


# "kept": the file was right. "failed" has an `error`: afterwards the path is empty or has the right bytes.
SyncState = Literal["kept", "fetched", "replaced", "failed"]


@dataclass(frozen=True, kw_only=True, slots=True)
class SyncResult:
    """The result for one entry. `source` is the ref that the bytes came from, if it is not the entry's own."""

    entry: Entry
    state: SyncState
    error: errors.HubUiError | None = None
    source: Ref | None = None


@dataclass(frozen=True, kw_only=True)
class Sync:
    """A run that restores the library. `refs_of` returns every known ref of a SHA-256, which may be mirrors.

    With `frozen`, hubs are also queried about intact files: each hub must still promise the same SHA-256. If it gives
    none (Replicate), the file is downloaded again and hashed. The lock file is never written.
    """

    library: Library
    connector: Callable[[Origin], LoraSource]
    refs_of: Callable[[str], Iterable[Ref]]
    frozen: bool = False
    meter: Meter = field(default_factory=Meter)
    explain: Callable[[errors.HubUiError, Ref], errors.HubUiError] = lambda error, ref: error

    def run(self) -> Iterator[SyncResult]:
        """Yield one result per entry, in the order of the lock file. A failure doesn't stop the others."""
        failures: dict[Origin, errors.HubUiError] = {}
        for entry in self.library.entries():
            try:
                yield self._sync(entry, failures)
            except errors.HubUiError as error:
                yield SyncResult(entry=entry, state="failed", error=self.explain(error, entry.ref))
            except OSError as error:
                yield SyncResult(entry=entry, state="failed", error=disk_message(error))

    def _sync(self, entry: Entry, failures: dict[Origin, errors.HubUiError]) -> SyncResult:
        found = check(self.library, entry)
        if found.state == "right":
            if self.frozen:
                self._check_promise(entry, failures)
            return SyncResult(entry=entry, state="kept")
        # Keep the file in place, because a local file can't be downloaded again. It may be a newer version of it.
        if entry.ref.hub == LOCAL and not mirrors_of(entry, self.refs_of(entry.sha256)):
            raise missing_error(entry) if found.state == "missing" else content_error(entry)
        path = self.library.path(entry)
        if found.state != "missing":
            set_aside(path)
        source = None
        try:
            self.library.pull(lambda: self.connector(entry.ref.hub).download(entry.ref), entry, self.meter)
        except (errors.NotFound, errors.AccessError) as error:
            refs = self.refs_of(entry.sha256)
            source = pull_from_mirror(error, self.library, entry, refs, self.connector, self.meter)
        # Delete all renamed files, including those of earlier runs that failed.
        number = re.compile(re.escape(f"{path.name}.changed") + "[0-9]*")
        aside = [other for other in path.parent.iterdir() if number.fullmatch(other.name) and other.is_file()]
        for other in aside:
            other.unlink()
        return SyncResult(entry=entry, state="replaced" if aside else "fetched", source=source)

    def _check_promise(self, entry: Entry, failures: dict[Origin, errors.HubUiError]) -> None:
        """Check the hub's promise. If the hub is down or limits the rate, it is not queried for other files."""
        hub = entry.ref.hub
        if hub in failures:
            raise failures[hub]
        connector = self.connector(hub)
        try:
            if check_still_promised(connector, entry):
                return
            download = connector.download(entry.ref)
            # The bytes of a file at a commit can't change, so only HTTP downloads are checked.
            if isinstance(download, HttpDownload):
                with TemporaryDirectory(prefix="hub-ui-") as name:
                    beside = replace(self.library, folder=Path(name), lock=Path(name, "loras.lock"))
                    found = beside.pull(partial(connector.download, entry.ref), entry, self.meter).sha256
                if found != entry.sha256:
                    raise _other_bytes(f"{origin_label(entry.ref.hub)} now hands out other bytes", entry, found)
        except (errors.HubDown, errors.HubTimeout, errors.RateLimited) as error:
            failures[hub] = error
            raise


def set_aside(path: Path) -> Path:
    """Rename a file that differs from the lock file, and keep it until the right file is in place."""
    names = (path.with_name(f"{path.name}.changed{number or ''}") for number in count())
    aside = next(name for name in names if not name.exists())
    path.replace(aside)
    return aside


def check_still_promised(connector: LoraSource, entry: Entry) -> bool:
    """Return whether the hub promises any hash for the entry's ref.

    Raises WrongHash if it promises other bytes, and NotFound if it no longer lists the version.
    """
    version = connector.get(entry.ref).version(entry.ref.version)
    if version is None:
        raise errors.NotFound(f"{origin_label(entry.ref.hub)} no longer lists {entry.ref}.", hub=entry.ref.hub)
    file = version.find_file(entry.ref)
    if file is None and not any(other.sha256 == entry.sha256 for other in version.files):
        raise errors.WrongHash(
            f"{origin_label(entry.ref.hub)} no longer offers this file under {entry.ref.at(entry.ref.version)}: "
            "its author took it out or put another in its place. See: hub-ui outdated",
            hub=entry.ref.hub,
        )
    if file is not None and file.sha256 not in (None, entry.sha256):
        raise _other_bytes(f"{origin_label(entry.ref.hub)} now promises other bytes", entry, file.sha256 or "")
    return file is None or file.sha256 is not None


def _other_bytes(what: str, entry: Entry, sha256: str) -> errors.WrongHash:
    return errors.WrongHash(
        f"{what} under {entry.ref} (sha256 {sha256[:12]}…) than the lock file pins ({entry.sha256[:12]}…). See: "
        "hub-ui outdated",
        hub=entry.ref.hub,
    )
