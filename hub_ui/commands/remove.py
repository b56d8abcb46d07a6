"""hub-ui remove: removes LoRAs from the lock file, and their files into the trash."""

from dataclasses import dataclass
from typing import Annotated

from connectors.errors import HubUiError, NotFound, UsageError
from connectors.ref import LOCAL, Ref
from hub_ui.commands.options import (
    LibraryOptions,
    argument,
    entry_json,
    flag,
    open_changes,
    parse_ref,
    print_json_results,
    try_each,
    worst_exit_code,
)
from hub_ui.library.lockfile import Entry
from hub_ui.terminal import Terminal


@dataclass(frozen=True, kw_only=True)
class Remove(LibraryOptions):
    refs: Annotated[list[str], argument("REF", "A LoRA of the library.")]
    keep_file: Annotated[bool, flag("--keep-file", "Remove it from the lock file only.")] = False
    yes: Annotated[bool, flag("--yes", "Also remove files that no hub is known to have.")] = False

    def run(self, terminal: Terminal) -> int:
        library = self.open_library()

        def find(ref: Ref) -> Entry:
            if not library.holds(ref):
                raise NotFound(
                    f"{ref} is not in the library, so there is nothing to remove. {library.lock.name} lists what is.",
                    hub=ref.hub,
                )
            entry = library.entry(ref)
            if ref.hub == LOCAL and not (self.keep_file or self.yes):
                raise UsageError(
                    f"No hub is known to have “{entry.title}”, so its file would be gone for good once the trash is "
                    "emptied. Add --keep-file to take it out of the lock file only, or --yes to remove it."
                )
            return entry

        entries = try_each([parse_ref(text) for text in self.refs], find, terminal)
        found = dict.fromkeys(entry for entry in entries if isinstance(entry, Entry))
        outcome = open_changes(library, self.settings()).remove(found, keep_files=self.keep_file)
        errors = {failed.entry: failed.error for failed in outcome.failed}
        results = [e if isinstance(e, HubUiError) else errors.get(e, e) for e in entries]
        if terminal.json:
            id_ = outcome.change.id if outcome.change else None
            print_json_results(
                results, lambda entry: {**entry_json(library, entry), "removed": True, "change": id_}, terminal
            )
        else:
            what = "Forgotten, its file kept" if self.keep_file else "Removed"
            terminal.lines(f"{what}: {entry.title}  {entry.ref}" for entry in outcome.done)
        if outcome.note or outcome.change:
            terminal.note(f"hub-ui: {outcome.note or 'bring it back with hub-ui undo'}")
        return worst_exit_code(results)
