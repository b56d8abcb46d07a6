"""hub-ui export: what other programs read about a LoRA, written beside its file because the person asked."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from connectors.errors import HubUiError, NoBase, NotFound
from connectors.record import Lora
from connectors.ref import Ref
from hub_ui import services
from hub_ui.commands.locked import settings_of, some
from hub_ui.commands.targets import ref_of
from hub_ui.generate import base_models
from hub_ui.library.disk import disk_errors_as_messages
from hub_ui.library.export import sidecars
from hub_ui.library.export.diffusers_script import Base, snippet
from hub_ui.library.export.sidecars import Subject, a1111, comfyui
from hub_ui.library.export.write import Exported, Exporter
from hub_ui.library.lockfile import Entry
from hub_ui.services import Services
from hub_ui.terminal import Terminal, table

SIDECARS = {"a1111": a1111, "comfyui": comfyui}
TOOLS = (*SIDECARS, "diffusers")
_SNIPPET = "loras_diffusers.py"


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    refs = [ref_of(text) for text in args.refs]
    with services.build(settings_of(args)) as built:
        library = built.library
        entries = [library.entry(ref) for ref in refs] or list(library.entries())
        exporter = Exporter(library.folder, args.out or library.folder, force=args.force)
        with disk_errors_as_messages():
            if args.tool == "diffusers":
                _diffusers(built, entries, exporter if args.out else None, terminal)
            else:
                _sidecars(built, entries, args.tool, exporter, terminal)
    return 0


def _sidecars(built: Services, entries: Sequence[Entry], tool: str, exporter: Exporter, terminal: Terminal) -> None:
    done: list[Exported] = []
    missing = [entry for entry in entries if not built.library.path(entry).is_file()]
    for entry in entries:
        if entry not in missing:
            terminal.rewrite(f"Writing for {entry.title}")
            done += exporter.write(SIDECARS[tool](_subject(built, entry, terminal)))
    terminal.rewrite("")
    for entry in missing:
        terminal.note(f"{entry.ref}: its file is missing, so nothing was written for it. Fetch it: hub-ui sync")
    if terminal.json:
        terminal.document({"tool": tool, "files": [_item(each) for each in done], "missing": _refs(missing)})
        return
    if done:
        terminal.lines(table([("STATE", "FILE"), *((each.state, str(each.path)) for each in done)]))
    if kept := sum(each.state == "kept" for each in done):
        terminal.note(f"hub-ui: {some(kept, 'file')} of someone else's stayed; --force overwrites")


def _diffusers(built: Services, entries: Sequence[Entry], exporter: Exporter | None, terminal: Terminal) -> None:
    commits = _Commits(built, terminal)
    code = snippet(entries, built.library.path, lambda entry: _base_of(entry, commits))
    done = [exporter.write_file(_SNIPPET, code.encode("utf-8", "backslashreplace"))] if exporter else []
    if terminal.json:
        terminal.document({"tool": "diffusers", "files": [_item(each) for each in done], "snippet": code})
    else:
        terminal.lines([f"{each.state}  {each.path}" for each in done] or code.splitlines())


def _subject(built: Services, entry: Entry, terminal: Terminal) -> Subject:
    """What the catalog knows, else what the hub says; a hub or picture that can't be had is no failure here."""
    subject = Subject(entry=entry, path=built.library.path(entry))
    try:
        lora = _lora(built, entry)
        subject = replace(subject, lora=lora, example=sidecars.example_of(lora, entry))
        if subject.example is not None:
            subject = replace(subject, image=sidecars.fetch(subject.example, built.settings.hub_hosts))
    except HubUiError as error:
        terminal.rewrite("")
        terminal.note(f"{entry.ref}: without a picture: {error.message}")
    return subject if subject.image else replace(subject, example=None)


def _lora(built: Services, entry: Entry) -> Lora:
    try:
        known = built.catalog.lora(entry.ref)
    except NotFound:
        return built.lookup.get(entry.ref)
    return known if sidecars.example_of(known, entry) else built.lookup.get(entry.ref)


class _Commits:
    """The commits that base models' repos are at now. One that can't be told leaves the base unpinned, and is noted."""

    def __init__(self, built: Services, terminal: Terminal) -> None:
        self._built = built
        self._terminal = terminal
        self._known: dict[str, str | None] = {}

    def of(self, repo: str) -> str | None:
        if repo not in self._known:
            self._known[repo] = None if Path(repo).is_dir() else self._asked(repo)
        return self._known[repo]

    def _asked(self, repo: str) -> str | None:
        try:
            version = self._built.lookup.connector("huggingface").get(Ref.parse(f"huggingface:{repo}")).version(None)
        except HubUiError as error:
            self._terminal.note(f"hub-ui: {repo} is not pinned, its commit can't be told: {error.message}")
            return None
        return version.ref.version if version else None


def _base_of(entry: Entry, commits: _Commits) -> Base | None:
    try:
        chosen = base_models.choose(entry.architecture, entry.base_model, None)
    except NoBase:
        return None
    # A few lines of diffusers don't draw with these: they come out of several repos, or want more than a prompt.
    if chosen.film or chosen.modular or chosen.borrowed or chosen.checkpoint or chosen.needs_image:
        return None
    settings = {
        "num_inference_steps": chosen.steps,
        "guidance_scale": chosen.guidance,
        "width": chosen.width,
        "height": chosen.height,
    }
    return Base(
        source=chosen.source,
        label=chosen.label,
        revision=chosen.revision or commits.of(chosen.source),
        scheduler=chosen.scheduler,
        settings=settings,
    )


def _item(done: Exported) -> dict[str, Any]:
    return {
        "file": str(Path(done.path)),
        "state": done.state,
        "ref": str(done.entry.ref) if done.entry else None,
    }


def _refs(entries: Sequence[Entry]) -> list[str]:
    return [str(entry.ref) for entry in entries]
