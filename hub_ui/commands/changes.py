"""The commands hub-ui move, remove, undo and collection: undoable changes of the library, and named sets of LoRAs."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from connectors.errors import HubUiError, NotFound, UsageError
from connectors.ref import LOCAL, Ref
from hub_ui import commands
from hub_ui.app import services
from hub_ui.app.services import Services
from hub_ui.base.disk import replace_file
from hub_ui.base.format import ago, plural, size
from hub_ui.base.json_values import attributes
from hub_ui.commands.terminal import Terminal
from hub_ui.library import lockfile
from hub_ui.library.file_names import DEFAULT, FileNameTemplate
from hub_ui.library.library import Library
from hub_ui.library.lockfile import Entry
from hub_ui.library.upkeep.changes import Outcome, PlannedMove, moves_of, plan_moves
from hub_ui.library.upkeep.collections import Collection, with_halves
from hub_ui.library.upkeep.trash import Change

_DONE = {"remove": "removed", "move": "moved", "annotate": "annotated"}
_UNDONE = {"remove": "Put back", "move": "Moved back", "annotate": "As before"}


@dataclass(frozen=True, kw_only=True)
class Move(commands.LibraryOptions):
    refs: Annotated[list[str] | None, typer.Argument(metavar="REF", help="LoRAs. Default: all.")] = None
    names: commands.Names = None
    dry_run: Annotated[bool, commands.flag("--dry-run", "Only show what would be moved.")] = False

    undo: Annotated[bool, commands.flag("--undo", "Move the files of the last move back.")] = False

    def run(self, terminal: Terminal) -> int:
        chosen = self.read_settings() if self.undo else self.settings()
        names = FileNameTemplate.parse(self.names or chosen.names or DEFAULT)
        with services.build(chosen) as built:
            library = built.library
            if self.undo:
                return self._undo(built, terminal)
            refs = [commands.parse_ref(text) for text in self.refs or ()]
            results = commands.try_each(refs, built.downloads.entries_of, terminal)
            matches = [entry for result in results if not isinstance(result, HubUiError) for entry in result]
            entries = matches if refs else library.entries()
            plan = plan_moves(library, dict.fromkeys(entries), lambda one: built.lookup.find_record(one.ref), names)
            errors = [result for result in results if isinstance(result, HubUiError)]
            if self.dry_run:
                moves = [
                    {
                        **attributes(one.entry, "ref", "file"),
                        **attributes(one, "place", "state", "notes"),
                        **commands.error_json(one.error),
                    }
                    for one in plan
                ]
                terminal.show({"moves": moves}, lambda: _print_plan(plan, terminal))
                return commands.worst_exit_code([*errors, *(one.error for one in plan)])
            outcome = built.changes.move(moves_of(plan))
            _note_failures(((one.entry, one.error) for one in plan), terminal)
            print_outcome(library, outcome, "Moved", terminal)
            if not terminal.json:
                terminal.line(f"{plural(len(outcome.done), 'file')} moved, {len(entries) - len(outcome.done):,} left.")
            if outcome.change is not None:
                terminal.note(f"hub-ui: move them back with {self.command('undo')}")
        return commands.worst_exit_code([*errors, *(one.error for one in plan), *outcome.failed.values()])

    def _undo(self, built: Services, terminal: Terminal) -> int:
        if self.refs or self.names or self.dry_run:
            raise UsageError("--undo moves back what the last move did. Leave the other options out.")
        last = next((change for change in built.changes.recent() if change.kind == "move"), None)
        if last is None:
            raise NotFound(f"No move can be undone. {self.command('undo', '--list')} shows what can.")
        return _undo(built, last, terminal)


def _note_failures(failed: Iterable[tuple[Entry, HubUiError | None]], terminal: Terminal) -> None:
    for entry, error in failed:
        if error is not None:
            terminal.note(f"{entry.ref}: {error.message}")


def _print_plan(plan: Sequence[PlannedMove], terminal: Terminal) -> None:
    rows = [
        (move.state, move.entry.file, move.place if move.state == "moves" else "", " ".join(move.notes))
        for move in plan
        if move.state == "moves"
    ]
    terminal.table(("STATE", "FROM", "TO", "ABOUT"), rows)
    _note_failures(((move.entry, move.error) for move in plan), terminal)
    stays = sum(move.state == "stays" for move in plan)
    terminal.line(f"{plural(len(rows), 'file')} would move, {stays:,} have their names already. Nothing was moved.")


@dataclass(frozen=True, kw_only=True)
class Remove(commands.LibraryOptions):
    refs: Annotated[list[str], commands.argument("REF", "A LoRA of the library.")]
    keep_file: Annotated[bool, commands.flag("--keep-file", "Remove it from the lock file only.")] = False
    yes: Annotated[bool, commands.flag("--yes", "Also remove files that no hub is known to have.")] = False

    def run(self, terminal: Terminal) -> int:
        with services.build(self.settings()) as built:
            library = built.library

            def find(ref: Ref) -> Sequence[Entry]:
                self._check(ref, library)
                return built.downloads.entries_of(ref)

            matches = commands.try_each([commands.parse_ref(text) for text in self.refs], find, terminal)
            entries = dict.fromkeys(entry for one in matches if not isinstance(one, HubUiError) for entry in one)
            outcome = built.changes.remove(entries, keep_files=self.keep_file)
        results = [
            one if isinstance(one, HubUiError) else next(filter(None, map(outcome.failed.get, one)), one)
            for one in matches
        ]
        done = {"removed": True, "change": outcome.change.id if outcome.change else None}

        def to_json(entries: Sequence[Entry]) -> dict[str, Any]:
            first, *halves = (commands.entry_json(library, entry) for entry in entries)
            return {**first, **done, **({"other_half": halves[0]} if halves else {})}

        what = "Forgotten, its file kept" if self.keep_file else "Removed"
        lines = [f"{what}: {entry.title}  {entry.ref}" for entry in outcome.done]
        terminal.show(commands.results_json(results, to_json), lambda: terminal.lines(lines))
        _note_failures(outcome.failed.items(), terminal)
        if outcome.note or outcome.change:
            terminal.note(f"hub-ui: {outcome.note or 'bring it back with ' + self.command('undo')}")
        return commands.worst_exit_code(results)

    def _check(self, ref: Ref, library: Library) -> None:
        if not library.holds(ref):
            raise NotFound(
                f"{ref} is not in the library, so there is nothing to remove. {library.lock.name} lists what is.",
                hub=ref.hub,
            )
        if ref.hub == LOCAL and not (self.keep_file or self.yes):
            raise UsageError(
                f"No hub is known to have “{library.entry(ref).title}”, so its file would be gone for good once the "
                "trash is emptied. Add --keep-file to take it out of the lock file only, or --yes to remove it."
            )


@dataclass(frozen=True, kw_only=True)
class Undo(commands.LibraryOptions):
    id: Annotated[str, typer.Argument(metavar="ID", help="A change of --list. Default: the last one.")] = ""
    list: Annotated[bool, commands.flag("--list", "List the changes that can be undone.")] = False
    empty: Annotated[bool, commands.flag("--empty", "Delete all removed files for good.")] = False

    def run(self, terminal: Terminal) -> int:
        if (self.id != "") + self.list + self.empty > 1:
            raise UsageError("Choose one: an ID, --list or --empty.")
        # Don't require the default lock file, because a change stores the path of its own lock file.
        with services.build(self.read_settings()) as built:
            changes = built.changes
            if self.list:
                recent = changes.recent()
                items = [attributes(change, "id", "at", "kind", "size", "refs") for change in recent]
                terminal.show({"changes": items}, lambda: _print_changes(recent, terminal))
                return 0
            if self.empty:
                freed = changes.empty()
                text = f"The trash is empty: {size(freed, precise=True)} freed."
                terminal.show({"freed": freed}, lambda: terminal.line(text))
                return 0
            return _undo(built, changes.find(self.id), terminal)


def _undo(built: Services, change: Change, terminal: Terminal) -> int:
    outcome = built.changes.undo(change.id)
    print_outcome(built.library, outcome, _UNDONE[change.kind], terminal)
    return commands.worst_exit_code(outcome.failed.values())


def _print_changes(changes: tuple[Change, ...], terminal: Terminal) -> None:
    rows = [(c.id, ago(c.at), f"{plural(len(c.refs), 'LoRA')} {_DONE[c.kind]}", size(c.size)) for c in changes]
    terminal.table(("ID", "WHEN", "WHAT", "IN THE TRASH"), rows)
    terminal.line(f"{plural(len(changes), 'change')} can be undone.")


def print_outcome(library: Library, outcome: Outcome, what: str, terminal: Terminal) -> None:
    document = {
        "change": outcome.change.id if outcome.change else None,
        "done": [commands.entry_json(library, entry) for entry in outcome.done],
        "failed": [{"ref": str(entry.ref), **commands.error_json(error)} for entry, error in outcome.failed.items()],
    }

    def print_lines() -> None:
        terminal.lines(f"{what}: {entry.title}  {entry.file}" for entry in outcome.done)
        _note_failures(outcome.failed.items(), terminal)

    terminal.show(document, print_lines)


@dataclass(frozen=True, kw_only=True)
class CollectionCommand(commands.LibraryOptions):
    name: Annotated[str, typer.Argument(metavar="NAME", help="Default: list all collections.")] = ""
    add: Annotated[list[str] | None, commands.option("REF", "Add a LoRA of the library.")] = None
    take_out: Annotated[list[str] | None, commands.option("REF", "Take a LoRA out; it stays in the library.")] = None
    export: Annotated[Path | None, commands.option("FILE", "Write it as a lock file.")] = None
    read: Annotated[Path | None, commands.option("FILE", "Add what a lock file names.")] = None
    delete: Annotated[bool, commands.flag("--delete", "Delete the collection. Its LoRAs stay in the library.")] = False

    def run(self, terminal: Terminal) -> int:
        changes = (self.add, self.take_out, self.export, self.read, self.delete)
        if any(changes) and not self.name:
            raise UsageError("Name the collection first: hub-ui collection NAME --add REF")
        if sum(map(bool, changes)) > 1:
            raise UsageError("Choose one of --add, --take-out, --read, --export and --delete.")
        commands.check_file(self.export)
        with services.build(self.settings()) as built:
            if not self.name:
                _print_all(built.collections.all(), built.collections.damaged(), terminal)
            else:
                changed = self._change(built)
                loras = [lockfile.values(entry) for entry in changed.entries]
                terminal.show({"name": changed.name, "loras": loras}, lambda: self._print(changed, terminal))
        return 0

    def _change(self, built: Services) -> Collection:
        entries = built.library.entries()
        if self.add:
            chosen = [entry for text in self.add for entry in built.downloads.entries_of(commands.parse_ref(text))]
            return built.collections.add(self.name, with_halves(chosen, entries, built.downloads.other_half))
        if self.take_out:
            refs = [commands.parse_ref(text) for text in self.take_out]
            collection = built.collections.get(self.name)
            if missing := [ref for ref in refs if not any(entry.answers_to(ref) for entry in collection.entries)]:
                lists = self.command("collection", collection.name)
                raise NotFound(f"{missing[0]} is not in “{collection.name}”. {lists} lists what is.")
            matches = [entry.ref for entry in collection.entries if any(entry.answers_to(ref) for ref in refs)]
            return built.collections.take_out(self.name, matches)
        if self.read:
            return built.collections.add(self.name, commands.read_lock(self.read))
        if self.delete:
            return built.collections.delete(self.name)
        collection = built.collections.get(self.name)
        if self.export:
            replace_file(self.export, collection.lock_text(entries).encode())
        return collection

    def _print(self, collection: Collection, terminal: Terminal) -> None:
        terminal.table(("TITLE", "REF"), [(entry.title, str(entry.ref)) for entry in collection.entries])
        what = "Deleted: " if self.delete else f"Written to {self.export}: " if self.export else ""
        terminal.line(f"{what}{plural(len(collection.entries), 'LoRA')} in “{collection.name}”.")


def _print_all(collections: tuple[Collection, ...], damaged: tuple[tuple[str, str], ...], terminal: Terminal) -> None:
    names = [{"name": one.name, "refs": [str(entry.ref) for entry in one.entries]} for one in collections]
    failures = [{"file": file, "message": message} for file, message in damaged]
    rows = [(one.name, plural(len(one.entries), "LoRA"), size(sum(e.size for e in one.entries))) for one in collections]

    def print_table() -> None:
        terminal.table(("NAME", "LORAS", "SIZE"), rows)
        terminal.line(f"{plural(len(rows), 'collection')}.")
        for _file, message in damaged:
            terminal.note(message)

    terminal.show({"collections": names, "failures": failures}, print_table)
