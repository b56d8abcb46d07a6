"""Changes of the library that can be undone: removed LoRAs, moved files, tags and other annotations.

A kill or a power cut during a change loses nothing. First its record is written (trash.py), then the whole lock file,
then files are renamed. The next change and each start finish an interrupted change: if the lock file was written, the
files follow it, otherwise the record is dropped. `plan_moves` returns where a template for names would put files,
without moving them.
"""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Literal

from connectors.claims.resolve import flatten
from connectors.errors import HubUiError, NotFound, UsageError
from connectors.record import Lora, Record
from connectors.ref import Ref
from hub_ui.base.disk import FULL, disk_errors_as_messages, drop_empty
from hub_ui.base.i18n import N_
from hub_ui.library.annotations import Annotation, Annotations
from hub_ui.library.file_names import (
    FileNameTemplate,
    files_beside,
    fold,
    free_path,
    is_safe_path,
    name_notes,
    target,
    without_suffix,
)
from hub_ui.library.library import Library
from hub_ui.library.lockfile import Entry
from hub_ui.library.upkeep.export import find_unchanged, relist
from hub_ui.library.upkeep.trash import FOLDER, MOST_BYTES, Change, Trash, in_order

MoveState = Literal["moves", "stays", "fails"]
TAKEN = N_("Another file has this name, so eight characters are added.")
_FOR_GOOD = N_("The disk is full, so this was deleted for good, without a way back.")


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """The result of a change.

    `done` has the entries after the change, or removed entries as they were. `failed` has the entries that could not be
    changed, with the reason. Without a `change`, nothing can be undone.
    """

    done: tuple[Entry, ...] = ()
    failed: Mapping[Entry, HubUiError] = field(default_factory=dict)
    change: Change | None = None
    note: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedMove:
    """A planned move. `place` is a path below the library folder; `notes` explain how it differs from the template."""

    entry: Entry
    place: str
    notes: tuple[str, ...] = ()
    error: HubUiError | None = None

    @property
    def state(self) -> MoveState:
        return "fails" if self.error else "stays" if self.place == self.entry.file else "moves"


