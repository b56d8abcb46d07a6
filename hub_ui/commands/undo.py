"""hub-ui undo: undoes what remove and move did, lists it, and empties the trash."""

from dataclasses import dataclass
from typing import Annotated, Any

import typer

from connectors.errors import UsageError
from hub_ui import services
from hub_ui.commands.options import LibraryOptions, entry_json, error_json, flag, worst_exit_code
from hub_ui.format import ago, plural, size
from hub_ui.library.changes import Outcome
from hub_ui.library.library import Library
from hub_ui.library.trash import Change
from hub_ui.terminal import Terminal

WORDS = {"remove": "removed", "move": "moved", "annotate": "annotated"}
_UNDONE = {"remove": "Put back", "move": "Moved back", "annotate": "As before"}


@dataclass(frozen=True, kw_only=True)
class Undo(LibraryOptions):
    id: Annotated[str, typer.Argument(metavar="ID", help="A change of --list. Default: the last one.")] = ""
    list: Annotated[bool, flag("--list", "List the changes that can be undone.")] = False
    empty: Annotated[bool, flag("--empty", "Delete all removed files for good.")] = False

    def run(self, terminal: Terminal) -> int:
        if (self.id != "") + self.list + self.empty > 1:
            raise UsageError("Choose one: an ID, --list or --empty.")
        with services.build(self.settings()) as built:
            changes = built.changes
            if self.list:
                _print_changes(changes.recent(), terminal)
                return 0
            if self.empty:
                freed = changes.empty()
                if terminal.json:
                    terminal.document({"freed": freed})
                else:
                    terminal.line(f"The trash is empty: {size(freed, precise=True)} freed.")
                return 0
            change = changes.find(self.id)
            outcome = changes.undo(change.id)
            print_outcome(built.library, outcome, _UNDONE[change.kind], terminal)
        return worst_exit_code(failed.error for failed in outcome.failed)


def _print_changes(changes: tuple[Change, ...], terminal: Terminal) -> None:
    if terminal.json:
        terminal.document({"changes": [change_json(change) for change in changes]})
        return
    rows = [(c.id, ago(c.at), f"{plural(len(c.refs), 'LoRA')} {WORDS[c.kind]}", size(c.size)) for c in changes]
    terminal.table(("ID", "WHEN", "WHAT", "IN THE TRASH"), rows)
    terminal.line(f"{plural(len(changes), 'change')} can be undone.")


def change_json(change: Change) -> dict[str, Any]:
    refs = [str(ref) for ref in change.refs]
    return {"id": change.id, "at": change.at, "kind": change.kind, "size": change.size, "refs": refs}


def print_outcome(library: Library, outcome: Outcome, what: str, terminal: Terminal) -> None:
    if terminal.json:
        terminal.document(
            {
                "change": outcome.change.id if outcome.change else None,
                "done": [entry_json(library, entry) for entry in outcome.done],
                "failed": [{"ref": str(one.entry.ref), **error_json(one.error)} for one in outcome.failed],
            }
        )
        return
    terminal.lines(f"{what}: {entry.title}  {entry.file}" for entry in outcome.done)
    for failed in outcome.failed:
        terminal.note(f"{failed.entry.ref}: {failed.error.message}")
