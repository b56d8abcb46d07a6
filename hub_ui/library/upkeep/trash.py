"""The trash of a library, `.trash/` in its folder: a record of each change that can be undone, and removed files.

A record is `ID.json`, with the previous entries and every rename. While its change is being made the record is
`ID.begun.json`. It is `ID.second.begun.json` from the moment when files leave the trash again for their new paths.
Removed files are in `ID/` on the same disk, so removing and undoing need no room.
"""

import errno
import json
import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Any, Literal, get_args
from uuid import uuid4

from connectors.errors import HubUiError
from connectors.ref import Ref
from hub_ui.base.disk import FULL, drop_empty, leads_inside, replace_file, stamp, sync_folders
from hub_ui.library import lockfile
from hub_ui.library.annotations import Annotation, normalize, plain, read_annotation
from hub_ui.library.file_names import fold
from hub_ui.library.lockfile import Entry

FOLDER = ".trash"
KEPT_DAYS = 30
# The most bytes in the trash. The last change can always be undone, even if it is larger.
MOST_BYTES = 20_000_000_000
ChangeKind = Literal["remove", "move", "annotate"]
Rename = tuple[str, str]
_BEGUN, _SECOND, _DONE = ".begun.json", ".second.begun.json", ".json"
# Prefix of removed files next to their original path, if that is on another disk than the trash: a folder of the
# library may be a link.
_NEARBY = ".trash-"
# The most bytes of a name in the trash. File systems allow 255, and a number precedes the name.
_LONGEST_NAME = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """A change that can be undone.

    `entries` are the previous ones. `renames` are pairs of old and new path below the folder, in order. `lock` is the
    path of the changed lock file, relative to the folder if it is inside. `size` is the size of its files in the trash.
    `annotations` are pairs of before and after.
    """

    id: str
    at: str
    kind: ChangeKind
    entries: tuple[Entry, ...]
    lock: str = ""
    renames: tuple[Rename, ...] = ()
    size: int = 0
    annotations: tuple[tuple[Annotation, Annotation], ...] = ()

    @property
    def refs(self) -> tuple[Ref, ...]:
        return tuple(entry.ref for entry in self.entries) or tuple(before.ref for before, _ in self.annotations)

    def places(self) -> Mapping[str, str]:
        """Return the final path of each renamed file, which may have moved through the trash."""
        origins: dict[str, str] = {}
        for old, new in self.renames:
            origins[new] = origins.pop(old, old)
        return {origin: place for place, origin in origins.items()}

    def encode(self) -> bytes:
        values = {
            "id": self.id,
            "at": self.at,
            "kind": self.kind,
            "size": self.size,
            "renames": self.renames,
            "annotations": [[plain(one) for one in pair] for pair in self.annotations],
            "lock": lockfile.dumps(self.entries),
            "lock_file": self.lock,
        }
        return json.dumps(values, indent=1).encode()


def decode_change(data: bytes) -> Change | None:
    """Decode a record. Return None if it is damaged or contains a path outside the library."""
    try:
        values = json.loads(data)
        renames = tuple((str(old), str(new)) for old, new in values["renames"])
        change = Change(
            id=str(values["id"]),
            at=str(values["at"]),
            kind=values["kind"],
            entries=lockfile.loads(values["lock"], "A record of the trash"),
            lock=str(values.get("lock_file", "")),
            renames=renames,
            size=int(values["size"]),
            annotations=tuple((_annotation(one), _annotation(two)) for one, two in values.get("annotations", ())),
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, HubUiError):
        return None
    is_inside = all(leads_inside(path) for rename in renames for path in rename)
    return change if is_inside and change.kind in get_args(ChangeKind) else None


def _annotation(values: dict[str, Any]) -> Annotation:
    return normalize(read_annotation(values))


