"""hub-ui outdated: what the hubs now have in place of what the library holds."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from typing import Any

from connectors.record import Lora
from connectors.ref import Ref
from hub_ui import services
from hub_ui.commands.locked import failure, named, settings_of, some, worst
from hub_ui.library.library import Library
from hub_ui.library.outdated import UpdateStatus, check_for_updates
from hub_ui.terminal import Terminal, table


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    with services.build(settings_of(args)) as built:

        def get(ref: Ref) -> Lora:
            terminal.rewrite(f"Asking about {ref}")
            lora = built.lookup.connector(ref.hub).get(ref)
            built.catalog.add([lora])
            return lora

        results = tuple(check_for_updates(built.library.entries(), get))
        terminal.rewrite("")
        if terminal.json:
            terminal.document({"entries": [_item(built.library, result) for result in results]})
        else:
            _print(results, terminal)
    return worst(result.error for result in results)


def _item(library: Library, result: UpdateStatus) -> dict[str, Any]:
    return {
        **named(library, result.entry),
        "state": result.state,
        "newest": str(result.newest) if result.newest else None,
        "newest_name": result.newest_name,
        "newest_at": result.newest_at,
        "note": result.note,
        **(failure(result.error) if result.error else {}),
    }


def _print(results: Sequence[UpdateStatus], terminal: Terminal) -> None:
    told = [result for result in results if result.state != "current"]
    if told:
        terminal.lines(table([("STATE", "TITLE", "ABOUT"), *((r.state, r.entry.title, _about(r)) for r in told)]))
    counts = Counter(result.state for result in results)
    terminal.line(f"{some(len(results), 'LoRA')}: {', '.join(f'{n:,} {state}' for state, n in counts.items())}.")
    if counts["newer"]:
        terminal.note("hub-ui: get a newer one with hub-ui pull REF, and drop the old one with hub-ui remove REF")


def _about(result: UpdateStatus) -> str:
    if result.error is not None:
        return result.error.message
    newest = f"{result.newest_name or ''}  {result.newest}" if result.newest else ""
    return "  ".join(part for part in (newest.strip(), result.note) if part)
