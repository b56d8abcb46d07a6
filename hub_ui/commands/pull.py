"""hub-ui pull: files into the library, each pinned in its lock file."""

from __future__ import annotations

import argparse
import os
from typing import Any

from connectors.errors import HubUiError
from connectors.ref import Ref
from hub_ui import services, settings
from hub_ui.commands.progress import progress
from hub_ui.commands.targets import ref_of
from hub_ui.library.lockfile import Entry
from hub_ui.services import Services
from hub_ui.terminal import Terminal


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    refs = [ref_of(text) for text in args.refs]
    chosen = settings.from_environment(os.environ, library=args.library, lock=args.lock, names=args.names)
    with services.build(chosen) as built:
        results = [_pulled(built, ref, terminal) for ref in refs]
        terminal.rewrite("")
        if terminal.json:
            items = [_item(built, result) for result in results]
            # As with `inspect`: one thing asked for is one object, several are a list, a failure stands in its place.
            terminal.document(items[0] if len(items) == 1 else items)
        else:
            pulled = [entry for entry in results if isinstance(entry, Entry)]
            both = [half for entry in pulled for half in (entry, _other_half(built, entry)) if half is not None]
            terminal.lines([str(built.library.path(entry)) for entry in dict.fromkeys(both)])
    return max(result.exit_code if isinstance(result, HubUiError) else 0 for result in results)


def _pulled(built: Services, ref: Ref, terminal: Terminal) -> Entry | HubUiError:
    """One that fails does not keep the others from coming. Nothing here can draw with what is no LoRA for pictures."""
    try:
        entry = built.downloads.pull(ref, on_progress=progress(terminal))
        facts = built.lookup.inspect(entry.ref).adapter
        if not facts.is_lora:
            terminal.rewrite("")
            terminal.note(f"{entry.ref}: {' '.join(facts.warnings)} It is in the library, and can't be tried here.")
        if _other_half(built, entry) is not None:
            terminal.rewrite("")
            terminal.note(f"“{entry.title}” is two files, for much noise and for little: both are in the library.")
        return entry
    except HubUiError as error:
        terminal.rewrite("")
        terminal.note(f"{ref}: {error.message}")
        return error


def _other_half(built: Services, entry: Entry) -> Entry | None:
    half = built.downloads.other_half(entry.ref)
    return built.downloads.find_installed(half) if half is not None else None


def entry_json(built: Services, entry: Entry) -> dict[str, Any]:
    return {
        "ref": str(entry.ref),
        "title": entry.title,
        "path": str(built.library.path(entry)),
        "size": entry.size,
        "sha256": entry.sha256,
        "base_model": entry.base_model,
        "architecture": entry.architecture,
        "trigger_words": list(entry.trigger_words),
        "weight": entry.weight,
        "license": entry.license,
        "source": entry.source or None,
    }


def _item(built: Services, result: Entry | HubUiError) -> dict[str, Any]:
    if isinstance(result, HubUiError):
        return {"error": result.name, "message": result.message}
    half = _other_half(built, result)
    return {**entry_json(built, result), "other_half": entry_json(built, half) if half else None}
