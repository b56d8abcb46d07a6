"""The trash of a library, `.trash/` in its folder: a record of each change that can be undone, and removed files.

A record is `ID.json`: the entries as they were, and every rename. While its change is being made it is `ID.begun.json`,
and `ID.second.begun.json` from when files leave the trash again on their way to their new places.
Removed files lie in `ID/`, so neither removing nor undoing needs room on the disk.
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
# The last change can be undone whatever it takes.
MOST_BYTES = 20_000_000_000
ChangeKind = Literal["remove", "move", "annotate"]
Rename = tuple[str, str]
_BEGUN, _SECOND, _DONE = ".begun.json", ".second.begun.json", ".json"
# Beside a file that lies on another disk than the trash: a folder of the library may be a link.
_NEARBY = ".trash-"
# Bytes of a name in the trash; a file system allows 255, and a number goes before it.
_LONGEST_NAME = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """`entries` are as they were before. `renames` are paths below the folder, old and new, in their order.

    `lock` is the path of the lock file that they were in, from the folder where it lies below it. `size` is what its
    removed files take in the trash. `annotations` are those before and after a change of them.
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
        """Where each renamed file is in the end. A file may have gone by way of the trash."""
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
    """None for a damaged record, and for one that names a file outside the library."""
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
    """Whoever changes it holds the lock of the lock file (`Library.writer`)."""

    def __init__(self, folder: Path, *, most: int, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._folder = folder
        self._trash = folder / FOLDER
        self._most = most
        self._now = now
        self._known: dict[str, tuple[object, Change | None]] = {}

    def changes(self) -> tuple[Change, ...]:
        """Those that can be undone, the newest first."""
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
        """Writes the record, then what `write` does; neither where even the trash's room is not enough for both."""

        def write_record() -> None:
            # A folder takes room, too: on a full disk this fails before anything else.
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
        """Moves files of the library. Returns what failed, by the path that the file had at first. An error's
        `filename` is where it is now.

        `origins` are first paths by present ones, where they differ. `is_resumed`: where there is something at the new
        path already, the step was done before.
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
        """The renames that `in_order` made, those out of the trash once all others are done."""
        second = tuple(rename for rename in change.renames if rename[0].startswith(f"{FOLDER}/{change.id}/"))
        first = change.renames[: len(change.renames) - len(second)]
        errors = {} if self._is_second(change) else self.rename(first, is_resumed=is_resumed)
        if second and not self._is_second(change):
            os.replace(self._record(change.id, _BEGUN), self._record(change.id, _SECOND))
            sync_folders([self._trash])
        return errors | self.rename(second, {new: old for old, new in first}, is_resumed=is_resumed)

    def end(self, change: Change) -> None:
        """Once its files are where they belong. Folders that they have left empty go."""
        for parent in {(self._folder / old).parent for old in change.places()}:
            drop_empty(parent, self._folder)
        with suppress(OSError):
            (self._trash / change.id).rmdir()
        suffix = _SECOND if self._is_second(change) else _BEGUN
        os.replace(self._record(change.id, suffix), self._record(change.id, _DONE))
        sync_folders([self._trash])
        self._trim()

    def narrow(self, change: Change, entries: tuple[Entry, ...], renames: tuple[Rename, ...]) -> Change:
        """A record of these alone in its place."""
        sizes = [path.lstat().st_size for _, new in renames if os.path.lexists(path := self._folder / new)]
        change = replace(change, entries=entries, renames=renames, size=sum(sizes))
        self.begin(change)
        self.end(change)
        return change

    def forget(self, change: Change) -> None:
        """Drops the record alone."""
        for suffix in (_BEGUN, _SECOND, _DONE):
            self._record(change.id, suffix).unlink(missing_ok=True)
        for folder in (self._trash / change.id, self._trash):
            with suppress(OSError):
                folder.rmdir()

    def drop(self, change: Change) -> None:
        """Deletes what it has in the trash for good, at last its record."""
        for _, new in change.renames if change.kind == "remove" else ():
            path = PurePosixPath(new)
            if path.parts[0] == FOLDER or path.name.startswith(_NEARBY):
                (self._folder / new).unlink(missing_ok=True)
        self.forget(change)

    def _with_room(self, step: Callable[[], None]) -> None:
        """Runs a step that writes. On a full disk, the oldest of the trash is deleted for good until there is room."""
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
        """Records in the order of time."""
        try:
            names = sorted(os.listdir(self._trash))
        except (FileNotFoundError, NotADirectoryError):
            return []
        return [name for name in names if name.endswith(suffix) and (suffix == _BEGUN or not name.endswith(_BEGUN))]

    def _read(self, name: str) -> Change | None:
        """A record of thousands of entries takes a while to read, so each is read once."""
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
    """One rename a file; where another one still has its new path, two, by way of the trash.

    Those out of the trash come last: then whether each was done can be told from what is there.
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
