"""The command hub-ui space, which publishes the app as a Space of Hugging Face."""

import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

from connectors.errors import AccessError, UsageError, suggestion
from connectors.ref import LOCAL
from connectors.registry import HUBS
from hub_ui import settings
from hub_ui.base.format import plural, size
from hub_ui.catalog import snapshot
from hub_ui.commands import JsonOption, argument, flag, option, read_lock
from hub_ui.commands.terminal import Terminal
from hub_ui.generate.base_models import check_base_name, choose_base
from hub_ui.generate.base_models.download import DownloadPlan, Source
from hub_ui.generate.base_models.files import plan_download
from hub_ui.library import lockfile
from hub_ui.library.lockfile import Entry
from hub_ui.settings import Settings
from hub_ui.space import files as space_repo

ACTIONS = ("push",)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9._-]{1,96}")
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")
# Names that may not be set as variables, because everyone can read the variables of a Space.
_SECRET_NAMES = frozenset({"HUB_UI_DATABASE", *(hub.token_variable for hub in HUBS.values())})


@dataclass(frozen=True, kw_only=True)
class SpaceCommand(JsonOption):
    action: Annotated[str, argument("push", "What to do.")]
    name: Annotated[str, argument("OWNER/NAME", "The Space. A new one is made.")]
    lock: Annotated[Path | None, option("FILE", "A lock file: LoRAs that every visitor finds in the library.")] = None
    snapshot: Annotated[Path | None, option("FILE", "A catalog to start with (hub-ui catalog export).")] = None
    base: Annotated[list[str] | None, option("B", "A base model to bring along. Repeat it for more.")] = None
    hardware: Annotated[
        str | None, option("FLAVOR", "Such as zero-a10g or t4-small. Default: as it is; zero-a10g for a new Space.")
    ] = None
    private: Annotated[bool, flag("--private", "Only you, or your organisation, can open the Space.")] = False
    title: Annotated[str | None, option("TEXT", "What stands above the Space. Default: NAME.")] = None
    variable: Annotated[list[str] | None, option("NAME=VALUE", "Set a variable. Everyone can read it.")] = None
    secret: Annotated[
        list[str] | None, option("NAME", "Set a secret to what this environment variable holds, such as CIVITAI_TOKEN.")
    ] = None
    dry_run: Annotated[Path | None, option("DIR", "Write the files to a new folder, and push nothing.")] = None

    def run(self, terminal: Terminal) -> int:
        self._check()
        chosen = settings.from_environment(os.environ)
        api = space = None
        if self.dry_run is None:
            api = space_repo.open_api(chosen.endpoints["huggingface"], chosen.tokens.get("huggingface"))
            space = space_repo.find_space(api, self.name)
        current_hardware = space.runtime.requested_hardware if space and space.runtime else None
        content = self._content(chosen, self.hardware or current_hardware or space_repo.ZERO_GPU, terminal)
        files = space_repo.space_files(content)
        if api is None or self.dry_run is not None:
            _write(files, self.dry_run or Path(), terminal)
            return 0
        terminal.progress(f"Pushing {plural(len(files), 'file')}, {size(sum(map(len, files.values())), precise=True)}…")
        pushed = space_repo.push_space(
            api, self.name, space, files, private=self.private,
            hardware=self.hardware or (None if space else space_repo.ZERO_GPU),
            variables={**{name: space_repo.NAMED[name] for name in content.named}, **self._variables()},
            secrets={name: os.environ[name] for name in self.secret or ()},
        )  # fmt: skip
        document = {**pushed, "files": len(files), "bytes": sum(map(len, files.values()))}
        terminal.show(document, lambda: _print(document, terminal))
        return 0

    def _check(self) -> None:
        if self.action not in ACTIONS:
            near = suggestion(self.action, ACTIONS)
            raise UsageError(f"“{self.action[:40]}” is nothing to do with a Space.{near} Try: hub-ui space --help")
        if not _NAME.fullmatch(self.name):
            raise UsageError(f"“{self.name[:80]}” is no name of a Space. Write OWNER/NAME, such as ada/loras.")
        if self.dry_run is not None and self.dry_run.exists() and any(self.dry_run.iterdir()):
            raise UsageError(f"{self.dry_run} is not empty. Name a new folder.")
        for name in self.secret or ():
            if not os.environ.get(name):
                raise UsageError(f"--secret {name}: the environment has no {name}. Set it, and push again.")
        self._variables()

    def _variables(self) -> Mapping[str, str]:
        pairs = [text.partition("=") for text in self.variable or ()]
        for name, sign, _value in pairs:
            if not sign or not _VARIABLE.fullmatch(name):
                raise UsageError(f"--variable {name[:40]}: write NAME=VALUE, such as HUB_UI_LIMIT_STEPS=30.")
            if name in _SECRET_NAMES:
                raise UsageError(f"Everyone can read a variable. Set {name} here, and push it with --secret {name}.")
        return {name: value for name, _sign, value in pairs}

    def _content(self, chosen: Settings, hardware: str, terminal: Terminal) -> space_repo.SpaceContent:
        entries = _entries(self.lock, terminal)
        endpoint = chosen.endpoints["huggingface"]
        bases = [_plan(name, endpoint) for name in self.base or ()]
        lock_files = space_repo.files_of_lock(entries)
        is_open = space_repo.open_repos(endpoint, (repo for repo, _file, _commit in lock_files))
        if closed := sorted({repo for repo, _file, _commit in lock_files} - is_open):
            terminal.note(f"hub-ui: not brought along, since not everyone may download them: {', '.join(closed)}")
        base_files = [
            (piece.repo, file.filename, piece.revision)
            for plan in bases
            for piece in plan.repos
            for file in piece.files
        ]
        preload = space_repo.preload_lines([*(file for file in lock_files if file[0] in is_open), *base_files])
        names = {*os.environ.keys() & set(self.secret or ()), *self._variables()}
        declared = space_repo.read_requirements(("postgres",) if "HUB_UI_DATABASE" in names else ())
        named = {"HUB_UI_SHARED_LOCK": lockfile.dumps(entries).encode()} if self.lock else {}
        if self.snapshot is not None:
            snapshot.count(self.snapshot)
            named["HUB_UI_SNAPSHOT"] = self.snapshot.read_bytes()
        return space_repo.SpaceContent(
            title=" ".join((self.title or "").split()) or self.name.partition("/")[2],
            version=version("hub-ui"),
            gradio=version("gradio"),
            hardware=hardware,
            requirements=space_repo.pin_requirements(declared, zero_gpu=hardware.startswith("zero-")),
            preload=preload,
            models=tuple(dict.fromkeys(line.partition(" ")[0] for line in preload)),
            named=named,
        )


