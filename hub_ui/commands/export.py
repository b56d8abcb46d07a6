"""hub-ui export: writes sidecars for other programs beside a LoRA's file."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from connectors.errors import DoesNotFit, HubUiError, NoBase, NotFound
from connectors.ref import Ref
from hub_ui import services
from hub_ui.commands.options import LibraryOptions, argument, flag, option, parse_ref
from hub_ui.format import plural
from hub_ui.generate import base_models
from hub_ui.library.disk import disk_errors_as_messages
from hub_ui.library.export import sidecars
from hub_ui.library.export.diffusers_script import Base, snippet
from hub_ui.library.export.sidecars import Exporter, ExportResult, Subject, a1111, comfyui
from hub_ui.library.lockfile import Entry
from hub_ui.services import Services
from hub_ui.terminal import Terminal

SIDECARS = {"a1111": a1111, "comfyui": comfyui}
_SCRIPT = "loras_diffusers.py"


@dataclass(frozen=True, kw_only=True)
class Export(LibraryOptions):
    refs: Annotated[list[str] | None, argument("REF", "LoRAs of the library. Default: all of them.")] = None
    tool: Annotated[Literal["a1111", "comfyui", "diffusers"], flag("--for", "The program that reads it.")]
    out: Annotated[Path | None, option("DIR", "Default: beside the weight files.")] = None
    force: Annotated[bool, flag("--force", "Overwrite files that hub-ui did not write.")] = False

    def run(self, terminal: Terminal) -> int:
        refs = [parse_ref(text) for text in self.refs or ()]
        with services.build(self.settings()) as built:
            library = built.library
            entries = [library.entry(ref) for ref in refs] or list(library.entries())
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
            done += exporter.write(SIDECARS[tool](_subject(built, entry, terminal)))
    for entry in missing:
        terminal.note(f"{entry.ref}: its file is missing, so nothing was written for it. Fetch it: hub-ui sync")
    if terminal.json:
        refs = [str(entry.ref) for entry in missing]
        terminal.document({"tool": tool, "files": [_item(each) for each in done], "missing": refs})
        return
    terminal.table(("STATE", "FILE"), [(each.state, str(each.path)) for each in done])
    if kept := sum(each.state == "kept" for each in done):
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
    if terminal.json:
        terminal.document({"tool": "diffusers", "files": [_item(each) for each in done], "snippet": code})
    else:
        terminal.lines([f"{each.state}  {each.path}" for each in done] or code.splitlines())


def _subject(built: Services, entry: Entry, terminal: Terminal) -> Subject:
    """From the catalog, else from the hub. A missing hub or example image is no error."""
    subject = Subject(entry=entry, path=built.library.path(entry))
    try:
        try:
            lora = built.catalog.lora(entry.ref)
        except NotFound:
            lora = built.lookup.get(entry.ref)
        else:
            lora = lora if sidecars.example_of(lora, entry) else built.lookup.get(entry.ref)
        subject = replace(subject, lora=lora, example=sidecars.example_of(lora, entry))
        if subject.example is not None:
            subject = replace(subject, image=sidecars.fetch(subject.example, built.settings.destinations))
    except HubUiError as error:
        terminal.note(f"{entry.ref}: without an image: {error.message}")
    return subject if subject.image else replace(subject, example=None)


def _choose_base(entry: Entry, find_commit: Callable[[str], str | None]) -> Base | None:
    try:
        chosen = base_models.choose_base(entry.architecture, entry.base_model, None)
    except (NoBase, DoesNotFit):
        return None
    # A short diffusers script cannot run bases that need several repos or more than a prompt.
    if chosen.video or chosen.is_modular or chosen.shared_components or chosen.checkpoint or chosen.needs_image:
        return None
    return Base(
        source=chosen.source,
        label=chosen.label,
        revision=chosen.revision or find_commit(chosen.source),
        scheduler=chosen.scheduler,
        settings={
            "num_inference_steps": chosen.steps,
            "guidance_scale": chosen.guidance,
            "width": chosen.width,
            "height": chosen.height,
        },
    )


def _item(done: ExportResult) -> dict[str, Any]:
    return {"file": str(Path(done.path)), "state": done.state, "ref": str(done.entry.ref) if done.entry else None}
