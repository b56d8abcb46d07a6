"""hub-ui import: LoRAs that are on the disk already, recognised by their bytes."""

from __future__ import annotations

import argparse
import os
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from connectors.errors import HubUiError, UsageError
from connectors.record import Lora
from connectors.ref import LOCAL, Ref
from hub_ui import services, settings
from hub_ui.commands.locked import failure, some, worst
from hub_ui.library.identify import FindsByHash, Found, Identifier, entry_of, local_entry
from hub_ui.library.library import Library, source_of
from hub_ui.library.lockfile import Entry
from hub_ui.services import Services
from hub_ui.settings import Settings
from hub_ui.terminal import Terminal, table


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    folder = args.folder.absolute()
    if not folder.is_dir():
        raise UsageError(f"There is no folder {args.folder}. Name the one that your LoRAs are in.")
    made = _settings(args, folder)
    errors: list[HubUiError] = []
    with services.build(made) as built:
        recogniser = _recogniser(built, errors, terminal, offline=args.offline)
        results = []
        for found in recogniser.run(folder):
            results.append(found)
            terminal.rewrite(f"Read: {len(results):,}  {found.path}")
        new = _entered(built, folder, results)
    terminal.rewrite("")
    if terminal.json:
        terminal.document(_document(made, folder, results, new))
    else:
        _print(made, folder, results, new, terminal)
    return worst(errors)


def _settings(args: argparse.Namespace, folder: Path) -> Settings:
    """With a lock file named and no library, the folder itself is the library that the lock file describes."""
    library = args.library or (folder if args.lock else None)
    return settings.from_environment(os.environ, library=library and library.absolute(), lock=args.lock)


def _recogniser(built: Services, errors: list[HubUiError], terminal: Terminal, *, offline: bool) -> Identifier:
    def failed(error: HubUiError) -> None:
        errors.append(error)
        terminal.rewrite("")
        terminal.note(f"hub-ui: {error.message} The files left are looked up in what was seen before only.")

    hubs = [hub for hub in built.connectors if isinstance(hub, FindsByHash)]
    by_hash = _by_hash(built, hubs[0]) if hubs and not offline else None
    return built.lookup.identifier(by_hash=by_hash, failure=failed)


def _by_hash(built: Services, hub: FindsByHash) -> Callable[[str], tuple[Lora, Ref]]:
    def ask(value: str) -> tuple[Lora, Ref]:
        lora, ref = hub.by_hash(value)
        built.catalog.add([lora])
        try:
            # The answer holds one version, and nothing of what the author permits.
            return built.lookup.get(ref), ref
        except HubUiError:
            return lora, ref

    return ask


def _entered(built: Services, folder: Path, results: Sequence[Found]) -> tuple[Entry, ...]:
    """Only of a library's own folder: elsewhere nothing is written."""
    library = built.library
    if not folder.is_relative_to(library.folder):
        return ()
    prefix = folder.relative_to(library.folder).as_posix()
    entries = [_entry(built, found, prefix) for found in results]
    if library.lock.parent != library.folder:
        # A library keeps other writers out by files in its folder, and this one is the person's own.
        library = Library(built.settings.home, library.lock)
    return library.adopt(entry for entry in entries if entry is not None)


def _entry(built: Services, found: Found, prefix: str) -> Entry | None:
    file = found.path if prefix == "." else f"{prefix}/{found.path}"
    if found.state != "recognised" or found.ref is None:
        return local_entry(found, file)
    return entry_of(found, file, source_of(built.lookup.connector(found.ref.hub).locate(found.ref)))


def _document(made: Settings, folder: Path, results: Sequence[Found], new: Sequence[Entry]) -> dict[str, Any]:
    entered = {made.library / entry.file: entry for entry in new}
    return {
        "folder": str(folder),
        "lock": str(made.lock),
        "entered": len(new),
        "files": [_item(found, entered.get(folder / found.path)) for found in results],
    }


def _item(found: Found, entered: Entry | None) -> dict[str, Any]:
    """`ref` is the hub's where there is one, of an edited copy, too; `entry` is what the library calls it now."""
    read = found.digests
    ref = found.ref or (entered.ref if entered else None)
    return {
        "path": found.path,
        "state": found.state,
        "ref": str(ref) if ref else None,
        "title": entered.title if entered else found.record.title if found.record else None,
        "how": found.how,
        "size": read.size if read else None,
        "sha256": read.sha256 if read else None,
        "autov2": read.autov2 if read else None,
        "autov3": read.autov3 if read else None,
        "entered": entered is not None,
        "entry": str(entered.ref) if entered else None,
        "facts": found.facts.to_json() if found.facts else None,
        **(failure(found.error) if found.error else {}),
    }


def _print(made: Settings, folder: Path, results: Sequence[Found], new: Sequence[Entry], terminal: Terminal) -> None:
    if results:
        entered = {made.library / entry.file: entry for entry in new}
        rows = [(found.state, found.path, _about(found, entered.get(folder / found.path))) for found in results]
        terminal.lines(table([("STATE", "FILE", "WHAT IT IS"), *rows], widest=96))
    counts = Counter(found.state for found in results)
    terminal.line(
        f"{some(len(results), 'file')}: {', '.join(f'{n:,} {s}' for s, n in counts.items()) or 'no weights'}."
    )
    if new:
        terminal.line(f"{some(len(new), 'entry', 'entries')} added to {made.lock}.")
    elif not folder.is_relative_to(made.library) and any(_can_be_entered(found) for found in results):
        terminal.note("hub-ui: nothing was written; name a lock file for the folder to have entries: --lock FILE")


def _can_be_entered(found: Found) -> bool:
    return found.state == "recognised" or local_entry(found, found.path) is not None


def _about(found: Found, entered: Entry | None) -> str:
    if entered is not None and entered.ref.hub == LOCAL:
        base = entered.base_model or entered.architecture or "an unknown base model"
        return f"{entered.title}  {entered.ref.lora}  (for {base}, on no hub that is known)"
    if found.ref is not None:
        title = found.record.title if found.record else ""
        return f"{title}  {found.ref}  ({found.how})".strip()
    if found.facts is not None:
        adapter = found.facts.adapter
        what = "a LoRA" if adapter.is_lora else f"no LoRA: {adapter.what}"
        return f"{what} for {adapter.base_model or adapter.architecture or 'an unknown base model'}"
    return found.error.message if found.error else ""
