"""The commands hub-ui import, which adds local LoRAs, and hub-ui export, which writes metadata for other programs.

The exported diffusers script loads pinned LoRAs on their base models.
"""

import errno
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import count
from pathlib import Path
from typing import Annotated, Any, Literal

from jinja2 import Environment, StrictUndefined

from connectors.errors import DoesNotFit, HubUiError, NoBase, UsageError
from connectors.ref import LOCAL, Ref
from hub_ui import commands, settings
from hub_ui.app import services
from hub_ui.app.services import Services
from hub_ui.base.disk import disk_errors_as_messages
from hub_ui.base.format import clean, plural
from hub_ui.base.json_values import attributes
from hub_ui.commands.terminal import Terminal
from hub_ui.generate import base_models
from hub_ui.library.file_names import fold, is_safe_path
from hub_ui.library.library import Library
from hub_ui.library.lockfile import Entry
from hub_ui.library.upkeep import export
from hub_ui.library.upkeep.export import Exporter, ExportResult, Subject, a1111, comfyui
from hub_ui.library.upkeep.identify import IdentifiedFile
from hub_ui.settings import Settings

SIDECARS = {"a1111": a1111, "comfyui": comfyui}
_SCRIPT = "loras_diffusers.py"


@dataclass(frozen=True, kw_only=True)
class Import(commands.LibraryOptions):
    folder: Annotated[Path, commands.argument("DIR", "A folder of LoRA files; nothing is written into it.")]
    offline: Annotated[bool, commands.flag("--offline", "Ask no hub, look in what was seen before only.")] = False

    def settings(self) -> Settings:
        """Return the settings. If only --lock is given, the imported folder is the library."""
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
            terminal.note(f"hub-ui: {error.message} The other files are only looked up in what was seen before.")

        with services.build(chosen) as built:
            by_hash = None if self.offline else built.lookup.find_by_hash
            results = []
            for file in built.lookup.identifier(by_hash=by_hash, failure=on_failure).run(folder):
                results.append(file)
                terminal.progress(f"Read: {len(results):,}  {file.path}")
            added = add_entries(built, folder, results)
            refusals = name_errors(built, folder, results)
        document = {
            "folder": str(folder),
            "lock": str(chosen.lock),
            "entered": len(added),
            "files": [_file_json(file, added.get(file.path), refusals.get(file.path)) for file in results],
        }
        terminal.show(document, lambda: _print_identified(chosen, folder, results, added, terminal))
        for refusal in refusals.values():
            terminal.note(f"hub-ui: {refusal.message}")
        if not_asked := sum(file.state == "not asked" for file in results):
            terminal.note(
                f"hub-ui: no hub was asked about {plural(not_asked, 'file')}, so nothing was entered for them. Run "
                "this again later, or with --offline to enter them as files that no hub has."
            )
        return commands.worst_exit_code(errors)


def add_entries(built: Services, folder: Path, results: Sequence[IdentifiedFile]) -> dict[str, Entry]:
    """Add lock entries for the files, and return them by file path. Do nothing for a folder outside the library."""
    library = built.library
    if not folder.is_relative_to(library.folder):
        return {}
    prefix = folder.relative_to(library.folder)
    paths = {(prefix / file.path).as_posix(): file.path for file in results}
    entries_or_none = (built.lookup.entry_of(file, path) for path, file in zip(paths, results, strict=True))
    entries = [entry for entry in entries_or_none if entry is not None]
    if library.lock.parent != library.folder:
        # Library writes a file for its write lock into its folder, but this folder belongs to the user.
        library = Library(built.settings.home, library.lock)
    return {paths[entry.file]: entry for entry in library.adopt(entries)}


def name_errors(built: Services, folder: Path, results: Iterable[IdentifiedFile]) -> dict[str, HubUiError]:
    """Return, by file path, why a LoRA inside the library has no entry, if its name is the reason."""
    if not folder.is_relative_to(built.library.folder):
        return {}
    prefix = folder.relative_to(built.library.folder)
    entries = {fold(entry.file): entry for entry in built.library.entries()}
    refusals: dict[str, HubUiError] = {}
    for file in filter(_is_lora, results):
        path = (prefix / file.path).as_posix()
        other = entries.get(fold(path))
        if not is_safe_path(path):
            refusals[file.path] = UsageError(
                f"{file.path} was not entered, because not every system can have a file of this name. Rename it."
            )
        # A file with the same bytes needs no second entry.
        elif other and other.file != path and file.digests and other.sha256 != file.digests.sha256:
            refusals[file.path] = UsageError(
                f"{file.path} was not entered, because its name differs from {other.file} by case alone, and many "
                "disks can't hold both. Rename it, and run hub-ui import again."
            )
    return refusals


def _is_lora(file: IdentifiedFile) -> bool:
    return file.state == "recognised" or file.is_own_lora


