"""hub-ui diff: what tells one lock file from another."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from hub_ui.commands.locked import check_lock
from hub_ui.library.library import Library
from hub_ui.library.lock_diff import Change, Difference, difference, values
from hub_ui.library.lockfile import Entry
from hub_ui.terminal import Terminal


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    found = difference(entries_of(args.old), entries_of(args.new))
    if terminal.json:
        terminal.document(_document(found))
    else:
        _print(found, terminal)
    return 0


def entries_of(path: Path) -> tuple[Entry, ...]:
    """Of a lock file, or of the one in a library folder."""
    lock = path / "loras.lock" if path.is_dir() else path
    check_lock(lock)
    return Library(lock.parent, lock).entries()


def _document(found: Difference) -> dict[str, Any]:
    return {
        "same": found.same,
        "added": [values(entry) for entry in found.added],
        "removed": [values(entry) for entry in found.removed],
        "changed": [
            {
                "ref": str(change.new.ref),
                "title": change.new.title,
                "keys": {name: {"old": old, "new": new} for name, (old, new) in change.keys.items()},
            }
            for change in found.changed
        ],
    }


def _print(found: Difference, terminal: Terminal) -> None:
    terminal.lines([f"- {entry.title}  {entry.ref}" for entry in found.removed])
    terminal.lines([f"+ {entry.title}  {entry.ref}" for entry in found.added])
    for change in found.changed:
        terminal.line(f"~ {change.new.title}  {change.new.ref}")
        terminal.lines(_lines(change))
    if found.same:
        terminal.line("Both say the same.")


def _lines(change: Change) -> list[str]:
    return [f"    {name}: {_shown(old)} → {_shown(new)}" for name, (old, new) in change.keys.items()]


def _shown(value: Any) -> str:
    if value is None or value == []:
        return "nothing"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
