"""hub-ui duplicates: files that are there twice, and older versions. Removes nothing."""

from dataclasses import dataclass

from hub_ui import services
from hub_ui.commands.options import LibraryOptions
from hub_ui.format import plural, size
from hub_ui.library.duplicates import DuplicateFile, Duplicates, find_duplicates
from hub_ui.terminal import Terminal

WORDS = {"bytes": "same bytes", "weights": "same weights, other metadata", "versions": "versions of one LoRA"}


@dataclass(frozen=True, kw_only=True)
class DuplicatesCommand(LibraryOptions):
    def run(self, terminal: Terminal) -> int:
        with services.build(self.settings()) as built:

            def on_progress(done: int, total: int) -> None:
                terminal.progress(f"Comparing: {done:,} of {total:,}", done / total)

            found = find_duplicates(built.library, built.downloads.other_half, on_progress)
        if terminal.json:
            groups = [{"kind": one.kind, "gain": one.gain, "files": list(map(_file_json, one.files))} for one in found]
            terminal.document({"gain": _gain(found), "groups": groups})
            return 0
        for one in found:
            terminal.line(f"{WORDS[one.kind]}, {size(one.gain, precise=True)} to gain:")
            terminal.lines(
                f"  {file.file}  {file.entry.ref if file.entry else 'without an entry'}" for file in one.files
            )
        terminal.line(
            f"{plural(len(found), 'group')}, {size(_gain(found), precise=True)} to gain. Nothing was removed."
        )
        return 0


def _gain(found: tuple[Duplicates, ...]) -> int:
    """Of the files that are surely the same. A file may be in several groups."""
    return sum(one.gain for one in found if one.kind == "bytes")


def _file_json(file: DuplicateFile) -> dict[str, object]:
    return {"file": file.file, "size": file.size, "ref": str(file.entry.ref) if file.entry else None}
