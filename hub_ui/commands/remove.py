"""hub-ui remove: a LoRA out of the lock file, and its file off the disk."""

from __future__ import annotations

import argparse

from connectors.errors import HubUiError
from connectors.ref import Ref
from hub_ui.commands.locked import failure, library_of, named, worst
from hub_ui.library.disk import disk_trouble, drop_empty
from hub_ui.library.entry import Entry
from hub_ui.library.export import drop
from hub_ui.library.library import Library
from hub_ui.terminal import Terminal


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    refs = [Ref.parse(text) for text in args.refs]
    library = library_of(args)
    results = [_removed(library, ref, terminal, keep_file=args.keep_file) for ref in refs]
    if terminal.json:
        items = [
            failure(result) if isinstance(result, HubUiError) else {**named(library, result), "removed": True}
            for result in results
        ]
        terminal.document(items[0] if len(items) == 1 else items)
    else:
        what = "Forgotten, its file kept" if args.keep_file else "Removed"
        terminal.lines([f"{what}: {result.title}  {result.ref}" for result in results if isinstance(result, Entry)])
    return worst(result for result in results if isinstance(result, HubUiError))


def _removed(library: Library, ref: Ref, terminal: Terminal, *, keep_file: bool) -> Entry | HubUiError:
    """One that fails does not keep the others from going."""
    try:
        entry = library.remove(ref, keep_file=keep_file)
        if not keep_file:
            _drop_exported(library, entry)
        return entry
    except HubUiError as error:
        terminal.note(f"{ref}: {error.message}")
        return error


def _drop_exported(library: Library, entry: Entry) -> None:
    """What `export` wrote beside the file goes with it; what someone changed since stays."""
    try:
        drop(library.folder, entry)
        drop_empty(library.path(entry).parent, library.folder)
    except OSError as error:
        raise disk_trouble(error) from error