def _entries(lock: Path | None, terminal: Terminal) -> tuple[Entry, ...]:
    if lock is None:
        return ()
    entries = read_lock(lock)
    on_hubs = tuple(entry for entry in entries if entry.ref.hub != LOCAL)
    if len(on_hubs) < len(entries):
        local = plural(len(entries) - len(on_hubs), "LoRA")
        terminal.note(f"hub-ui: left out, since no hub has them: {local} of {lock.name}")
    return on_hubs


def _plan(name: str, endpoint: str) -> DownloadPlan:
    """Plan the download of a base model, ignoring the cache of this computer. Raise AccessError if it is gated."""
    check_base_name(name)
    with tempfile.TemporaryDirectory(prefix="hub-ui-space-") as cache:
        plan = plan_download(choose_base(None, None, name), Source(endpoint=endpoint, cache=Path(cache)))
    if plan.gated:
        raise AccessError(
            f"{plan.origin} is gated, and Spaces brings only what everyone may download. Choose another base."
        )
    return plan


def _write(files: Mapping[str, bytes], folder: Path, terminal: Terminal) -> None:
    for path, data in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    number = size(sum(map(len, files.values())), precise=True)
    text = f"{plural(len(files), 'file')} in {folder}, {number}. Nothing was pushed."
    terminal.show({"folder": str(folder), "files": sorted(files)}, lambda: terminal.line(text))


def _print(pushed: Mapping[str, Any], terminal: Terminal) -> None:
    terminal.line(pushed["url"])
    unchanged = not any(pushed[name] for name in ("created", "commit", "variables", "secrets"))
    what = "Nothing has changed" if unchanged else "Made" if pushed["created"] else "Updated"
    number = size(pushed["bytes"], precise=True)
    terminal.line(f"{what}: {plural(pushed['files'], 'file')}, {number}, on {pushed['hardware']}.")
    for name in ("variables", "secrets", "removed"):
        if pushed[name]:
            terminal.line(f"{name.capitalize()}: {', '.join(pushed[name])}")
