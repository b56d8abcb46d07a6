"""hub-ui import and export: LoRAs that are on the disk already, and metadata for other programs.

The script for diffusers loads LoRAs on their base models, every one pinned.
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
            terminal.note(f"hub-ui: {error.message} The other files are only looked up in what was seen before.")

        with services.build(chosen) as built:
            by_hash = None if self.offline else built.lookup.find_by_hash
            results = []
            for found in built.lookup.identifier(by_hash=by_hash, failure=on_failure).run(folder):
                results.append(found)
                terminal.progress(f"Read: {len(results):,}  {found.path}")
            added = add_entries(built, folder, results)
            refusals = name_errors(built, folder, results)
        document = {
            "folder": str(folder),
            "lock": str(chosen.lock),
            "entered": len(added),
            "files": [_file_json(found, added.get(found.path), refusals.get(found.path)) for found in results],
        }
        terminal.show(document, lambda: _print_identified(chosen, folder, results, added, terminal))
        for refusal in refusals.values():
            terminal.note(f"hub-ui: {refusal.message}")
        if not_asked := sum(found.state == "not asked" for found in results):
            terminal.note(
                f"hub-ui: no hub was asked about {plural(not_asked, 'file')}, so nothing was entered for them. Run "
                "this again later, or with --offline to enter them as files that no hub has."
            )
        return commands.worst_exit_code(errors)


def add_entries(built: Services, folder: Path, results: Sequence[IdentifiedFile]) -> dict[str, Entry]:
    """The new lock entries by file path. A folder outside the library is left unchanged."""
    library = built.library
    if not folder.is_relative_to(library.folder):
        return {}
    prefix = folder.relative_to(library.folder)
    paths = {(prefix / found.path).as_posix(): found.path for found in results}
    found = (built.lookup.entry_of(result, file) for file, result in zip(paths, results, strict=True))
    entries = [entry for entry in found if entry is not None]
    if library.lock.parent != library.folder:
        # A library puts its write lock into its folder, but this folder belongs to the user.
        library = Library(built.settings.home, library.lock)
    return {paths[entry.file]: entry for entry in library.adopt(entries)}


def name_errors(built: Services, folder: Path, results: Iterable[IdentifiedFile]) -> dict[str, HubUiError]:
    """Say by file path why a LoRA inside the library has no entry, if its name is the reason."""
    if not folder.is_relative_to(built.library.folder):
        return {}
    prefix = folder.relative_to(built.library.folder)
    entries = {fold(entry.file): entry for entry in built.library.entries()}
    refusals: dict[str, HubUiError] = {}
    for found in filter(_is_entered, results):
        place = (prefix / found.path).as_posix()
        other = entries.get(fold(place))
        if not is_safe_path(place):
            refusals[found.path] = UsageError(
                f"{found.path} was not entered, because not every system can have a file of this name. Rename it."
            )
        # A copy of the other file needs no entry of its own.
        elif other and other.file != place and found.digests and other.sha256 != found.digests.sha256:
            refusals[found.path] = UsageError(
                f"{found.path} was not entered, because its name differs from {other.file} by case alone, and many "
                "disks can't hold both. Rename it, and run hub-ui import again."
            )
    return refusals


def _is_entered(found: IdentifiedFile) -> bool:
    """Whether a file of this kind gets a lock entry."""
    return found.state == "recognised" or found.is_own_lora


def _file_json(found: IdentifiedFile, entry: Entry | None, refusal: HubUiError | None) -> dict[str, Any]:
    """`ref` is the hub's, also for an edited copy; `entry` is the ref in the library."""
    ref = found.ref or (entry.ref if entry else None)
    return {
        **attributes(found, "path", "state", "how"),
        **attributes(found.digests, "size", "sha256", "autov2", "autov3"),
        **attributes(entry or found.record, "title"),
        "ref": str(ref) if ref else None,
        "entered": entry is not None,
        "entry": str(entry.ref) if entry else None,
        "facts": found.facts.to_json() if found.facts else None,
        **commands.error_json(found.error or refusal),
    }


