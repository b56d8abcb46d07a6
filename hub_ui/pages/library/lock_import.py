"""Taking over another library's lock file: pasted or uploaded, looked through, then fetched by the queue."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from connectors.errors import UsageError
from hub_ui.library import lockfile
from hub_ui.library.lock_diff import Merged, merge
from hub_ui.library.lockfile import Entry
from hub_ui.pages.events import QUIET, told
from hub_ui.pages.library.downloads import Downloads
from hub_ui.services import Services
from hub_ui.widgets import format, library_list
from hub_ui.widgets.library_list import Line, Tone
from hub_ui.widgets.render import Renderer
from hub_ui.widgets.widget import act_data, widget

MOST_BYTES = 5_000_000
STATES: dict[str, tuple[str, Tone]] = {
    "new": ("will be downloaded", ""),
    "here": ("here already", "good"),
    "differs": ("here with other bytes; yours is kept", "problem"),
}


@dataclass(frozen=True, kw_only=True)
class LockImport:
    """`wanted` holds the entries that were looked through and wait for a yes."""

    box: gr.Column
    text: gr.Textbox
    file: gr.UploadButton
    look: gr.Button
    plan: gr.HTML
    wanted: gr.State


def build() -> LockImport:
    with gr.Column(elem_id="import", visible=False) as box:
        text = gr.Textbox(
            label="Text of a loras.lock", lines=6, max_lines=12, placeholder="Paste it here, or choose the file"
        )
        with gr.Row():
            look = gr.Button("See what it would bring", elem_id="look", min_width=160, scale=0)
            file = gr.UploadButton(
                "Choose a file", file_types=[".lock", ".toml", ".txt"], type="binary", min_width=120, scale=0
            )
        plan = widget(elem_id="plan")
    return LockImport(box=box, text=text, file=file, look=look, plan=plan, wanted=gr.State(()))


def connect(page: LockImport, downloads: Downloads, services: Services, render: Renderer) -> Any:
    """Returns the event after which the library may hold more."""

    def on_look(text: str) -> Any:
        with told():
            wanted = read(services, text)
            return plan_html(render, wanted), new(wanted)

    def on_act(wanted: Sequence[Entry], asked: int, event: gr.EventData) -> Any:
        with told():
            taking = act_data(event).get("act") == "take"
            count = take(services, wanted) if taking else 0
            return gr.update(visible=False), "", "", (), asked + 1 if count else gr.skip()

    planned = [page.plan, page.wanted]
    page.look.click(on_look, [page.text], planned, **QUIET)
    uploaded = page.file.upload(decoded, [page.file], [page.text], **QUIET)
    uploaded.then(on_look, [page.text], planned, **QUIET)
    return page.plan.act(
        on_act,
        [page.wanted, downloads.asked],
        [page.box, page.plan, page.text, page.wanted, downloads.asked],
        **QUIET,
    )


def decoded(data: bytes | None) -> str:
    return (data or b"")[:MOST_BYTES].decode(errors="replace")


def read(services: Services, text: str) -> tuple[Merged, ...]:
    if not (text or "").strip():
        raise UsageError("There is no lock file yet. Paste its text, or choose the file.")
    if len(text) > MOST_BYTES:
        raise UsageError("This is too long for a lock file. On the command line: hub-ui sync --lock FILE")
    return merge(services.library.entries(), lockfile.loads(text, "The lock file"))


def new(wanted: Sequence[Merged]) -> tuple[Entry, ...]:
    return tuple(found.entry for found in wanted if found.state == "new")


def plan_html(render: Renderer, wanted: Sequence[Merged]) -> str:
    counts = Counter(found.state for found in wanted)
    size = format.size(sum(entry.size for entry in new(wanted)))
    parts = [f"{counts['new']:,} new, {size}" if counts["new"] else "Nothing new"]
    parts += [f"{counts[state]:,} {STATES[state][0]}" for state in ("here", "differs") if counts[state]]
    return library_list.import_html(render, [_line(found) for found in wanted], "; ".join(parts) + ".", counts["new"])


def _line(found: Merged) -> Line:
    said, tone = STATES[found.state]
    entry = found.entry
    title = format.visible(entry.title) or entry.file
    return Line(title=title, ref=str(entry.ref), size=format.size(entry.size), state=said, tone=tone)


def take(services: Services, wanted: Sequence[Entry]) -> int:
    """Pins them here, byte for byte, and has the queue fetch them."""
    adopted = services.library.adopt(wanted)
    for entry in adopted:
        services.queue.add(entry.ref, entry.title)
    return len(adopted)
