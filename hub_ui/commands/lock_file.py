"""The commands hub-ui verify and diff, which read lock files and installed files, but neither hubs nor the catalog."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, get_args

from connectors.errors import IntegrityError
from connectors.ref import LOCAL
from hub_ui import commands
from hub_ui.base.format import plural
from hub_ui.base.json_values import attributes
from hub_ui.commands.terminal import Terminal
from hub_ui.library.download import sync
from hub_ui.library.library import Library
from hub_ui.library.lockfile import Difference, difference, values


@dataclass(frozen=True, kw_only=True)
class Verify(commands.LibraryOptions):
    def run(self, terminal: Terminal) -> int:
        chosen, results = self.settings(), []
        library = Library(chosen.library, chosen.lock)
        total = len(library.entries())
        for done, result in enumerate(sync.check_all(library, library.entries()), 1):
            results.append(result)
            terminal.progress(f"Checking: {done:,} of {total:,}  {result.entry.title}", done / total)
        foreign = sync.foreign(library)
        files = {state: [one.entry.file for one in results if one.state == state] for state in get_args(sync.FileState)}
        is_right = all(result.state == "right" for result in results)
        document = {
            "lock": str(library.lock),
            "library": str(library.folder),
            "ok": is_right,
            "entries": [_check_json(library, result) for result in results],
            "missing": files["missing"],
            "changed": files["changed"] + files["unreadable"],
            "foreign": list(foreign),
        }
        terminal.show(document, lambda: self._print(library, results, foreign, terminal))
        return 0 if is_right else IntegrityError.exit_code

    def _print(
        self, library: Library, results: Sequence[sync.FileCheck], foreign: Sequence[str], terminal: Terminal
    ) -> None:
        wrong = [result for result in results if result.state != "right"]
        rows = [*((result.state, result.entry.file) for result in wrong), *(("foreign", name) for name in foreign)]
        terminal.table(("STATE", "FILE"), rows)
        right = plural(len(results) - len(wrong), "file")
        terminal.line(f"{right} right, {len(wrong):,} wrong, {len(foreign):,} that no entry names.")
        local = [result for result in wrong if result.entry.ref.hub == LOCAL]
        if len(wrong) > len(local):
            terminal.note(f"hub-ui: fetch what is wrong or missing anew with {self.command('sync')}")
        if local:
            terminal.note(
                f"hub-ui: {plural(len(local), 'of them is', 'of them are')} on no hub that is known: put the right "
                "file back in its place, or enter the one that is there with "
                f"{self.command('import', str(library.folder))}"
            )


def _check_json(library: Library, result: sync.FileCheck) -> dict[str, Any]:
    entry = {**commands.entry_json(library, result.entry), **attributes(result.entry, "size", "sha256")}
    return {**entry, "state": result.state, "found_size": result.size, "found_sha256": result.sha256}


@dataclass(frozen=True, kw_only=True)
class Diff(commands.JsonOption):
    old: Annotated[Path, commands.argument("A", "A lock file, or a library folder.")]
    new: Annotated[Path, commands.argument("B", "Another.")]

    def run(self, terminal: Terminal) -> int:
        changes = difference(commands.read_lock(self.old), commands.read_lock(self.new))
        changed = [
            {
                **attributes(change.new, "ref", "title"),
                "keys": {name: {"old": old, "new": new} for name, (old, new) in change.keys.items()},
            }
            for change in changes.changed
        ]
        document = {
            "same": changes.same,
            "added": [values(entry) for entry in changes.added],
            "removed": [values(entry) for entry in changes.removed],
            "changed": changed,
        }
        terminal.show(document, lambda: _print_difference(changes, terminal))
        return 0


def _print_difference(changes: Difference, terminal: Terminal) -> None:
    terminal.lines(f"- {entry.title}  {entry.ref}" for entry in changes.removed)
    terminal.lines(f"+ {entry.title}  {entry.ref}" for entry in changes.added)
    for change in changes.changed:
        terminal.line(f"~ {change.new.title}  {change.new.ref}")
        for name, (old, new) in change.keys.items():
            terminal.line(f"    {name}: {_value_text(old)} → {_value_text(new)}")
    if changes.same:
        terminal.line("Both say the same.")


def _value_text(value: Any) -> str:
    if value in (None, (), []):
        return "nothing"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
