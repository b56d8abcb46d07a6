"""The detail panel: one LoRA beside the list, and what can be done with it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr

from connectors.errors import HubUiError, NotFound
from connectors.record import Lora
from connectors.ref import Ref
from connectors.weights.inspect import Facts
from hub_ui.pages.events import QUIET, Turns, errors_as_messages, while_current
from hub_ui.pages.library.downloads import Downloads
from hub_ui.pages.try_page.compatibility import requirements
from hub_ui.pages.view import View
from hub_ui.services import Services
from hub_ui.widgets import detail
from hub_ui.widgets.access import Keys
from hub_ui.widgets.render import Renderer
from hub_ui.widgets.widget import act_data, script, widget

READING = "Reading the file's header…"
# There is no file to read.
GONE = ("archived", "removed", "generation-only")
UNREAD = "The file's header could not be read."


class DetailPanel:
    """`download` is the line below the panel that shows how far its download is."""

    def __init__(self, view: gr.State) -> None:
        self.view = view
        with gr.Column(elem_id="detail"):
            self.panel = widget(elem_id="panel", script=script("panel"))
            self.download = widget(elem_id="pulling")


def connect(page: DetailPanel, downloads: Downloads, services: Services, render: Renderer) -> None:
    view, opened, turns = page.view, gr.State(""), Turns()

    def on_view(now: View, before: str, request: gr.Request) -> Iterator[Any]:
        if now.open == before:
            yield gr.skip(), gr.skip()
            return
        turn = turns.take(request)
        steps = show(services, render, now)
        yield from while_current(steps, lambda: turns.is_at(request, turn), (gr.skip(), gr.skip()))

    def on_pull(requested: int, event: gr.EventData) -> Any:
        with errors_as_messages():
            return requested + 1 if pull(services, act_data(event)) else gr.skip()

    def on_arrived(now: View) -> Any:
        return (now.open and catalog_html(services, render, now, Ref.parse(now.open))) or gr.skip()

    # "multiple": what is opened next does not wait for a slow hub or file.
    opening: dict[str, Any] = {"trigger_mode": "multiple", "concurrency_limit": None, **QUIET}
    view.change(on_view, [view, opened], [page.panel, opened], **opening)
    page.panel.act(on_pull, [downloads.requested], [downloads.requested], trigger_mode="multiple", **QUIET)
    downloads.arrived.change(on_arrived, [view], [page.panel], **QUIET)


def show(services: Services, render: Renderer, view: View) -> Iterator[Any]:
    """First what the catalog knows, at once; then what the hub says now; then what the file itself says."""
    if not view.open:
        yield "", ""
        return
    ref = Ref.parse(view.open)
    known = catalog_html(services, render, view, ref)
    yield known or detail.message_html(render, ref.id, "Asking the hub…"), view.open
    try:
        lora = services.open(ref)
    except HubUiError as error:
        hint = " Check the address, or search for its name." if isinstance(error, NotFound) else ""
        yield known or detail.message_html(render, ref.id or view.open, error.message + hint), view.open
        return
    for html in panel_html(services, render, view, lora, ref):
        yield html, view.open


def panel_html(services: Services, render: Renderer, view: View, lora: Lora, ref: Ref) -> Iterator[str]:
    """The panel, and once more when its file's header has been read for it."""
    _, file = detail.version_and_file(lora, ref)
    if file is None or file.format == "pickle" or lora.access in GONE or services.facts_known(file) is not None:
        yield lora_html(services, render, view, lora, ref)
        return
    yield lora_html(services, render, view, lora, ref, state=READING)
    try:
        facts = services.inspect(file.ref)
    except HubUiError as error:
        yield lora_html(services, render, view, lora, ref, state=f"{UNREAD} {error.message}")
    else:
        yield lora_html(services, render, view, lora, ref, facts=facts)


def catalog_html(services: Services, render: Renderer, view: View, ref: Ref) -> str:
    try:
        return lora_html(services, render, view, services.catalog.lora(ref.lora), ref)
    except NotFound:
        return ""


def lora_html(
    services: Services,
    render: Renderer,
    view: View,
    lora: Lora,
    ref: Ref,
    *,
    facts: Facts | None = None,
    state: str = "",
) -> str:
    """`facts` are those just read; without them, those read before."""
    _, file = detail.version_and_file(lora, ref)
    facts = facts or (services.facts_known(file) if file else None)
    shown = detail.detail(
        lora,
        ref,
        ceiling=view.query.nsfw,
        in_library=services.library.holds,
        facts=facts,
        state=state,
        can_pull=services.policy.allows("pull"),
        keys=keys(services),
        needs=lambda record: requirements(services, record),
    )
    return detail.html(render, shown)


def keys(services: Services) -> Keys:
    if not services.policy.allows("use keys"):
        return Keys(place="shared")
    settings = services.settings
    return Keys(hubs=frozenset(settings.tokens), place="demo" if settings.demo else "own")


def pull(services: Services, act: dict[str, Any]) -> bool:
    """Queues the download; returns whether the click asked for it."""
    if act.get("act") != "pull":
        return False
    services.policy.check("pull")
    services.enqueue(Ref.parse(str(act.get("ref", ""))))
    return True
