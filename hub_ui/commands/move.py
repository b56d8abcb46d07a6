"""hub-ui move: names the library's files by a template."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import typer

from connectors.errors import HubUiError, NotFound, UsageError
from connectors.record import Record
from hub_ui import services
from hub_ui.commands.options import LibraryOptions, error_json, flag, option, parse_ref, try_each, worst_exit_code
from hub_ui.commands.undo import print_outcome
from hub_ui.format import plural
from hub_ui.library.file_names import DEFAULT, FileNameTemplate
from hub_ui.library.lockfile import Entry
from hub_ui.library.move_plan import PlannedMove, moves_of, plan_moves
from hub_ui.services import Services
from hub_ui.terminal import Terminal


@dataclass(frozen=True, kw_only=True)
class Move(LibraryOptions):
    refs: Annotated[list[str] | None, typer.Argument(metavar="REF", help="LoRAs. Default: all.")] = None
    names: Annotated[str | None, option("T", f"A template for file names. Default: HUB_UI_NAMES, else {DEFAULT}.")] = (
        None
    )
    dry_run: Annotated[bool, flag("--dry-run", "Only show what would be moved.")] = False

    undo: Annotated[bool, flag("--undo", "Move the files of the last move back.")] = False

    def run(self, terminal: Terminal) -> int:
        chosen = self.settings()
        names = FileNameTemplate.parse(self.names or chosen.names or DEFAULT)
        with services.build(chosen) as built:
            library = built.library
            if self.undo:
                return self._undo(built, terminal)
            refs = [parse_ref(text) for text in self.refs or ()]
            wanted = try_each(refs, library.entry, terminal)
            entries = [one for one in wanted if isinstance(one, Entry)] if refs else library.entries()

            def find_record(entry: Entry) -> Record | None:
                return built.lookup.find_record(entry.ref)

            plan = plan_moves(library, dict.fromkeys(entries), find_record, names)
            errors = [one for one in wanted if isinstance(one, HubUiError)]
            if self.dry_run:
                _print_plan(plan, terminal)
                return worst_exit_code([*errors, *(one.error for one in plan)])
            outcome = built.changes.move(moves_of(plan))
            for one in plan:
                if one.error is not None:
                    terminal.note(f"{one.entry.ref}: {one.error.message}")
            print_outcome(library, outcome, "Moved", terminal)
            if not terminal.json:
                terminal.line(f"{plural(len(outcome.done), 'file')} moved, {len(entries) - len(outcome.done):,} left.")
            if outcome.change is not None:
                terminal.note("hub-ui: move them back with hub-ui undo")
        return worst_exit_code([*errors, *(one.error for one in plan), *(one.error for one in outcome.failed)])

    def _undo(self, built: Services, terminal: Terminal) -> int:
        if self.refs or self.names or self.dry_run:
            raise UsageError("--undo moves back what the last move did. Leave the other options out.")
        last = next((change for change in built.changes.recent() if change.kind == "move"), None)
        if last is None:
            raise NotFound("No move can be undone. hub-ui undo --list shows what can.")
        outcome = built.changes.undo(last.id)
        print_outcome(built.library, outcome, "Moved back", terminal)
        return worst_exit_code(failed.error for failed in outcome.failed)


def _print_plan(plan: Sequence[PlannedMove], terminal: Terminal) -> None:
    if terminal.json:
        moves = [
            {
                "ref": str(one.entry.ref),
                "file": one.entry.file,
                "place": one.place,
                "state": one.state,
                "notes": list(one.notes),
                **error_json(one.error),
            }
            for one in plan
        ]
        terminal.document({"moves": moves})
        return
    rows = [
        (one.state, one.entry.file, one.place if one.state == "moves" else "", " ".join(one.notes))
        for one in plan
        if one.state == "moves"
    ]
    terminal.table(("STATE", "FROM", "TO", "ABOUT"), rows)
    for one in plan:
        if one.error is not None:
            terminal.note(f"{one.entry.ref}: {one.error.message}")
    stays = sum(one.state == "stays" for one in plan)
    terminal.line(f"{plural(len(rows), 'file')} would move, {stays:,} have their names already. Nothing was moved.")
