"""A LoRA file of one's own, dropped on the page or chosen: inspected, identified, tried and kept."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gradio as gr

from connectors.claims.resolve import record_of
from connectors.errors import HubUiError
from connectors.record import Record
from connectors.ref import LOCAL, Ref
from hub_ui import format
from hub_ui.i18n import N_, _
from hub_ui.library.file_names import DEFAULT, FileNameTemplate, target
from hub_ui.library.identify import IdentifiedFile, entry_of_file
from hub_ui.library.library import source_of
from hub_ui.library.lockfile import Entry
from hub_ui.pages.events import QUIET, errors_as_messages
from hub_ui.pages.library.downloads import Downloads
from hub_ui.web.view import View
from hub_ui.services import Services
from hub_ui.widgets import detail, fact_rows, result
from hub_ui.widgets.fact_rows import Fact
from hub_ui.widgets.render import Renderer, act_data, widget

# How a file was identified, as it is said.
STATES = {
    "held": N_("It is in your library already."),
    "recognised": N_("It is on a hub."),
    "edited": N_("Its weights are on a hub, with other metadata."),
    "unknown": N_("No hub is known to have it."),
}


@dataclass(frozen=True, kw_only=True)
class OwnFile:
    """`entry` is None for what is no LoRA. `on_hub` is the ref of the hub that has it."""

    name: str
    said: str
    facts: tuple[Fact, ...] = ()
    warnings: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    size: int = 0
    entry: Entry | None = None
    on_hub: Ref | None = None
    is_kept: bool = False


class OwnFilePart:
    """The button, which takes a dropped file too (scripts/drop.js), and what the file is."""

    def __init__(self, view: gr.State) -> None:
        self.view = view
        self.button = gr.UploadButton(
            N_("Drop a LoRA file here to look at it, or choose one"), elem_id="add-file", type="filepath"
        )
        self.panel = widget(elem_id="own-file")
        self.file = gr.State(None)


def connect(part: OwnFilePart, downloads: Downloads, services: Services, render: Renderer) -> None:
    def on_upload(path: str | None, now: View) -> Iterator[Any]:
        if not path:
            yield (gr.skip(),) * 3
            return
        looking = result.progress_html(render, _("Reading the file…"), None)
        yield replace(now, page="library", open=""), looking, None
        try:
            file = read_file(services, Path(path))
        except HubUiError as error:
            file = OwnFile(name=Path(path).name, said=error.message)
        finally:
            Path(path).unlink(missing_ok=True)
        yield gr.skip(), render("own_file", file=file), file

    def on_act(file: OwnFile | None, now: View, arrived: int, event: gr.EventData) -> Any:
        with errors_as_messages():
            name = act_data(event).get("act")
            services.policy.check("use own files")
            services.policy.check("change library")
            if name == "close-file":
                if file is not None and file.entry is not None and not file.is_kept:
                    services.own_files.discard(file.entry.ref)
                return gr.skip(), "", None, gr.skip()
            if file is None or file.entry is None:
                return (gr.skip(),) * 4
            if name == "try-file":
                weight = services.generation.default_weight(file.entry.ref)
                return now.try_lora(str(file.entry.ref), weight), gr.skip(), gr.skip(), gr.skip()
            if name == "open" and file.on_hub:
                return replace(now, page="browse", open=str(file.on_hub)), gr.skip(), gr.skip(), gr.skip()
            if name == "keep-file":
                then = keep(services, file)
                return gr.skip(), render("own_file", file=then), then, arrived + 1
            return (gr.skip(),) * 4

    uploaded = [part.view, part.panel, part.file]
    part.button.upload(on_upload, [part.button, part.view], uploaded, **QUIET)
    # What is kept shows in the list as a download does that has arrived.
    outputs = [part.view, part.panel, part.file, downloads.arrived]
    clicked = [part.file, part.view, downloads.arrived]
    part.panel.act(on_act, clicked, outputs, trigger_mode="multiple", concurrency_limit=1, **QUIET)


def read_file(services: Services, path: Path) -> OwnFile:
    """Raises what keeps a file from being read. A LoRA moves to where it can be tried; anything else is left."""
    services.policy.check("use own files")
    failures: list[HubUiError] = []
    identifier = services.lookup.identifier(by_hash=services.lookup.find_by_hash, failure=failures.append)
    found = identifier.one(path)
    offline = failures[0].message if failures else ""
    facts = found.facts
    if facts is None or not facts.adapter.is_lora:
        return OwnFile(name=path.name, said=detail.refusal(facts), size=facts.size or 0 if facts else 0)
    entry = entry_of_file(found, services.library.entries())
    if found.state != "held":
        entry = services.own_files.add(path, entry)
        services.lookup.remember_header(entry, services.library.path(entry))
    record = _record(services, found, entry)
    return OwnFile(
        name=path.name,
        said=format.sentences(_(STATES[found.state]), offline),
        facts=fact_rows.rows(record, facts),
        warnings=tuple(format.visible(warning) for warning in facts.adapter.remarks),
        words=tuple(map(format.visible, entry.trigger_words)),
        size=entry.size,
        entry=entry,
        on_hub=found.ref if found.ref is not None and found.ref.hub != LOCAL else None,
        is_kept=found.state == "held",
    )


def _record(services: Services, found: IdentifiedFile, entry: Entry) -> Record:
    if found.record is not None:
        return found.record
    ref = entry.ref
    return record_of(services.lookup.connector(ref.hub).get(ref) if ref.hub == LOCAL else services.lookup.get(ref), ref)


def keep(services: Services, file: OwnFile) -> OwnFile:
    """The file in the library, under the name that its template gives."""
    assert file.entry is not None
    ref = file.entry.ref
    names = FileNameTemplate.parse(services.settings.names or DEFAULT)
    source = ""
    record = services.lookup.find_record(ref) or record_of(services.lookup.connector(ref.hub).get(ref), ref)
    if ref.hub != LOCAL:
        # Without the hub, the library fetches it by its ref all the same.
        with suppress(HubUiError):
            source = source_of(services.lookup.connector(ref.hub).locate(ref))
    entry = services.own_files.keep(ref, target(record, ref, file.name, names=names), source)
    return replace(file, entry=entry, said=_("It is in your library, as {file}.").format(file=entry.file), is_kept=True)