def _file_json(file: IdentifiedFile, entry: Entry | None, refusal: HubUiError | None) -> dict[str, Any]:
    # `ref` is the hub's ref, also for an edited copy. `entry` is the ref in the library.
    ref = file.ref or (entry.ref if entry else None)
    return {
        **attributes(file, "path", "state", "how"),
        **attributes(file.digests, "size", "sha256", "autov2", "autov3"),
        **attributes(entry or file.record, "title"),
        "ref": str(ref) if ref else None,
        "entered": entry is not None,
        "entry": str(entry.ref) if entry else None,
        "facts": file.facts.to_json() if file.facts else None,
        **commands.error_json(file.error or refusal),
    }


def _print_identified(
    chosen: Settings, folder: Path, results: Sequence[IdentifiedFile], added: Mapping[str, Entry], terminal: Terminal
) -> None:
    rows = [(file.state, file.path, _description(file, added.get(file.path))) for file in results]
    terminal.table(("STATE", "FILE", "WHAT IT IS"), rows, max_width=96)
    states = commands.count_states(file.state for file in results) or "no weights"
    terminal.line(f"{plural(len(results), 'file')}: {states}.")
    is_inside = folder.is_relative_to(chosen.library)
    loras = list(filter(_is_lora, results))
    if added:
        terminal.line(f"{plural(len(added), 'entry', 'entries')} added to {chosen.lock}.")
    elif loras and not is_inside:
        terminal.note("hub-ui: nothing was written; name a lock file for the folder to have entries: --lock FILE")


def _description(file: IdentifiedFile, entry: Entry | None) -> str:
    if entry is not None and entry.ref.hub == LOCAL:
        base = entry.base_model or entry.architecture or "an unknown base model"
        return f"{entry.title}  {entry.ref.lora}  (for {base}, on no hub that is known)"
    if file.ref is not None:
        title = file.record.title if file.record else ""
        return f"{title}  {file.ref}  ({file.how})".strip()
    if file.facts is not None:
        adapter = file.facts.adapter
        what = "a LoRA" if adapter.is_lora else f"no LoRA: {adapter.what}"
        return f"{what} for {adapter.base_model or adapter.architecture or 'an unknown base model'}"
    return file.error.message if file.error else ""


@dataclass(frozen=True, kw_only=True)
class Export(commands.LibraryOptions):
    refs: Annotated[list[str] | None, commands.argument("REF", "LoRAs of the library. Default: all of them.")] = None
    tool: Annotated[Literal["a1111", "comfyui", "diffusers"], commands.flag("--for", "The program that reads it.")]
    out: Annotated[Path | None, commands.option("DIR", "Default: beside the weight files.")] = None
    force: Annotated[bool, commands.flag("--force", "Overwrite files that hub-ui did not write.")] = False

    def run(self, terminal: Terminal) -> int:
        refs = [commands.parse_ref(text) for text in self.refs or ()]
        with services.build(self.settings()) as built:
            library = built.library
            entries = [entry for ref in refs for entry in built.downloads.entries_of(ref)] or list(library.entries())
            exporter = Exporter(library.folder, self.out or library.folder, force=self.force)
            with disk_errors_as_messages(self.out):
                if self.tool == "diffusers":
                    _write_script(built, entries, exporter if self.out else None, terminal)
                else:
                    _write_sidecars(built, entries, self.tool, exporter, terminal)
        return 0


def _write_sidecars(
    built: Services, entries: Sequence[Entry], tool: str, exporter: Exporter, terminal: Terminal
) -> None:
    results: list[ExportResult] = []
    missing = [entry for entry in entries if not built.library.path(entry).is_file()]
    for entry in entries:
        if entry not in missing:
            terminal.progress(f"Writing for {entry.title}")
            try:
                results += exporter.write(SIDECARS[tool](_subject(built, entry, terminal)))
            except OSError as error:
                if error.errno != errno.ENAMETOOLONG:
                    raise
                terminal.note(f"{entry.ref}: no longer name fits beside {entry.file}. Shorten it first: hub-ui move")
    for entry in missing:
        terminal.note(f"{entry.ref}: its file is missing, so nothing was written for it. Fetch it: hub-ui sync")
    refs = [str(entry.ref) for entry in missing]
    rows = [(result.state, str(result.path)) for result in results]
    document = {"tool": tool, "files": [_result_json(result) for result in results], "missing": refs}
    terminal.show(document, lambda: terminal.table(("STATE", "FILE"), rows))
    if (kept := sum(result.state == "kept" for result in results)) and not terminal.json:
        terminal.note(f"hub-ui: {plural(kept, 'file')} of someone else's stayed; --force overwrites")


