"""hub-ui sync: the library folder made what its lock file says."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from typing import Any

from connectors.errors import HubUiError
from hub_ui import services
from hub_ui.commands.locked import failure, named, settings_of, some, worst
from hub_ui.commands.progress import progress
from hub_ui.library.library import Library
from hub_ui.library.sync import Sync, Synced
from hub_ui.terminal import Terminal, table


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    with services.build(settings_of(args)) as built:
        job = Sync(
            library=built.library,
            connector=built.lookup.connector,
            refs_of=built.catalog.by_sha256,
            frozen=args.frozen,
            on_progress=progress(terminal),
            explain=built.lookup.explain,
        )
        results = [_told(result, terminal) for result in job.run()]
        terminal.rewrite("")
        if terminal.json:
            terminal.document(_document(built.library, results, frozen=args.frozen))
        else:
            _print(results, terminal)
    return worst(result.error for result in results)


def _told(result: Synced, terminal: Terminal) -> Synced:
    if isinstance(result.error, HubUiError):
        terminal.rewrite("")
        terminal.note(f"{result.entry.ref}: {result.error.message}")
    return result


def _document(library: Library, results: Sequence[Synced], *, frozen: bool) -> dict[str, Any]:
    return {
        "lock": str(library.lock),
        "library": str(library.folder),
        "frozen": frozen,
        "ok": all(result.error is None for result in results),
        "entries": [_item(library, result) for result in results],
    }


def _item(library: Library, result: Synced) -> dict[str, Any]:
    said = failure(result.error) if result.error else {}
    return {
        **named(library, result.entry),
        "sha256": result.entry.sha256,
        "state": result.state,
        "source": str(result.source) if result.source else None,
        **said,
    }


def _print(results: Sequence[Synced], terminal: Terminal) -> None:
    rows = [(result.state, result.entry.title, result.entry.file) for result in results if result.state != "kept"]
    if rows:
        terminal.lines(table([("STATE", "TITLE", "FILE"), *rows]))
    counts = Counter(result.state for result in results)
    parts = [f"{number:,} {state}" for state, number in counts.items()]
    terminal.line(f"{some(len(results), 'LoRA')} in the lock file: {', '.join(parts) or 'nothing to do'}.")
