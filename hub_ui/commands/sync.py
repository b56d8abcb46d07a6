"""hub-ui sync: makes the library match its lock file."""

from dataclasses import dataclass
from typing import Annotated

from hub_ui import services
from hub_ui.commands.interaction import progress_callback
from hub_ui.commands.options import (
    LibraryOptions,
    count_states,
    entry_json,
    error_json,
    flag,
    worst_exit_code,
)
from hub_ui.format import plural
from hub_ui.library import sync
from hub_ui.terminal import Terminal


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
