"""hub-ui diff: compares two lock files."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from hub_ui.commands.options import (
    JsonOption,
    argument,
    check_lock,
)
from hub_ui.library.library import Library
from hub_ui.library.lockfile import Entry, difference, values
from hub_ui.terminal import Terminal


@dataclass(frozen=True, kw_only=True)
class Diff(JsonOption):
    old: Annotated[Path, argument("A", "A lock file, or a library folder.")]
    new: Annotated[Path, argument("B", "Another.")]

    def run(self, terminal: Terminal) -> int:
        found = difference(_read_entries(self.old), _read_entries(self.new))
        if terminal.json:
            changed = [
                {
                    "ref": str(change.new.ref),
                    "title": change.new.title,
                    "keys": {name: {"old": old, "new": new} for name, (old, new) in change.keys.items()},
                }
                for change in found.changed
            ]
            terminal.document(
                {
                    "same": found.same,
                    "added": [values(entry) for entry in found.added],
                    "removed": [values(entry) for entry in found.removed],
                    "changed": changed,
                }
            )
            return 0
        terminal.lines(f"- {entry.title}  {entry.ref}" for entry in found.removed)
        terminal.lines(f"+ {entry.title}  {entry.ref}" for entry in found.added)
        for change in found.changed:
            terminal.line(f"~ {change.new.title}  {change.new.ref}")
            for name, (old, new) in change.keys.items():
                terminal.line(f"    {name}: {_value_text(old)} → {_value_text(new)}")
        if found.same:
            terminal.line("Both say the same.")
        return 0


def _read_entries(path: Path) -> tuple[Entry, ...]:
    """Reads a lock file, or the one in a library folder."""
    lock = path / "loras.lock" if path.is_dir() else path
    check_lock(lock)
    return Library(lock.parent, lock).entries()


def _value_text(value: Any) -> str:
    if value is None or value == []:
        return "nothing"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
