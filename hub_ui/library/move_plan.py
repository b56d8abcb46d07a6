"""Where a template for file names would put the files of the library. Nothing is moved here: see changes.py."""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Literal

from connectors.claims.resolve import flatten
from connectors.errors import HubUiError, NotFound, UsageError
from connectors.record import Lora, Record
from hub_ui.i18n import N_
from hub_ui.library.file_names import FileNameTemplate, fold, free_path, name_notes, target
from hub_ui.library.library import Library
from hub_ui.library.lockfile import Entry

MoveState = Literal["moves", "stays", "fails"]
TAKEN = N_("Another file has this name, so eight characters are added.")


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedMove:
    """`place` is a path below the library folder; `notes` say why it is not quite what the template asks for."""

    entry: Entry
    place: str
    notes: tuple[str, ...] = ()
    error: HubUiError | None = None

    @property
    def state(self) -> MoveState:
        return "fails" if self.error else "stays" if self.place == self.entry.file else "moves"


def plan_moves(
    library: Library,
    entries: Iterable[Entry],
    find_record: Callable[[Entry], Record | None],
    names: FileNameTemplate,
) -> tuple[PlannedMove, ...]:
    """One for each entry, in the order of their refs. `find_record` returns what the catalog knows of an entry."""
    wanted = sorted(entries, key=lambda entry: str(entry.ref))
    leaving = {fold(entry.file) for entry in wanted if library.path(entry).is_file()}
    taken = {fold(entry.file) for entry in library.entries()} - leaving

    def is_free(place: str) -> bool:
        return fold(place) not in taken and (fold(place) in leaving or not os.path.lexists(library.folder / place))

    found = []
    for entry in wanted:
        if fold(entry.file) not in leaving:
            missing = NotFound(f"{entry.file} is missing. Bring it back with: hub-ui sync")
            found.append(PlannedMove(entry=entry, place=entry.file, error=missing))
            continue
        record = _record(entry, find_record(entry))
        name = record.file.name if record.file else PurePosixPath(entry.file).name
        place = wish = target(record, entry.ref, name, names=names)
        notes = name_notes(record, entry.ref, name, wish, names)
        if not is_free(place):
            place, notes = free_path(wish, entry.ref, [wish]), (*notes, TAKEN)
        error = None if is_free(place) else UsageError(f"There is another file at {place}. Move it away first.")
        found.append(PlannedMove(entry=entry, place=entry.file if error else place, notes=notes, error=error))
        taken.add(fold(found[-1].place))
    return tuple(found)


def moves_of(planned: Iterable[PlannedMove]) -> Mapping[Entry, str]:
    return {one.entry: one.place for one in planned if one.state == "moves"}


def _record(entry: Entry, known: Record | None) -> Record:
    """What the lock file says leads: a person may have changed it."""
    owner = entry.ref.id.partition("/")[0] if entry.ref.hub in ("huggingface", "replicate") else None
    record = known or flatten(Lora(ref=entry.ref, title=entry.title, url="", creator=owner))
    return replace(
        record,
        title=entry.title or record.title,
        base_model=entry.base_model or record.base_model,
        architecture=entry.architecture or record.architecture,
    )
