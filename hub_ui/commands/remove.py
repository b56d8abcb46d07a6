"""hub-ui remove: removes LoRAs from the lock file, and their files from disk."""

from dataclasses import dataclass
from typing import Annotated

from connectors.errors import UsageError
from connectors.ref import LOCAL, Ref
from hub_ui.commands.options import (
    LibraryOptions,
    argument,
    entry_json,
    flag,
    parse_ref,
    print_json_results,
    try_each,
    worst_exit_code,
)
from hub_ui.library.disk import disk_errors_as_messages, drop_empty
from hub_ui.library.export.sidecars import drop
from hub_ui.library.lockfile import Entry
from hub_ui.terminal import Terminal


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
                    # Removes the unchanged files of `export` too, and keeps those that were edited.
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
