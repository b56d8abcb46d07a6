"""hub-ui outdated: newer versions of the LoRAs in the library."""

from dataclasses import dataclass

from connectors.record import Lora
from connectors.ref import Ref
from hub_ui import services
from hub_ui.commands.options import (
    LibraryOptions,
    count_states,
    entry_json,
    error_json,
    worst_exit_code,
)
from hub_ui.format import plural
from hub_ui.library.outdated import UpdateStatus, check_for_updates
from hub_ui.terminal import Terminal


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
