"""hub-ui catalog: moves the catalog as one file, and counts what is in it."""

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated

from connectors.errors import UsageError, suggestion
from connectors.record import Lora
from connectors.registry import origin_label
from hub_ui import services, settings
from hub_ui.catalog import snapshot
from hub_ui.catalog.catalog import Catalog as StoredCatalog
from hub_ui.commands.options import JsonOption, argument, flag
from hub_ui.format import plural, size
from hub_ui.terminal import Terminal

ACTIONS = ("export", "import", "stats")


@dataclass(frozen=True, kw_only=True)
class Catalog(JsonOption):
    action: Annotated[str, argument("export|import|stats", "What to do.")]
    file: Annotated[Path | None, argument("[FILE]", "The snapshot to write or to read, such as catalog.jsonl.zst.")] = (
        None
    )
    hosted: Annotated[bool, flag("--hosted", "The catalog of a shared page (serve --hosted).")] = False

    def run(self, terminal: Terminal) -> int:
        if self.action not in ACTIONS:
            near = suggestion(self.action, ACTIONS)
            raise UsageError(f"“{self.action[:40]}” is nothing to do with a catalog.{near} Try: hub-ui catalog --help")
        if (self.file is None) is not (self.action == "stats"):
            raise UsageError(f"hub-ui catalog {self.action} takes {'no' if self.file else 'a'} FILE.")
        with services.build(settings.from_environment(os.environ, hosted=self.hosted)) as built:
            if self.file is None:
                _print_stats(built.catalog, terminal)
            elif self.action == "export":
                _export(built.catalog, self.file, terminal)
            else:
                _import(built.catalog, self.file, terminal)
        return 0


def _export(catalog: StoredCatalog, file: Path, terminal: Terminal) -> None:
    total = sum(catalog.stats().loras.values())
    done = snapshot.export(
        catalog.documents(),
        file,
        lambda number: terminal.progress(f"Writing: {number:,} of {total:,} LoRAs", number / max(total, 1)),
    )
    if terminal.json:
        terminal.document({"file": str(file), **asdict(done)})
        return
    terminal.line(f"{plural(done.loras, 'LoRA')} in {file}, {size(done.bytes, precise=True)}.")
    if done.unreadable:
        terminal.note(f"hub-ui: {plural(done.unreadable, 'entry', 'entries')} of the catalog can't be read: left out.")


def _import(catalog: StoredCatalog, file: Path, terminal: Terminal) -> None:
    def add(loras: Sequence[Lora], at: datetime) -> int:
        return catalog.add(loras, at=at)

    done = snapshot.load(
        file,
        add,
        lambda number, total: terminal.progress(f"Reading: {number:,} of {total:,} LoRAs", number / max(total, 1)),
    )
    if terminal.json:
        terminal.document({"file": str(file), **asdict(done)})
        return
    terminal.line(f"{plural(done.loras, 'LoRA')} read, {done.changed:,} of them new or changed.")
    if done.foreign:
        terminal.note(f"hub-ui: {plural(done.foreign, 'LoRA')} of hubs that this hub-ui doesn't know: left out.")


def _print_stats(catalog: StoredCatalog, terminal: Terminal) -> None:
    stats = catalog.stats()
    if terminal.json:
        terminal.document(asdict(stats))
        return
    terminal.facts(
        [
            *((origin_label(hub), f"{number:,}") for hub, number in stats.loras.items()),
            ("versions", f"{stats.versions:,}"),
            ("files", f"{stats.files:,}"),
            ("on several hubs", f"{stats.shared_cards:,}"),
            ("removed", f"{stats.removed:,}"),
            ("listed between", f"{stats.oldest} and {stats.newest}" if stats.oldest else None),
            ("size", size(stats.bytes, precise=True)),
        ]
    )
