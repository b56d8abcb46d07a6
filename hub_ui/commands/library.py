"""The commands for the library: hub-ui pull, sync, verify, outdated, remove and diff."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from connectors.errors import IntegrityError, UsageError
from connectors.record import Lora
from connectors.ref import LOCAL, Ref
from hub_ui import services, settings
from hub_ui.commands.interaction import progress_callback
from hub_ui.commands.options import (
    JsonOption,
    LibraryOptions,
    argument,
    check_lock,
    count_states,
    entry_json,
    error_json,
    flag,
    option,
    parse_ref,
    print_json_results,
    try_each,
    worst_exit_code,
)
from hub_ui.format import plural
from hub_ui.library import sync
from hub_ui.library.disk import disk_errors_as_messages, drop_empty
from hub_ui.library.export.sidecars import drop
from hub_ui.library.library import Library
from hub_ui.library.lockfile import Entry, difference, values
from hub_ui.library.outdated import UpdateStatus, check_for_updates
from hub_ui.services import Services
from hub_ui.terminal import Terminal


@dataclass(frozen=True, kw_only=True)
class Pull(LibraryOptions):
    refs: Annotated[list[str], argument("REF", "A web address, or HUB:ID.")]
    names: Annotated[
        str | None, option("T", "A template for file names. Default: {architecture}/{creator}/{title}-{version}.")
    ] = None

    def run(self, terminal: Terminal) -> int:
        refs = [parse_ref(text) for text in self.refs]
        chosen = settings.from_environment(os.environ, library=self.library, lock=self.lock, names=self.names)
        with services.build(chosen) as built:

            def pull(ref: Ref) -> Entry:
                entry = built.downloads.pull(ref, on_progress=progress_callback(terminal))
                facts = built.lookup.inspect(entry.ref).adapter
                if not facts.is_lora:
                    warnings = " ".join(facts.warnings)
                    terminal.note(f"{entry.ref}: {warnings} It is in the library, and can't be tried here.")
                if _other_half(built, entry) is not None:
                    terminal.note(
                        f"“{entry.title}” is two files, for much noise and for little: both are in the library."
                    )
                return entry

            def to_json(entry: Entry) -> dict[str, Any]:
                half = _other_half(built, entry)
                return {**_lock_entry_json(built, entry), "other_half": _lock_entry_json(built, half) if half else None}

            results = try_each(refs, pull, terminal)
            if terminal.json:
                print_json_results(results, to_json, terminal)
            else:
                entries = [entry for entry in results if isinstance(entry, Entry)]
                both = [half for entry in entries for half in (entry, _other_half(built, entry)) if half is not None]
                terminal.lines(str(built.library.path(entry)) for entry in dict.fromkeys(both))
        return worst_exit_code(results)


def _other_half(built: Services, entry: Entry) -> Entry | None:
    half = built.downloads.other_half(entry.ref)
    return built.downloads.find_installed(half) if half is not None else None


def _lock_entry_json(built: Services, entry: Entry) -> dict[str, Any]:
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


@dataclass(frozen=True, kw_only=True)
class Sync(LibraryOptions):
    frozen: Annotated[
        bool, flag("--frozen", "For CI: also ask the hubs whether they still have the bytes of the files here.")
    ] = False

    def run(self, terminal: Terminal) -> int:
        with services.build(self.settings()) as built:
            job = sync.Sync(
                library=built.library,
                connector=built.lookup.connector,
                refs_of=built.catalog.by_sha256,
                frozen=self.frozen,
                on_progress=progress_callback(terminal),
                explain=built.lookup.explain,
            )
            results = []
            for result in job.run():
                results.append(result)
                if result.error is not None:
                    terminal.note(f"{result.entry.ref}: {result.error.message}")
        if terminal.json:
            entries = [
                {
                    **entry_json(built.library, result.entry),
                    "sha256": result.entry.sha256,
                    "state": result.state,
                    "source": str(result.source) if result.source else None,
                    **error_json(result.error),
                }
                for result in results
            ]
            terminal.document(
                {
                    "lock": str(built.library.lock),
                    "library": str(built.library.folder),
                    "frozen": self.frozen,
                    "ok": all(result.error is None for result in results),
                    "entries": entries,
                }
            )
        else:
            rows = [(result.state, result.entry.title, result.entry.file) for result in results]
            terminal.table(("STATE", "TITLE", "FILE"), [row for row in rows if row[0] != "kept"])
            states = count_states(result.state for result in results) or "nothing to do"
            terminal.line(f"{plural(len(results), 'LoRA')} in the lock file: {states}.")
        return worst_exit_code(result.error for result in results)


@dataclass(frozen=True, kw_only=True)
class Verify(LibraryOptions):
    def run(self, terminal: Terminal) -> int:
        library = self.open_library()
        total = len(library.entries())

        def on_progress(done: int, checked: sync.FileCheck) -> None:
            terminal.progress(f"Checking: {done:,} of {total:,}  {checked.entry.title}", done / total)

        results = sync.check_all(library, on_progress)
        foreign = sync.foreign(library)
        if terminal.json:

            def files(state: str) -> list[str]:
                return [result.entry.file for result in results if result.state == state]

            entries = [
                {
                    **entry_json(library, result.entry),
                    "state": result.state,
                    "size": result.entry.size,
                    "sha256": result.entry.sha256,
                    "found_size": result.size,
                    "found_sha256": result.sha256,
                }
                for result in results
            ]
            terminal.document(
                {
                    "lock": str(library.lock),
                    "library": str(library.folder),
                    "ok": all(result.right for result in results),
                    "entries": entries,
                    "missing": files("missing"),
                    "changed": files("changed") + files("unreadable"),
                    "foreign": list(foreign),
                }
            )
        else:
            _print_checks(results, foreign, terminal)
        return 0 if all(result.right for result in results) else IntegrityError.exit_code


def _print_checks(results: Sequence[sync.FileCheck], foreign: Sequence[str], terminal: Terminal) -> None:
    wrong = [result for result in results if not result.right]
    rows = [*((result.state, result.entry.file) for result in wrong), *(("foreign", name) for name in foreign)]
    terminal.table(("STATE", "FILE"), rows)
    right = plural(len(results) - len(wrong), "file")
    terminal.line(f"{right} right, {len(wrong):,} wrong, {len(foreign):,} that no entry names.")
    local = [result for result in wrong if result.entry.ref.hub == LOCAL]
    if len(wrong) > len(local):
        terminal.note("hub-ui: fetch what is wrong or missing anew with hub-ui sync")
    if local:
        terminal.note(
            f"hub-ui: {plural(len(local), 'of them is', 'of them are')} on no hub that is known: put the right file "
            "back in its place, or enter the one that is there with hub-ui import"
        )


@dataclass(frozen=True, kw_only=True)
class Outdated(LibraryOptions):
    def run(self, terminal: Terminal) -> int:
        with services.build(self.settings()) as built:

            def get(ref: Ref) -> Lora:
                terminal.progress(f"Asking about {ref}")
                lora = built.lookup.connector(ref.hub).get(ref)
                built.catalog.add([lora])
                return lora

            results = tuple(check_for_updates(built.library.entries(), get))
        if terminal.json:
            entries = [
                {
                    **entry_json(built.library, result.entry),
                    "state": result.state,
                    "newest": str(result.newest) if result.newest else None,
                    "newest_name": result.newest_name,
                    "newest_at": result.newest_at,
                    "note": result.note,
                    **error_json(result.error),
                }
                for result in results
            ]
            terminal.document({"entries": entries})
        else:
            rows = [(r.state, r.entry.title, _describe_update(r)) for r in results if r.state != "current"]
            terminal.table(("STATE", "TITLE", "ABOUT"), rows)
            states = count_states(result.state for result in results)
            terminal.line(f"{plural(len(results), 'LoRA')}: {states}.")
            if any(result.state == "newer" for result in results):
                terminal.note(
                    "hub-ui: get a newer one with hub-ui pull REF, and drop the old one with hub-ui remove REF"
                )
        return worst_exit_code(result.error for result in results)


def _describe_update(result: UpdateStatus) -> str:
    if result.error is not None:
        return result.error.message
    newest = f"{result.newest_name or ''}  {result.newest}" if result.newest else ""
    return "  ".join(part for part in (newest.strip(), result.note) if part)


@dataclass(frozen=True, kw_only=True)
class Remove(LibraryOptions):
    refs: Annotated[list[str], argument("REF", "A LoRA of the library.")]
    keep_file: Annotated[bool, flag("--keep-file", "Remove it from the lock file only.")] = False
    yes: Annotated[bool, flag("--yes", "Also delete files that no hub is known to have.")] = False

    def run(self, terminal: Terminal) -> int:
        refs = [parse_ref(text) for text in self.refs]
        library = self.open_library()

        def remove(ref: Ref) -> Entry:
            if ref.hub == LOCAL and not (self.keep_file or self.yes) and library.holds(ref):
                raise UsageError(
                    f"No hub is known to have “{library.entry(ref).title}”, so its file would be gone for good. Add "
                    "--keep-file to take it out of the lock file only, or --yes to delete it."
                )
            entry = library.remove(ref, keep_file=self.keep_file)
            if not self.keep_file:
                with disk_errors_as_messages():
                    # What `export` wrote beside the file goes with it; what someone changed since stays.
                    drop(library.folder, entry)
                    drop_empty(library.path(entry).parent, library.folder)
            return entry

        results = try_each(refs, remove, terminal)
        if terminal.json:
            print_json_results(results, lambda entry: {**entry_json(library, entry), "removed": True}, terminal)
        else:
            what = "Forgotten, its file kept" if self.keep_file else "Removed"
            terminal.lines(f"{what}: {result.title}  {result.ref}" for result in results if isinstance(result, Entry))
        return worst_exit_code(results)


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
    """The entries of a lock file, or of the one in a library folder."""
    lock = path / "loras.lock" if path.is_dir() else path
    check_lock(lock)
    return Library(lock.parent, lock).entries()


def _value_text(value: Any) -> str:
    if value is None or value == []:
        return "nothing"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
