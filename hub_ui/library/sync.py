"""Makes the folder what the lock file says: fetches what is missing, replaces what is changed, keeps the rest."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Literal

from connectors.connector import Download, HttpDownload, LoraSource
from connectors.errors import AccessError, HubDown, HubTimeout, HubUiError, NotFound, RateLimited, WrongHash
from connectors.record import Record
from connectors.ref import LOCAL, Origin, Ref
from hub_ui.library.disk import disk_trouble
from hub_ui.library.download.progress import Meter, Progress
from hub_ui.library.library import Library
from hub_ui.library.local_files import changed, lost
from hub_ui.library.lockfile import Entry
from hub_ui.library.outdated import sha256_at
from hub_ui.library.verify import check

# "kept": it was there and right. With `error`, "failed": what is at its place then is nothing, or the right bytes.
State = Literal["kept", "fetched", "replaced", "failed"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Synced:
    """`source` is the ref the bytes came from, where that is not the entry's own."""

    entry: Entry
    state: State
    error: HubUiError | None = None
    source: Ref | None = None


@dataclass(frozen=True, kw_only=True)
class Sync:
    """`twins` gives every ref known for these bytes: another hub may still have what an entry's own no longer has.

    `frozen`: of files that are here already, each hub is asked whether it still promises the same SHA-256. Where it
    states none (Replicate), its bytes are read once more and hashed. Neither way writes to the lock file.
    """

    library: Library
    connector: Callable[[Origin], LoraSource]
    twins: Callable[[str], Iterable[Ref]]
    frozen: bool = False
    report: Callable[[Progress], None] | None = None
    explain: Callable[[HubUiError, Ref], HubUiError] = lambda error, ref: error

    def run(self) -> Iterator[Synced]:
        """One result an entry, in the order of the lock file. One that fails does not keep the others from coming."""
        unanswering: dict[Origin, HubUiError] = {}
        for entry in self.library.entries():
            try:
                yield self._synced(entry, unanswering)
            except HubUiError as error:
                yield Synced(entry=entry, state="failed", error=self.explain(error, entry.ref))
            except OSError as error:
                yield Synced(entry=entry, state="failed", error=disk_trouble(error))

    def _synced(self, entry: Entry, unanswering: dict[Origin, HubUiError]) -> Synced:
        found = check(self.library, entry)
        if found.right:
            if self.frozen:
                self._ask(entry, unanswering)
            return Synced(entry=entry, state="kept")
        # Nobody can bring it back, so what lies in its place, maybe its next version, keeps the name.
        if entry.ref.hub == LOCAL and not any(ref != entry.ref and ref.pinned for ref in self.twins(entry.sha256)):
            raise lost(entry) if found.state == "missing" else changed(entry)
        path = self.library.path(entry)
        if found.state != "missing":
            set_aside(path)
        done = self._fetched(entry)
        # Those of earlier tries too, which found no hub to have the right file from.
        aside = [place for place in _asides(path) if place.is_file()]
        for place in aside:
            place.unlink()
        return replace(done, state="replaced") if aside else done

    def _ask(self, entry: Entry, unanswering: dict[Origin, HubUiError]) -> None:
        """A hub that is down, or wants us to slow down, is not asked about the next hundred files too."""
        hub = entry.ref.hub
        if hub in unanswering:
            raise unanswering[hub]
        try:
            if not check_still_promised(self.connector(hub), entry):
                self._read_again(entry)
        except (HubDown, HubTimeout, RateLimited) as error:
            unanswering[hub] = error
            raise

    def _read_again(self, entry: Entry) -> None:
        connector = self.connector(entry.ref.hub)
        download = connector.download(entry.ref)
        if not isinstance(download, HttpDownload):
            # A file at a commit: other bytes would be another commit.
            return
        meter = Meter(report=self.report)
        patience = self.library.manner.patience
        found = sha256_at(download, lambda: connector.download(entry.ref), meter, patience)
        if found != entry.sha256:
            raise WrongHash(
                f"{connector.label} now hands out other bytes under {entry.ref} (sha256 {found[:12]}…) than the lock "
                f"file pins ({entry.sha256[:12]}…). See: hub-ui outdated",
                hub=entry.ref.hub,
            )

    def _fetched(self, entry: Entry) -> Synced:
        try:
            self._pull(entry, entry.ref)
        except (NotFound, AccessError) as error:
            return self._from_twin(entry, error)
        return Synced(entry=entry, state="fetched")

    def _from_twin(self, entry: Entry, error: HubUiError) -> Synced:
        for ref in self.twins(entry.sha256):
            if ref == entry.ref or not ref.pinned:
                continue
            try:
                self._pull(entry, ref)
            except HubUiError:
                continue
            return Synced(entry=entry, state="fetched", source=ref)
        raise error

    def _pull(self, entry: Entry, ref: Ref) -> None:
        """From `ref`, under the entry's name: the bytes must be the entry's, whoever hands them over."""

        def download() -> Download:
            return replace(self.connector(ref.hub).download(ref), ref=entry.ref)

        self.library.pull(download(), as_record(entry), report=self.report, renew=download)


def set_aside(path: Path) -> Path:
    """What is not what the lock file says leaves the name it has no right to, and is kept until the right file came."""
    names = (path.with_name(f"{path.name}.changed{number or ''}") for number in count())
    aside = next(name for name in names if not name.exists())
    path.replace(aside)
    return aside


def _asides(path: Path) -> list[Path]:
    """Whatever `set_aside` ever put beside that path."""
    number = re.compile(re.escape(f"{path.name}.changed") + "[0-9]*")
    return [place for place in path.parent.iterdir() if number.fullmatch(place.name)]


def check_still_promised(connector: LoraSource, entry: Entry) -> bool:
    """Whether the hub promises any bytes at all under the entry's ref.

    Raises WrongHash where it now promises other ones, NotFound where it has none.
    """
    version = connector.get(entry.ref).version(entry.ref.version)
    if version is None:
        raise NotFound(f"{connector.label} no longer lists {entry.ref}.", hub=entry.ref.hub)
    file = version.find_file(entry.ref)
    if file is None and not any(file.sha256 == entry.sha256 for file in version.files):
        raise WrongHash(
            f"{connector.label} no longer offers this file under {entry.ref.at(entry.ref.version)}: "
            "its author took it out or put another in its place. See: hub-ui outdated",
            hub=entry.ref.hub,
        )
    if file is not None and file.sha256 not in (None, entry.sha256):
        raise WrongHash(
            f"{connector.label} now promises other bytes under {entry.ref} (sha256 {(file.sha256 or '')[:12]}…) than "
            f"the lock file pins ({entry.sha256[:12]}…). See: hub-ui outdated",
            hub=entry.ref.hub,
        )
    return file is None or file.sha256 is not None


def as_record(entry: Entry) -> Record:
    """What a library needs to know of a file that has an entry: only what the entry says."""
    return Record(
        ref=entry.ref,
        hub=entry.ref.hub,
        title=entry.title,
        creator=None,
        url=entry.source,
        base_model=entry.base_model,
        architecture=entry.architecture,
        raw_base_model=None,
        kind=None,
        trigger_words=entry.trigger_words,
        rank=None,
        alpha=None,
        algorithm=None,
        weight=entry.weight,
        file=None,
        license=entry.license,
        nsfw=None,
        downloads=None,
        likes=None,
        updated_at=None,
        images=(),
        access="open",
        claims=(),
        conflicts=(),
    )