class Trash:
    """The trash. Every caller that changes it must hold the lock of the lock file (`Library.writer`)."""

    def __init__(self, folder: Path, *, most: int, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._folder = folder
        self._trash = folder / FOLDER
        self._most = most
        self._now = now
        self._known: dict[str, tuple[object, Change | None]] = {}

    def changes(self) -> tuple[Change, ...]:
        """Return the changes that can be undone, the newest first."""
        return tuple(change for name in reversed(self._names(_DONE)) if (change := self._read(name)))

    def list_unfinished(self) -> tuple[Change, ...]:
        return tuple(change for name in self._names(_BEGUN) if (change := self._read(name)))

    def new(self, kind: ChangeKind, entries: tuple[Entry, ...], lock: Path) -> Change:
        at = self._now()
        inside = lock.relative_to(self._folder) if lock.is_relative_to(self._folder) else lock.absolute()
        id_ = f"{at:%Y%m%dT%H%M%S%f}-{uuid4().hex[:6]}"
        return Change(id=id_, at=at.isoformat(timespec="seconds"), kind=kind, entries=entries, lock=inside.as_posix())

    def removal(self, entries: tuple[Entry, ...], lock: Path, files: Iterable[Path]) -> Change:
        change, renames, size = self.new("remove", entries, lock), [], 0
        disk = os.stat(self._folder).st_dev
        for number, file in enumerate(files):
            old = PurePosixPath(file.relative_to(self._folder).as_posix())
            if disk == os.stat(file.parent).st_dev:
                name = old.name.encode()[:_LONGEST_NAME].decode(errors="ignore")
                new = f"{FOLDER}/{change.id}/{number}-{name}"
            else:
                new = str(old.parent / f"{_NEARBY}{change.id}-{number}")
            renames.append((str(old), new))
            size += file.lstat().st_size
        return replace(change, renames=tuple(renames), size=size)

    def begin(self, change: Change, write: Callable[[], None] = lambda: None) -> None:
        """Write the record, then call `write`. If there is no room for both even with an empty trash, keep neither."""

        def write_record() -> None:
            # Creating the folder first makes a full disk fail before any other change.
            (self._trash / change.id).mkdir(parents=True, exist_ok=True)
            replace_file(self._record(change.id, _BEGUN), change.encode())

        try:
            self._with_room(write_record)
            self._with_room(write)
        except OSError:
            self.forget(change)
            raise

    def _is_second(self, change: Change) -> bool:
        return self._record(change.id, _SECOND).exists()

    def rename(
        self, renames: Iterable[Rename], origins: Mapping[str, str] | None = None, *, is_resumed: bool = False
    ) -> dict[str, OSError]:
        """Rename files of the library. Return the errors by the first path of each file.

        An error's `filename` is the present path. `origins` maps present paths to first paths that differ. With
        `is_resumed`, an existing file at the new path means that the rename was done before.
        """
        errors: dict[str, OSError] = {}
        folders: set[Path] = set()
        for old, new in renames:
            source, target = self._folder / old, self._folder / new
            if not os.path.lexists(source):
                continue
            try:
                if os.path.lexists(target) and not source.samefile(target):
                    if is_resumed:
                        continue
                    raise FileExistsError(errno.EEXIST, "there is another file at its place")
                target.parent.mkdir(parents=True, exist_ok=True)
                os.rename(source, target)
                folders |= {source.parent, target.parent}
            except OSError as error:
                error.filename = old
                errors[(origins or {}).get(old, old)] = error
        sync_folders(folders)
        return errors

    def rename_in_order(self, change: Change, *, is_resumed: bool = False) -> dict[str, OSError]:
        """Do the renames of `in_order`: those out of the trash begin after all others are done."""
        second = tuple(rename for rename in change.renames if rename[0].startswith(f"{FOLDER}/{change.id}/"))
        first = change.renames[: len(change.renames) - len(second)]
        errors = {} if self._is_second(change) else self.rename(first, is_resumed=is_resumed)
        if second and not self._is_second(change):
            os.replace(self._record(change.id, _BEGUN), self._record(change.id, _SECOND))
            sync_folders([self._trash])
        return errors | self.rename(second, {new: old for old, new in first}, is_resumed=is_resumed)

    def end(self, change: Change) -> None:
        """Complete the record after all files are renamed, and delete folders that became empty."""
        for parent in {(self._folder / old).parent for old in change.places()}:
            drop_empty(parent, self._folder)
        with suppress(OSError):
            (self._trash / change.id).rmdir()
        suffix = _SECOND if self._is_second(change) else _BEGUN
        os.replace(self._record(change.id, suffix), self._record(change.id, _DONE))
        sync_folders([self._trash])
        self._trim()

    def narrow(self, change: Change, entries: tuple[Entry, ...], renames: tuple[Rename, ...]) -> Change:
        """Replace the record by one with only these entries and renames."""
        sizes = [path.lstat().st_size for _, new in renames if os.path.lexists(path := self._folder / new)]
        change = replace(change, entries=entries, renames=renames, size=sum(sizes))
        self.begin(change)
        self.end(change)
        return change

    def forget(self, change: Change) -> None:
        """Delete the record, but not its files."""
        for suffix in (_BEGUN, _SECOND, _DONE):
            self._record(change.id, suffix).unlink(missing_ok=True)
        for folder in (self._trash / change.id, self._trash):
            with suppress(OSError):
                folder.rmdir()

    def drop(self, change: Change) -> None:
        """Delete the removed files of a change for good, then its record."""
        for _, new in change.renames if change.kind == "remove" else ():
            path = PurePosixPath(new)
            if path.parts[0] == FOLDER or path.name.startswith(_NEARBY):
                (self._folder / new).unlink(missing_ok=True)
        self.forget(change)

    def _with_room(self, step: Callable[[], None]) -> None:
        """Run a step that writes. On a full disk, delete the oldest files of the trash until there is room."""
        while True:
            try:
                return step()
            except OSError as error:
                oldest = next((change for change in reversed(self.changes()) if change.size), None)
                if error.errno not in FULL or oldest is None:
                    raise
                self.drop(oldest)

    def _trim(self) -> None:
        oldest = (self._now() - timedelta(days=KEPT_DAYS)).isoformat()
        size = 0
        for number, change in enumerate(self.changes()):
            size += change.size
            if number and (change.at < oldest or size > self._most):
                self.drop(change)

    def _record(self, id_: str, suffix: str) -> Path:
        return self._trash / f"{id_}{suffix}"

    def _names(self, suffix: str) -> list[str]:
        """Return the names of the records, sorted by time."""
        try:
            names = sorted(os.listdir(self._trash))
        except (FileNotFoundError, NotADirectoryError):
            return []
        return [name for name in names if name.endswith(suffix) and (suffix == _BEGUN or not name.endswith(_BEGUN))]

    def _read(self, name: str) -> Change | None:
        """Read a record, cached because a record with thousands of entries is slow to read."""
        path = self._trash / name
        now = stamp(path)
        known, change = self._known.get(name, (None, None))
        if known != now:
            with suppress(OSError):
                change = decode_change(path.read_bytes())
            change = change if change is not None and name.startswith(f"{change.id}.") else None
            self._known[name] = now, change
        return change


def in_order(moves: Mapping[str, str], trash: str) -> tuple[Rename, ...]:
    """Return the renames of `moves`. A file whose new path is still in use moves through the trash, in two renames.

    The renames out of the trash come last, so that the files on disk show which renames were done.
    """
    olds = {fold(old) for old in moves}
    first: list[Rename] = []
    second: list[Rename] = []
    for number, (old, new) in enumerate(moves.items()):
        if fold(new) in olds and fold(new) != fold(old):
            between = f"{trash}/{number}{PurePosixPath(new).suffix}"
            first.append((old, between))
            second.append((between, new))
        else:
            first.append((old, new))
    return (*first, *second)