def _write_script(built: Services, entries: Sequence[Entry], exporter: Exporter | None, terminal: Terminal) -> None:
    @cache
    def find_commit(repo: str) -> str | None:
        """Return the current commit of a base model's repo, or None for a folder or if the hub fails."""
        if Path(repo).is_dir():
            return None
        try:
            version = built.lookup.connector("huggingface").get(Ref.parse(f"huggingface:{repo}")).version(None)
        except HubUiError as error:
            terminal.note(f"hub-ui: {repo} is not pinned, its commit can't be told: {error.message}")
            return None
        return version.ref.version if version else None

    code = snippet(entries, built.library.path, lambda entry: _choose_base(entry, find_commit))
    results = [exporter.write_file(_SCRIPT, code.encode("utf-8", "backslashreplace"))] if exporter else []
    lines = [f"{result.state}  {result.path}" for result in results] or code.splitlines()
    document = {"tool": "diffusers", "files": [_result_json(result) for result in results], "snippet": code}
    terminal.show(document, lambda: terminal.lines(lines))


def _subject(built: Services, entry: Entry, terminal: Terminal) -> Subject:
    """Return the metadata and an example image of an entry, from the catalog or else from the hub.

    If the hub or its image fails, print a note and leave out the image.
    """
    subject = Subject(entry=entry, path=built.library.path(entry))
    try:
        lora = built.catalog.find(entry.ref)
        if not lora or not export.example_of(lora, entry):
            lora = built.lookup.get(entry.ref)
        subject = replace(subject, lora=lora, example=export.example_of(lora, entry))
        if subject.example is not None:
            subject = replace(subject, image=export.fetch(subject.example, built.settings.destinations))
    except HubUiError as error:
        terminal.note(f"{entry.ref}: without an image: {error.message}")
    return subject if subject.image else replace(subject, example=None)


def _choose_base(entry: Entry, find_commit: Callable[[str], str | None]) -> base_models.PipelineSpec | None:
    try:
        chosen = base_models.choose_base(entry.architecture, entry.base_model, None)
    except (NoBase, DoesNotFit):
        return None
    # The short script can't run base models that need several repos, or more input than a prompt.
    if chosen.video or chosen.is_modular or chosen.shared_components or chosen.checkpoint or chosen.needs_image:
        return None
    return replace(chosen, revision=chosen.revision or find_commit(chosen.source))


def _result_json(result: ExportResult) -> dict[str, Any]:
    return {"file": str(result.path), "state": result.state, **attributes(result.entry, "ref")}


def snippet(
    entries: Iterable[Entry], path: Callable[[Entry], Path], base_of: Callable[[Entry], base_models.PipelineSpec | None]
) -> str:
    """Return the diffusers script for the entries, grouped by base model.

    An entry for which `base_of` returns None is only named in a comment. The revision of a base model is left out if
    it is None.
    """
    groups: dict[str, tuple[base_models.PipelineSpec, list[Entry]]] = {}
    left: list[Entry] = []
    for entry in entries:
        base = base_of(entry)
        if base is None:
            left.append(entry)
        else:
            groups.setdefault(_identifier(base.label), (base, []))[1].append(entry)
    script = Environment(trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True, undefined=StrictUndefined)
    # `clean` removes line breaks from a title, so that it can't end its comment and become code.
    script.filters |= {"repr": repr, "comment": clean, "prompt": _prompt, "weights": _weights}
    text = Path(__file__).with_name("diffusers_script.txt").read_text(encoding="utf-8")
    loras = {name: _loras(group, path) for name, (_base, group) in groups.items()}
    return script.from_string(text).render(groups=groups, loras=loras, left=left)


def _loras(group: Iterable[Entry], path: Callable[[Entry], Path]) -> dict[str, tuple[Entry, str, Path]]:
    """Return entries by unique adapter name, with the file on Hugging Face and the local path.

    The names have no dots, because PEFT does not allow them.
    """
    loras: dict[str, tuple[Entry, str, Path]] = {}
    for entry in group:
        names = (f"{_identifier(entry.title)}_{number}" for number in count(2))
        adapter = _identifier(entry.title)
        while adapter in loras:
            adapter = next(names)
        # diffusers can download a pinned file from Hugging Face. Files of other hubs are loaded from the library.
        file = entry.ref.file if entry.ref.hub == "huggingface" else None
        loras[adapter] = entry, file or "", path(entry).absolute()
    return loras


def _weights(group: Iterable[Entry]) -> list[float]:
    return [1.0 if entry.weight is None else entry.weight for entry in group]


def _prompt(group: Iterable[Entry]) -> str:
    words = dict.fromkeys(entry.trigger_words[0] for entry in group if entry.trigger_words)
    return ", ".join([*words, "a lighthouse by the sea"])


def _identifier(text: str) -> str:
    plain = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:40]
    return plain if plain[:1].isalpha() else f"lora_{plain}".rstrip("_")
