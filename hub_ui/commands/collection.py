"""hub-ui collection: named sets of LoRAs, each a lock file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from connectors.errors import NotFound, UsageError
from hub_ui import services
from hub_ui.commands.options import LibraryOptions, flag, option, parse_ref
from hub_ui.format import plural, size
from hub_ui.library import lockfile
from hub_ui.library.collections import Collection
from hub_ui.library.disk import replace_file
from hub_ui.library.pairs import with_halves
from hub_ui.services import Services
from hub_ui.terminal import Terminal


@dataclass(frozen=True, kw_only=True)
class CollectionCommand(LibraryOptions):
    name: Annotated[str, typer.Argument(metavar="NAME", help="Default: list all collections.")] = ""
    add: Annotated[list[str] | None, option("REF", "Add a LoRA of the library.")] = None
    take_out: Annotated[list[str] | None, option("REF", "Take a LoRA out; it stays in the library.")] = None
    export: Annotated[Path | None, option("FILE", "Write it as a lock file.")] = None
    read: Annotated[Path | None, option("FILE", "Add what a lock file names.")] = None
    delete: Annotated[bool, flag("--delete", "Delete the collection. Its LoRAs stay in the library.")] = False

    def run(self, terminal: Terminal) -> int:
        changes = (self.add, self.take_out, self.export, self.read, self.delete)
        if any(changes) and not self.name:
            raise UsageError("Name the collection first: hub-ui collection NAME --add REF")
        if sum(map(bool, changes)) > 1:
            raise UsageError("Choose one of --add, --take-out, --read, --export and --delete.")
        with services.build(self.settings()) as built:
            if not self.name:
                _print_all(built.collections.all(), built.collections.damaged(), terminal)
            else:
                self._print(self._change(built), terminal)
        return 0

    def _change(self, built: Services) -> Collection:
        entries = built.library.entries()
        if self.add:
            chosen = [built.library.entry(parse_ref(text)) for text in self.add]
            return built.collections.add(self.name, with_halves(chosen, entries, built.downloads.other_half))
        if self.take_out:
            refs = [parse_ref(text) for text in self.take_out]
            known = built.collections.get(self.name)
            gone = [e.ref for e in known.entries if any(e.answers_to(ref) for ref in refs)]
            return built.collections.take_out(self.name, gone)
        if self.read:
            if not self.read.is_file():
                raise NotFound(f"There is no file {self.read}. Name a lock file.")
            text = self.read.read_text(encoding="utf-8", errors="replace")
            return built.collections.add(self.name, lockfile.loads(text, self.read.name))
        if self.delete:
            return built.collections.delete(self.name)
        collection = built.collections.get(self.name)
        if self.export:
            replace_file(self.export, collection.lock_text(entries).encode())
        return collection

    def _print(self, collection: Collection, terminal: Terminal) -> None:
        if terminal.json:
            terminal.document({"name": collection.name, "loras": [lockfile.values(e) for e in collection.entries]})
            return
        terminal.table(("TITLE", "REF"), [(entry.title, str(entry.ref)) for entry in collection.entries])
        what = "Deleted: " if self.delete else f"Written to {self.export}: " if self.export else ""
        terminal.line(f"{what}{plural(len(collection.entries), 'LoRA')} in “{collection.name}”.")


def _print_all(collections: tuple[Collection, ...], damaged: tuple[tuple[str, str], ...], terminal: Terminal) -> None:
    if terminal.json:
        names = [{"name": one.name, "refs": [str(entry.ref) for entry in one.entries]} for one in collections]
        failures = [{"file": file, "message": message} for file, message in damaged]
        terminal.document({"collections": names, "failures": failures})
        return
    rows = [(one.name, plural(len(one.entries), "LoRA"), size(sum(e.size for e in one.entries))) for one in collections]
    terminal.table(("NAME", "LORAS", "SIZE"), rows)
    terminal.line(f"{plural(len(rows), 'collection')}.")
    for _file, message in damaged:
        terminal.note(message)
