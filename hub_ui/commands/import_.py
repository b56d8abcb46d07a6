"""hub-ui import: identifies LoRA files on disk by their hashes."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from connectors.errors import HubUiError, UsageError
from connectors.ref import LOCAL
from hub_ui import services, settings
from hub_ui.commands.options import LibraryOptions, argument, count_states, error_json, flag, worst_exit_code
from hub_ui.format import plural
from hub_ui.library.identify import IdentifiedFile, entry_of, local_entry
from hub_ui.library.library import Library, source_of
from hub_ui.library.lockfile import Entry
from hub_ui.services import Services
from hub_ui.settings import Settings
from hub_ui.terminal import Terminal


@dataclass(frozen=True, kw_only=True)
class Import(LibraryOptions):
    folder: Annotated[Path, argument("DIR", "A folder of LoRA files; nothing is written into it.")]
    offline: Annotated[bool, flag("--offline", "Ask no hub, look in what was seen before only.")] = False

    def settings(self) -> Settings:
        """With a lock file but no library, the folder itself is the library."""
        library = self.library or (self.folder if self.lock else None)
        return settings.from_environment(os.environ, library=library and library.absolute(), lock=self.lock)

    def run(self, terminal: Terminal) -> int:
        folder = self.folder.absolute()
        if not folder.is_dir():
            raise UsageError(f"There is no folder {self.folder}. Name the one that your LoRAs are in.")
        chosen = self.settings()
        errors: list[HubUiError] = []

        def on_failure(error: HubUiError) -> None:
            errors.append(error)
            terminal.note(f"hub-ui: {error.message} The files left are looked up in what was seen before only.")

        with services.build(chosen) as built:
            by_hash = None if self.offline else built.lookup.find_by_hash
            results = []
            for found in built.lookup.identifier(by_hash=by_hash, failure=on_failure).run(folder):
                results.append(found)
                terminal.progress(f"Read: {len(results):,}  {found.path}")
            added = add_entries(built, folder, results)
        if terminal.json:
            terminal.document(
                {
                    "folder": str(folder),
                    "lock": str(chosen.lock),
                    "entered": len(added),
                    "files": [_item(found, added.get(found.path)) for found in results],
                }
            )
        else:
            _print(chosen, folder, results, added, terminal)
        return worst_exit_code(errors)


def add_entries(built: Services, folder: Path, results: Sequence[IdentifiedFile]) -> dict[str, Entry]:
    """The new lock entries by file path. A folder outside the library is left unchanged."""
    library = built.library
    if not folder.is_relative_to(library.folder):
        return {}
    prefix = folder.relative_to(library.folder)
    paths = {(prefix / found.path).as_posix(): found.path for found in results}
    entries: list[Entry] = []
    for file, found in zip(paths, results, strict=True):
        if found.state == "recognised" and found.ref is not None:
            entry = entry_of(found, file, source_of(built.lookup.connector(found.ref.hub).locate(found.ref)))
        else:
            entry = local_entry(found, file)
        if entry is not None:
            entries.append(entry)
    if library.lock.parent != library.folder:
        # A library puts its write lock into its folder, but this folder belongs to the user.
        library = Library(built.settings.home, library.lock)
    return {paths[entry.file]: entry for entry in library.adopt(entries)}


def _item(found: IdentifiedFile, entry: Entry | None) -> dict[str, Any]:
    """`ref` is the hub's, also for an edited copy; `entry` is the ref in the library."""
    digests = found.digests
    ref = found.ref or (entry.ref if entry else None)
    return {
        "path": found.path,
        "state": found.state,
        "ref": str(ref) if ref else None,
        "title": entry.title if entry else found.record.title if found.record else None,
        "how": found.how,
        "size": digests.size if digests else None,
        "sha256": digests.sha256 if digests else None,
        "autov2": digests.autov2 if digests else None,
        "autov3": digests.autov3 if digests else None,
        "entered": entry is not None,
        "entry": str(entry.ref) if entry else None,
        "facts": found.facts.to_json() if found.facts else None,
        **error_json(found.error),
    }


def _print(
    chosen: Settings, folder: Path, results: Sequence[IdentifiedFile], added: Mapping[str, Entry], terminal: Terminal
) -> None:
    rows = [(found.state, found.path, _description(found, added.get(found.path))) for found in results]
    terminal.table(("STATE", "FILE", "WHAT IT IS"), rows, max_width=96)
    states = count_states(found.state for found in results) or "no weights"
    terminal.line(f"{plural(len(results), 'file')}: {states}.")
    if added:
        terminal.line(f"{plural(len(added), 'entry', 'entries')} added to {chosen.lock}.")
    elif not folder.is_relative_to(chosen.library) and any(
        found.state == "recognised" or local_entry(found, found.path) is not None for found in results
    ):
        terminal.note("hub-ui: nothing was written; name a lock file for the folder to have entries: --lock FILE")


def _description(found: IdentifiedFile, entry: Entry | None) -> str:
    if entry is not None and entry.ref.hub == LOCAL:
        base = entry.base_model or entry.architecture or "an unknown base model"
        return f"{entry.title}  {entry.ref.lora}  (for {base}, on no hub that is known)"
    if found.ref is not None:
        title = found.record.title if found.record else ""
        return f"{title}  {found.ref}  ({found.how})".strip()
    if found.facts is not None:
        adapter = found.facts.adapter
        what = "a LoRA" if adapter.is_lora else f"no LoRA: {adapter.what}"
        return f"{what} for {adapter.base_model or adapter.architecture or 'an unknown base model'}"
    return found.error.message if found.error else ""
