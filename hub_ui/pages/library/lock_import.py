"""Import another library's lock file: pasted or uploaded, shown, then downloaded by the queue."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import gradio as gr

from connectors.errors import UsageError
from hub_ui import format
from hub_ui.i18n import N_, _
from hub_ui.library import lockfile
from hub_ui.library.lockfile import Entry, MergeResult, merge
from hub_ui.pages.events import QUIET, errors_as_messages
from hub_ui.pages.library.downloads import Downloads
from hub_ui.services import Services
from hub_ui.widgets.library_list import Tone
from hub_ui.widgets.render import Renderer, act_data, widget

MOST_BYTES = 5_000_000
STATES: dict[str, tuple[str, Tone]] = {
    "new": (N_("will be downloaded"), ""),
    "here": (N_("here already"), "good"),
    "differs": (N_("here with other bytes; yours is kept"), "problem"),
}


class LockImport:
    """`wanted` holds the entries that await confirmation."""

    def __init__(self) -> None:
        with gr.Column(elem_id="import", visible=False) as self.box:
            self.text = gr.Textbox(
                label=N_("Text of a loras.lock"),
                lines=6,
                max_lines=12,
                placeholder=N_("Paste it here, or choose the file"),
            )
            with gr.Row():
                self.look = gr.Button(N_("See what it would bring"), elem_id="look", min_width=160, scale=0)
                self.file = gr.UploadButton(
                    N_("Choose a file"), file_types=[".lock", ".toml", ".txt"], type="binary", min_width=120, scale=0
                )
            self.plan = widget(elem_id="plan")
        self.wanted = gr.State(())


def connect(page: LockImport, downloads: Downloads, services: Services, render: Renderer) -> Any:
    """Returns the event after which the library may have more files."""

    def on_look(text: str) -> Any:
        with errors_as_messages():
            wanted = read_lock(services, text)
            return plan_html(render, wanted), new_entries(wanted)

    def on_act(wanted: Sequence[Entry], requested: int, event: gr.EventData) -> Any:
        with errors_as_messages():
            count = import_entries(services, wanted) if act_data(event).get("act") == "take" else 0
            return gr.update(visible=False), "", "", (), requested + 1 if count else gr.skip()

    planned = [page.plan, page.wanted]
    page.look.click(on_look, [page.text], planned, **QUIET)
    uploaded = page.file.upload(decode, [page.file], [page.text], **QUIET)
    uploaded.then(on_look, [page.text], planned, **QUIET)
    outputs = [page.box, page.plan, page.text, page.wanted, downloads.requested]
    return page.plan.act(on_act, [page.wanted, downloads.requested], outputs, **QUIET)


def decode(data: bytes | None) -> str:
    return (data or b"")[:MOST_BYTES].decode(errors="replace")


def read_lock(services: Services, text: str) -> tuple[MergeResult, ...]:
    if not (text or "").strip():
        raise UsageError(_("There is no lock file yet. Paste its text, or choose the file."))
    if len(text) > MOST_BYTES:
        raise UsageError(_("This is too long for a lock file. On the command line: hub-ui sync --lock FILE"))
    return merge(services.library.entries(), lockfile.loads(text, _("The lock file")))


def new_entries(wanted: Sequence[MergeResult]) -> tuple[Entry, ...]:
    return tuple(found.entry for found in wanted if found.state == "new")


def plan_html(render: Renderer, wanted: Sequence[MergeResult]) -> str:
    counts = Counter(found.state for found in wanted)
    size = format.size(sum(entry.size for entry in new_entries(wanted)))
    new = _("{n} new, {size}").format(n=format.number(counts["new"]), size=size)
    parts = [new if counts["new"] else _("Nothing new")]
    parts += [f"{format.number(counts[state])} {_(STATES[state][0])}" for state in ("here", "differs") if counts[state]]
    return render("lock_import", found=wanted, states=STATES, summary="; ".join(parts) + ".", count=counts["new"])


def import_entries(services: Services, wanted: Sequence[Entry]) -> int:
    """Pins the entries unchanged, and queues their downloads."""
    adopted = services.library.adopt(wanted)
    for entry in adopted:
        services.queue.add(entry.ref, entry.title)
    return len(adopted)
