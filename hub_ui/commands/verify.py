"""hub-ui verify: checks the hash of every file in the library."""

from collections.abc import Sequence
from dataclasses import dataclass

from connectors.errors import IntegrityError
from connectors.ref import LOCAL
from hub_ui.commands.options import (
    LibraryOptions,
    entry_json,
)
from hub_ui.format import plural
from hub_ui.library import sync
from hub_ui.terminal import Terminal


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