class Changes:
    """The changes of a library. Several threads and several processes may change it at once."""

    def __init__(
        self,
        library: Library,
        annotations: Annotations,
        *,
        most: int = MOST_BYTES,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._annotations = annotations
        self._library = library
        self._folder = library.folder
        self._trash = Trash(library.folder, most=most, now=now)

    def recent(self) -> tuple[Change, ...]:
        """Return the changes that can be undone, the newest first."""
        return self._trash.changes()

    def find(self, id_: str = "") -> Change:
        """Return the change with that id, or the last one without an id. Raises NotFound."""
        found = next((change for change in self.recent() if id_ in ("", change.id)), None)
        if found is None:
            raise NotFound(
                f"There is no such change to undo in {self._folder}. hub-ui undo --list shows those that can be "
                "undone, and --library names another folder."
            )
        return found

    @disk_errors_as_messages()
    def empty(self) -> int:
        """Delete all removed files for good. Return the number of freed bytes."""
        freed = 0
        if self.recent():
            with self._library.writer():
                self._finish()
                for change in self.recent():
                    if change.kind == "remove":
                        freed += change.size
                        self._trash.drop(change)
        return freed

    @disk_errors_as_messages()
    def finish(self) -> None:
        """Finish interrupted changes. If there are none, no file is created."""
        if self._trash.list_unfinished():
            with self._library.writer():
                self._finish()

    @disk_errors_as_messages()
    def remove(self, entries: Iterable[Entry], *, others: Iterable[str] = (), keep_files: bool = False) -> Outcome:
        """Remove entries from the lock file, then move their files to the trash unless `keep_files` is set.

        `others` are files without an entry, as paths below the folder. If the disk has no room for the record or the
        lock file, the oldest files in the trash are deleted for good. If the trash is empty then, the files to be
        removed are deleted for good as well.
        """
        library = self._library
        with library.writer():
            self._finish()
            known = {entry.ref: entry for entry in library.entries()}
            wanted = tuple(entries)
            removed = tuple(entry for entry in wanted if known.pop(entry.ref, None) is not None)
            refs = {entry.ref for entry in removed}
            failed: dict[Entry, HubUiError] = {e: _missing(e) for e in wanted if e.ref not in refs}
            other_files = [self._folder / file for file in others if is_safe_path(file) and self._exists(file)]
            if not removed and not other_files:
                return Outcome(failed=failed)
            sidecars = () if keep_files else find_unchanged(self._folder, removed)
            paths = () if keep_files else (*map(library.path, removed), *sidecars, *other_files)
            files = [path for path in paths if os.path.lexists(path)]
            change = self._trash.removal(removed, library.lock, files)
            try:
                self._trash.begin(change, lambda: library.write(known.values()))
            except OSError as error:
                if keep_files or error.errno not in FULL:
                    raise
                for path in files:
                    path.unlink(missing_ok=True)
                    drop_empty(path.parent, self._folder)
                library.write(known.values())
                return Outcome(done=removed, failed=failed, note=_FOR_GOOD)
            errors = self._trash.rename(change.renames)
            stuck = [entry for entry in removed if entry.file in errors]
            if stuck:
                # Another program keeps these files open, so restore their entries.
                library.write([*known.values(), *stuck])
                failed |= {e: HubUiError(f"{e.file} can't be removed: {errors[e.file].strerror}.") for e in stuck}
                removed = tuple(entry for entry in removed if entry.file not in errors)
                renames = tuple(rename for rename in change.renames if rename[0] not in errors)
                if not (removed or renames):
                    self._trash.forget(change)
                    return Outcome(failed=failed)
                change = self._trash.narrow(change, removed, renames)
            else:
                self._trash.end(change)
        return Outcome(done=removed, failed=failed, change=change)

    @disk_errors_as_messages()
    def move(self, places: Mapping[Entry, str]) -> Outcome:
        """Move the file of each entry to its new path, with the files next to it. No file is overwritten."""
        with self._library.writer():
            self._finish()
            return self._move(self._library, places)

    @disk_errors_as_messages()
    def undo(self, id_: str = "") -> Outcome:
        """Undo the change with that id, or the last one without an id, in the lock file it was made in.

        Files that can't be restored stay where they are.
        """
        self.finish()
        change = self.find(id_)
        if change.kind == "annotate":
            return self._undo_annotations(change)
        with self._library.writer():
            # Search again, because another process may have undone it in the meantime.
            change = self.find(change.id)
            return (self._restore if change.kind == "remove" else self._undo_moves)(self._library_of(change), change)

    @disk_errors_as_messages()
    def annotate(self, refs: Iterable[Ref], edit: Callable[[Annotation], Annotation]) -> Change:
        """Edit the annotations of all these LoRAs, or of none after an error."""
        before = self._annotations.edit(refs, edit)
        change = self._trash.new("annotate", (), self._library.lock)
        pairs = tuple((one, self._annotations.get(one.ref)) for one in before)
        change = replace(change, annotations=tuple(pair for pair in pairs if pair[0] != pair[1]))
        if change.annotations:
            with self._library.writer():
                self._trash.begin(change)
                self._trash.end(change)
        return change

    def _undo_annotations(self, change: Change) -> Outcome:
        """Restore annotations, except for fields that were edited again since."""
        pairs = {before.ref: (before, after) for before, after in change.annotations}

        def edit(now: Annotation) -> Annotation:
            before, after = pairs[now.ref]
            names = [each.name for each in fields(Annotation)]
            return replace(
                now, **{name: getattr(before, name) for name in names if getattr(now, name) == getattr(after, name)}
            )

        self._annotations.edit(pairs, edit)
        with self._library.writer():
            self._trash.forget(change)
        return Outcome(done=tuple(entry for entry in self._library.entries() if entry.ref.lora in pairs))

    def _library_of(self, change: Change) -> Library:
        """Return the library with the lock file of the change, if that still exists. A record never creates one."""
        lock = self._folder / change.lock
        is_another = bool(change.lock) and lock != self._library.lock and lock.is_file()
        return replace(self._library, lock=lock) if is_another else self._library

    def _restore(self, library: Library, change: Change) -> Outcome:
        entries = {entry.ref: entry for entry in library.entries()}
        taken = {fold(entry.file) for entry in entries.values()}
        sources = change.places()
        present: set[str] = set()
        targets: dict[Entry, str] = {}
        failed: dict[Entry, HubUiError] = {}
        for entry in change.entries:
            known, source = entries.get(entry.ref), sources.get(entry.file)
            if known is not None and library.path(known).exists():
                present.add(entry.file)
                failed[entry] = UsageError(f"{entry.ref} is in the library again already.")
                continue
            is_stranger = source is not None and self._exists(source) and self._exists(entry.file)
            is_taken = is_stranger or (known is None and fold(entry.file) in taken)
            targets[entry] = free_path(entry.file, entry.ref, [entry.file] if is_taken else [])
            taken.add(fold(targets[entry]))
        errors = self._trash.rename([(sources[e.file], place) for e, place in targets.items() if e.file in sources])
        weights = {entry.file for entry in change.entries}
        self._trash.rename([(new, old) for old, new in sources.items() if old not in weights])
        done = []
        for entry, place in targets.items():
            source = sources.get(entry.file, "")
            if source in errors or (source and not self._exists(place)):
                reason = str(errors[source].strerror) if source in errors else "it is not in the trash any more"
                failed[entry] = HubUiError(f"“{entry.title}” can't be put back: {reason}.")
            else:
                done.append(replace(entry, file=place))
        library.write({**entries, **{entry.ref: entry for entry in done}}.values())
        # Keep files that could not leave the trash for another undo, and drop the rest of the record.
        left = {file: place for file, place in sources.items() if file not in present and self._exists(place)}
        if left:
            for file in present & sources.keys():
                (self._folder / sources[file]).unlink(missing_ok=True)
            stuck = tuple(entry for entry in change.entries if entry.file in left)
            self._trash.narrow(change, stuck, tuple(left.items()))
        else:
            self._trash.drop(change)
        return Outcome(done=tuple(done), failed=failed)

    def _undo_moves(self, library: Library, change: Change) -> Outcome:
        entries = {entry.ref: entry for entry in library.entries()}
        places = change.places()
        wanted = {
            entries[entry.ref]: entry.file
            for entry in change.entries
            if entry.ref in entries and entries[entry.ref].file == places.get(entry.file)
        }
        outcome = self._move(library, wanted)
        for record in (change, outcome.change):
            if record is not None:
                self._trash.forget(record)
        return replace(outcome, change=None)

    def _move(self, library: Library, places: Mapping[Entry, str]) -> Outcome:
        entries = {entry.ref: entry for entry in library.entries()}
        failed: dict[Entry, HubUiError] = {}
        moves: dict[str, str] = {}
        leaving = {fold(entry.file) for entry in places}
        taken = {fold(entry.file) for entry in entries.values()} - leaving
        for entry, place in places.items():
            known = entries.get(entry.ref)
            is_here = known is not None and known.file == entry.file
            error = _obstacle(library, entry, place, taken, leaving) if is_here else _missing(entry)
            if error is not None:
                failed[entry] = error
            elif place != entry.file:
                moves[entry.file] = place
            taken.add(fold(place if error is None else entry.file))
        moved = tuple(entry for entry in places if entry.file in moves)
        if not moved:
            return Outcome(failed=failed)
        # The suffix of a sidecar begins after as many dots as the weight file's name has.
        sidecars = {
            name: ".".join([without_suffix(moves[file]), *name.split(".")[file.count(".") :]])
            for file, name in files_beside(self._folder, moves)
        }
        change = self._trash.new("move", moved, library.lock)
        change = replace(change, renames=in_order({**moves, **sidecars}, f"{FOLDER}/{change.id}"))
        self._trash.begin(change, lambda: library.write(_with_paths(entries.values(), moves)))
        done, errors = self._move_files(library, change)
        return Outcome(done=done, failed={**failed, **errors}, change=change)

    def _move_files(
        self, library: Library, change: Change, *, is_resumed: bool = False
    ) -> tuple[tuple[Entry, ...], dict[Entry, HubUiError]]:
        """Rename the files to the paths in the lock file. If a file fails, write its actual path to the lock file."""
        errors = self._trash.rename_in_order(change, is_resumed=is_resumed)
        refs = {entry.ref for entry in change.entries}
        places = change.places()
        if errors:
            # Write the actual paths of these files.
            places_now = {places[old]: error.filename for old, error in errors.items()}
            library.write(_with_paths(library.entries(), places_now))
        relist(self._folder, [(old, new) for old, new in places.items() if old not in errors])
        failed: dict[Entry, HubUiError] = {
            entry: HubUiError(f"{entry.file} can't be moved: {errors[entry.file].strerror}.")
            for entry in change.entries
            if entry.file in errors
        }
        self._trash.end(change)
        moved = refs - {entry.ref for entry in failed}
        return tuple(entry for entry in library.entries() if entry.ref in moved), failed

    def _finish(self) -> None:
        """Finish interrupted changes. With the lock held, every change that has begun was interrupted."""
        for change in self._trash.list_unfinished():
            library = self._library_of(change)
            paths = {entry.ref: entry.file for entry in library.entries()}
            unchanged = {entry.file for entry in change.entries if paths.get(entry.ref) == entry.file}
            places = change.places()
            if change.kind == "move" and len(unchanged) < len(change.entries):
                self._move_files(library, change, is_resumed=True)
            elif change.kind == "remove" and (
                len(unchanged) < len(change.entries) or any(map(self._exists, places.values()))
            ):
                self._trash.rename([rename for rename in change.renames if rename[0] not in unchanged], is_resumed=True)
                self._trash.end(change)
            else:
                # The lock file was not written, so the change had no effect.
                self._trash.forget(change)

    def _exists(self, file: str) -> bool:
        return os.path.lexists(self._folder / file)


def _obstacle(library: Library, entry: Entry, place: str, taken: set[str], leaving: set[str]) -> HubUiError | None:
    """Return why a file can't move to `place`, or None. `leaving` are paths that other files leave meanwhile."""
    if not (is_safe_path(entry.file) and is_safe_path(place)):
        return UsageError(f"“{place}” can't be the name of a file here. Choose another template.")
    if not library.path(entry).is_file():
        return NotFound(f"{entry.file} is missing. Bring it back with: hub-ui sync")
    is_stranger = fold(place) not in leaving and os.path.lexists(library.folder / place)
    if fold(place) in taken or is_stranger:
        return UsageError(f"There is another file at {place}. Choose another template, or move that file away.")
    return None


def _missing(entry: Entry) -> NotFound:
    return NotFound(f"“{entry.title}” is not in the library under {entry.file} any more.")


def _with_paths(entries: Iterable[Entry], places: Mapping[str, str | None]) -> list[Entry]:
    return [replace(entry, file=places.get(entry.file) or entry.file) for entry in entries]


def plan_moves(
    library: Library,
    entries: Iterable[Entry],
    find_record: Callable[[Entry], Record | None],
    names: FileNameTemplate,
) -> tuple[PlannedMove, ...]:
    """Plan a move for each entry, sorted by ref. `find_record` returns the catalog's record of an entry."""
    wanted = sorted(entries, key=lambda entry: str(entry.ref))
    leaving = {fold(entry.file) for entry in wanted if library.path(entry).is_file()}
    taken = {fold(entry.file) for entry in library.entries()} - leaving
    found = []
    for entry in wanted:
        record = _record(entry, find_record(entry))
        name = record.file.name if record.file else PurePosixPath(entry.file).name
        place = preferred = target(record, entry.ref, name, names=names)
        notes = name_notes(record, entry.ref, name, preferred, names)
        error = _obstacle(library, entry, place, taken, leaving)
        if isinstance(error, UsageError):
            place, notes = free_path(preferred, entry.ref, [preferred]), (*notes, TAKEN)
            error = _obstacle(library, entry, place, taken, leaving)
        found.append(PlannedMove(entry=entry, place=entry.file if error else place, notes=notes, error=error))
        taken.add(fold(found[-1].place))
    return tuple(found)


def moves_of(planned: Iterable[PlannedMove]) -> Mapping[Entry, str]:
    return {move.entry: move.place for move in planned if move.state == "moves"}


def _record(entry: Entry, known: Record | None) -> Record:
    """Complete the record with the entry, whose values come first because a person may have edited them."""
    owner = entry.ref.id.partition("/")[0] if entry.ref.hub in ("huggingface", "replicate") else None
    record = known or flatten(Lora(ref=entry.ref, title=entry.title, url="", creator=owner))
    return replace(
        record,
        title=entry.title or record.title,
        base_model=entry.base_model or record.base_model,
        architecture=entry.architecture or record.architecture,
    )
