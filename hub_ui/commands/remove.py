"""hub-ui remove: a LoRA out of the lock file, and its file off the disk."""

from __future__ import annotations

import argparse

from connectors.errors import HubUiError, UsageError
from connectors.ref import LOCAL, Ref
from hub_ui.commands.locked import failure, library_of, named, worst
from hub_ui.commands.targets import ref_of
from hub_ui.library.disk import disk_errors_as_messages, drop_empty
from hub_ui.library.export.write import drop
from hub_ui.library.library import Library
from hub_ui.library.lockfile import Entry
from hub_ui.terminal import Terminal


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    refs = [ref_of(text) for text in args.refs]
    library = library_of(args)
    results = [_removed(library, ref, terminal, args) for ref in refs]
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


def _removed(library: Library, ref: Ref, terminal: Terminal, args: argparse.Namespace) -> Entry | HubUiError:
    """One that fails does not keep the others from going."""
    try:
        if not (args.keep_file or args.yes):
            _check_can_come_back(library, ref)
        entry = library.remove(ref, keep_file=args.keep_file)
        if not args.keep_file:
            _drop_exported(library, entry)
        return entry
    except HubUiError as error:
        terminal.note(f"{ref}: {error.message}")
        return error


def _check_can_come_back(library: Library, ref: Ref) -> None:
    if ref.hub == LOCAL and library.holds(ref):
        entry = library.entry(ref)
        raise UsageError(
            f"No hub is known to have “{entry.title}”, so its file would be gone for good. Add --keep-file to take it "
            "out of the lock file only, or --yes to delete it."
        )


def _drop_exported(library: Library, entry: Entry) -> None:
    """What `export` wrote beside the file goes with it; what someone changed since stays."""
    with disk_errors_as_messages():
        drop(library.folder, entry)
        drop_empty(library.path(entry).parent, library.folder)
