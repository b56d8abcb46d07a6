"""hub-ui pull: downloads files into the library and pins them in its lock file."""

import os
from dataclasses import dataclass
from functools import partial
from typing import Annotated

from connectors.ref import Ref
from hub_ui import services, settings
from hub_ui.commands.interaction import progress_callback
from hub_ui.commands.options import (
    LibraryOptions,
    argument,
    flag,
    option,
    parse_ref,
    print_json_results,
    try_each,
    worst_exit_code,
)
from hub_ui.documents import entry_json, other_half
from hub_ui.library.lockfile import Entry
from hub_ui.terminal import Terminal
from hub_ui.used_loras import find_ref


@dataclass(frozen=True, kw_only=True)
class Pull(LibraryOptions):
    refs: Annotated[list[str], argument("REF", "A web address, or HUB:ID.")]
    names: Annotated[
        str | None, option("T", "A template for file names. Default: {architecture}/{creator}/{title}-{version}.")
    ] = None

    force: Annotated[bool, flag("--force", "Also a file in which the hub's scan found danger.")] = False

    def run(self, terminal: Terminal) -> int:
        chosen = settings.from_environment(os.environ, library=self.library, lock=self.lock, names=self.names)
        with services.build(chosen) as built:

            def pull(ref: Ref) -> Entry:
                entry = built.downloads.pull(ref, force=self.force, on_progress=progress_callback(terminal))
                if entry.ref.hub != ref.hub:
                    terminal.note(f"{ref} is also at {entry.ref}, which is where its bytes are from.")
                facts = built.lookup.inspect(entry.ref).adapter
                if not facts.is_lora:
                    warnings = " ".join(facts.warnings)
                    terminal.note(f"{entry.ref}: {warnings} It is in the library, and can't be tried here.")
                if other_half(built, entry) is not None:
                    terminal.note(
                        f"“{entry.title}” is two files, for much noise and for little: both are in the library."
                    )
                return entry

            results = try_each([parse_ref(text, partial(find_ref, built)) for text in self.refs], pull, terminal)
            if terminal.json:
                print_json_results(results, partial(entry_json, built), terminal)
            else:
                entries = [entry for entry in results if isinstance(entry, Entry)]
                both = [half for entry in entries for half in (entry, other_half(built, entry)) if half is not None]
                terminal.lines(str(built.library.path(entry)) for entry in dict.fromkeys(both))
        return worst_exit_code(results)
