"""Checks the folder against the lock file, and makes it what the lock file says: `check_all` and `Sync`.

For files that a hub refuses there are mirrors, which are other refs of the same bytes, and the next step for a person.
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
    """Those of `refs`, all that have the bytes of `ref`, that anyone may download as far as `lora` knows."""
    return (mirror for mirror in refs if mirror != ref and _is_open(lora(mirror), mirror))


def _is_open(lora: Lora, ref: Ref) -> bool:
    version = lora.version(ref.version)
    return version is not None and shown_access(lora, version) == "open"


def best_home(
    own: Ref, others: Iterable[Ref], lora: Callable[[Ref], Lora], keys: Container[HubName], seconds: Mapping[str, float]
) -> Ref:
    """The one to fetch from of refs that have the same bytes, where a person has asked for any of them.

    One that needs no key comes first: it is open, and its hub asks for none or has been given one. Then the hub that
    has answered fastest, last time; then `own`.
    """

    def order(ref: Ref) -> tuple[bool, float]:
        is_free = _is_open(lora(ref), ref) and (HUBS[ref.hub].is_keyless or ref.hub in keys)
        return not is_free, seconds.get(ref.hub, inf)

    return min((own, *others), key=order)


def mirrors_of(entry: Entry, refs: Iterable[Ref]) -> list[Ref]:
    """Those of `refs`, all that have the entry's bytes, that its file can be fetched from."""
    return [ref for ref in refs if ref != entry.ref and ref.is_pinned]


def pull_from_mirror(
    error: errors.HubUiError,
    library: Library,
    entry: Entry,
    refs: Iterable[Ref],
    connector: Callable[[Origin], LoraSource],
    meter: Meter,
) -> Ref:
    """Fetches the file of an entry, whose own hub refused it with `error`, from a mirror, and returns that mirror.

    Raises NetworkError or RateLimited where one may have it later, else `error`.
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
    """The same refusal with the best next step added. `mirrors` are other refs of the same bytes."""
    step = _next_step(error, ref, known, mirrors)
    if not step:
        return error
    message = error.message.rstrip()
    # A full stop where a hub's own words lack it, but none behind an address.
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
# Hashing lets go of the interpreter: a few threads keep a fast disk busy.
_WORKERS = min(4, os.cpu_count() or 1)


@dataclass(frozen=True, kw_only=True, slots=True)
class FileCheck:
    """`sha256` and `size` are the file's own, None where it could not be read."""

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
    """In their order. Who takes no more of them ends it."""
    with ThreadPoolExecutor(_WORKERS) as pool:
        yield from pool.map(partial(check, library), entries)


def foreign(library: Library) -> tuple[str, ...]:
    """Visible files that no entry names, sorted, without sidecars, parts of downloads and the lock file."""
    files = [entry.file for entry in library.entries()]
    named = {*map(fold, files), *(fold(name) for _file, name in files_beside(library.folder, files))}
    paths = (path for path in visible_files(library.folder) if path != library.lock)
    found = sorted(path.relative_to(library.folder).as_posix() for path in paths)
    # On a disk that tells case apart, another file may have the name of an entry's but for that.
    exact = {fold(name): name for name in set(files).intersection(found)}
    strangers = (name for name in found if fold(name) not in named or exact.get(fold(name), name) != name)
    return tuple(name for name in strangers if not name.casefold().endswith(UNFINISHED))


# "kept": it was there and right. With `error`, "failed": what is at its place then is nothing, or the right bytes.
SyncState = Literal["kept", "fetched", "replaced", "failed"]


@dataclass(frozen=True, kw_only=True, slots=True)
class SyncResult:
    """`source` is the ref the bytes came from, where that is not the entry's own."""

    entry: Entry
    state: SyncState
    error: errors.HubUiError | None = None
    source: Ref | None = None


@dataclass(frozen=True, kw_only=True)
class Sync:
    """`refs_of` gives every ref known for a SHA-256: another hub may still have what an entry's own no longer has.

    `frozen`: of files that are here already, each hub is asked whether it still promises the same SHA-256. Where it
    states none (Replicate), its file is fetched once more and hashed. Neither way writes to the lock file.
    """

    library: Library
    connector: Callable[[Origin], LoraSource]
    refs_of: Callable[[str], Iterable[Ref]]
    frozen: bool = False
    meter: Meter = field(default_factory=Meter)
    explain: Callable[[errors.HubUiError, Ref], errors.HubUiError] = lambda error, ref: error

    def run(self) -> Iterator[SyncResult]:
        """One result an entry, in the order of the lock file. A failure doesn't stop the others."""
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
        # It can't be fetched again, so the file in its place, maybe its next version, keeps the name.
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
        # Including those of earlier runs that could not fetch the right file.
        number = re.compile(re.escape(f"{path.name}.changed") + "[0-9]*")
        aside = [other for other in path.parent.iterdir() if number.fullmatch(other.name) and other.is_file()]
        for other in aside:
            other.unlink()
        return SyncResult(entry=entry, state="replaced" if aside else "fetched", source=source)

    def _check_promise(self, entry: Entry, failures: dict[Origin, errors.HubUiError]) -> None:
        """A hub that is down or limits the rate is asked once, not for every file."""
        hub = entry.ref.hub
        if hub in failures:
            raise failures[hub]
        connector = self.connector(hub)
        try:
            if check_still_promised(connector, entry):
                return
            download = connector.download(entry.ref)
            # A file at a commit: other bytes would be another commit.
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
    """Renames a file that isn't what the lock file says. It is kept until the right file is there."""
    names = (path.with_name(f"{path.name}.changed{number or ''}") for number in count())
    aside = next(name for name in names if not name.exists())
    path.replace(aside)
    return aside


def check_still_promised(connector: LoraSource, entry: Entry) -> bool:
    """Whether the hub promises any bytes under the entry's ref. Raises WrongHash for other ones, NotFound for none."""
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