def _print_identified(
    chosen: Settings, folder: Path, results: Sequence[IdentifiedFile], added: Mapping[str, Entry], terminal: Terminal
) -> None:
    rows = [(found.state, found.path, _description(found, added.get(found.path))) for found in results]
    terminal.table(("STATE", "FILE", "WHAT IT IS"), rows, max_width=96)
    states = commands.count_states(found.state for found in results) or "no weights"
    terminal.line(f"{plural(len(results), 'file')}: {states}.")
    is_inside = folder.is_relative_to(chosen.library)
    loras = list(filter(_is_entered, results))
    if added:
        terminal.line(f"{plural(len(added), 'entry', 'entries')} added to {chosen.lock}.")
    elif loras and not is_inside:
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
            entries = [one for ref in refs for one in built.downloads.entries_of(ref)] or list(library.entries())
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
    done: list[ExportResult] = []
    missing = [entry for entry in entries if not built.library.path(entry).is_file()]
    for entry in entries:
        if entry not in missing:
            terminal.progress(f"Writing for {entry.title}")
            try:
                done += exporter.write(SIDECARS[tool](_subject(built, entry, terminal)))
            except OSError as error:
                if error.errno != errno.ENAMETOOLONG:
                    raise
                terminal.note(f"{entry.ref}: no longer name fits beside {entry.file}. Shorten it first: hub-ui move")
    for entry in missing:
        terminal.note(f"{entry.ref}: its file is missing, so nothing was written for it. Fetch it: hub-ui sync")
    refs = [str(entry.ref) for entry in missing]
    rows = [(each.state, str(each.path)) for each in done]
    document = {"tool": tool, "files": [_result_json(each) for each in done], "missing": refs}
    terminal.show(document, lambda: terminal.table(("STATE", "FILE"), rows))
    if (kept := sum(each.state == "kept" for each in done)) and not terminal.json:
        terminal.note(f"hub-ui: {plural(kept, 'file')} of someone else's stayed; --force overwrites")


def _write_script(built: Services, entries: Sequence[Entry], exporter: Exporter | None, terminal: Terminal) -> None:
    @cache
    def find_commit(repo: str) -> str | None:
        """The current commit of a base model's repo. If None, the base is not pinned and a note says so."""
        if Path(repo).is_dir():
            return None
        try:
            version = built.lookup.connector("huggingface").get(Ref.parse(f"huggingface:{repo}")).version(None)
        except HubUiError as error:
            terminal.note(f"hub-ui: {repo} is not pinned, its commit can't be told: {error.message}")
            return None
        return version.ref.version if version else None

    code = snippet(entries, built.library.path, lambda entry: _choose_base(entry, find_commit))
    done = [exporter.write_file(_SCRIPT, code.encode("utf-8", "backslashreplace"))] if exporter else []
    lines = [f"{each.state}  {each.path}" for each in done] or code.splitlines()
    document = {"tool": "diffusers", "files": [_result_json(each) for each in done], "snippet": code}
    terminal.show(document, lambda: terminal.lines(lines))


def _subject(built: Services, entry: Entry, terminal: Terminal) -> Subject:
    """From the catalog, else from the hub. A missing hub or example image is no error."""
    subject = Subject(entry=entry, path=built.library.path(entry))
    try:
        known = built.catalog.find(entry.ref)
        lora = known if known and export.example_of(known, entry) else built.lookup.get(entry.ref)
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
    # A short diffusers script cannot run bases that need several repos or more than a prompt.
    if chosen.video or chosen.is_modular or chosen.shared_components or chosen.checkpoint or chosen.needs_image:
        return None
    return replace(chosen, revision=chosen.revision or find_commit(chosen.source))


def _result_json(done: ExportResult) -> dict[str, Any]:
    return {"file": str(done.path), "state": done.state, **attributes(done.entry, "ref")}


def snippet(
    entries: Iterable[Entry], path: Callable[[Entry], Path], base_of: Callable[[Entry], base_models.PipelineSpec | None]
) -> str:
    """The script. An entry for which `base_of` returns None is only named in a comment. A base's revision is None for a
    folder, and for a repo whose hub did not answer.
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
    # A title can't end its comment and become code, because `clean` keeps it on one line.
    script.filters |= {"repr": repr, "comment": clean, "prompt": _prompt, "weights": _weights}
    text = Path(__file__).with_name("diffusers_script.txt").read_text(encoding="utf-8")
    loras = {name: _loras(group, path) for name, (_base, group) in groups.items()}
    return script.from_string(text).render(groups=groups, loras=loras, left=left)


def _loras(group: Iterable[Entry], path: Callable[[Entry], Path]) -> dict[str, tuple[Entry, str, Path]]:
    """Each entry by the name of its adapter, none twice, with where it is loaded from. PEFT allows no dots in names."""
    found: dict[str, tuple[Entry, str, Path]] = {}
    for entry in group:
        names = (f"{_identifier(entry.title)}_{number}" for number in count(2))
        adapter = _identifier(entry.title)
        while adapter in found:
            adapter = next(names)
        # diffusers downloads a file on Hugging Face at its commit; files of the other hubs are in the library.
        file = entry.ref.file if entry.ref.hub == "huggingface" else None
        found[adapter] = entry, file or "", path(entry).absolute()
    return found


def _weights(group: Iterable[Entry]) -> list[float]:
    return [1.0 if entry.weight is None else entry.weight for entry in group]


def _prompt(group: Iterable[Entry]) -> str:
    words = dict.fromkeys(entry.trigger_words[0] for entry in group if entry.trigger_words)
    return ", ".join([*words, "a lighthouse by the sea"])


def _identifier(text: str) -> str:
    plain = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:40]
    return plain if plain[:1].isalpha() else f"lora_{plain}".rstrip("_")
