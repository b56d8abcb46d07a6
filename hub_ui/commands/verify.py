"""hub-ui verify: every file of the library hashed again and held against the lock file."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from connectors.errors import IntegrityError
from connectors.ref import LOCAL
from hub_ui.commands.locked import library_of, named, some
from hub_ui.library.library import Library
from hub_ui.library.verify import Checked, check_all, foreign
from hub_ui.terminal import Terminal, table


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    library = library_of(args)
    total = len(library.entries())

    def report(done: int, checked: Checked) -> None:
        terminal.rewrite(f"Checking: {done:,} of {total:,}  {checked.entry.title}")

    results = check_all(library, report)
    strangers = foreign(library)
    terminal.rewrite("")
    if terminal.json:
        terminal.document(_document(library, results, strangers))
    else:
        _print(results, strangers, terminal)
    return 0 if all(result.right for result in results) else IntegrityError.exit_code


def _document(library: Library, results: Sequence[Checked], strangers: Sequence[str]) -> dict[str, Any]:
    def files(state: str) -> list[str]:
        return [result.entry.file for result in results if result.state == state]

    return {
        "lock": str(library.lock),
        "library": str(library.folder),
        "ok": all(result.right for result in results),
        "entries": [_item(library, result) for result in results],
        "missing": files("missing"),
        "changed": files("changed") + files("unreadable"),
        "foreign": list(strangers),
    }


def _item(library: Library, result: Checked) -> dict[str, Any]:
    return {
        **named(library, result.entry),
        "state": result.state,
        "size": result.entry.size,
        "sha256": result.entry.sha256,
        "found_size": result.size,
        "found_sha256": result.sha256,
    }


def _print(results: Sequence[Checked], strangers: Sequence[str], terminal: Terminal) -> None:
    wrong = [(result.state, result.entry.file) for result in results if not result.right]
    rows = [*wrong, *(("foreign", name) for name in strangers)]
    if rows:
        terminal.lines(table([("STATE", "FILE"), *rows]))
    right = len(results) - len(wrong)
    terminal.line(f"{some(right, 'file')} right, {len(wrong):,} wrong, {len(strangers):,} that no entry names.")
    local = [result for result in results if not result.right and result.entry.ref.hub == LOCAL]
    if len(wrong) > len(local):
        terminal.note("hub-ui: fetch what is wrong or missing anew with hub-ui sync")
    if local:
        terminal.note(
            f"hub-ui: {some(len(local), 'of them is', 'of them are')} on no hub that is known: put the right file back "
            "in its place, or enter the one that is there with hub-ui import"
        )
