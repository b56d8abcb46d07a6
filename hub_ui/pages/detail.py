"""The detail panel: one LoRA beside the list, and what can be done with it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr

from connectors.errors import HubUiError, NotFound
from connectors.ref import Ref
from hub_ui.library.progress import Progress
from hub_ui.pages.edge import QUIET, stepping, told
from hub_ui.pages.view import View
from hub_ui.services import Services
from hub_ui.widgets import detail, pair, words
from hub_ui.widgets.render import Renderer
from hub_ui.widgets.widget import act_data, widget


def build() -> tuple[gr.HTML, gr.HTML]:
    """The panel, and the place under it where a download shows its progress."""
    with gr.Column(elem_id="detail"):
        return widget(elem_id="panel"), widget(elem_id="pulling")


def connect(panel: gr.HTML, pulling: gr.HTML, services: Services, render: Renderer, *, view: gr.State) -> None:
    opened = gr.State("")

    def on_view(now: View, before: str) -> Iterator[Any]:
        yield from show(services, render, now, before)

    def on_pull(now: View, event: gr.EventData) -> Iterator[Any]:
        with told():
            yield from pull(services, render, now, act_data(event))

    view.change(on_view, [view, opened], [panel, opened], concurrency_limit=None, **QUIET)
    panel.act(on_pull, [view], [pulling, panel], concurrency_limit=4, **QUIET)


def show(services: Services, render: Renderer, view: View, before: str) -> Iterator[Any]:
    """First what is remembered, at once; then what the hub says now."""
    if view.open == before:
        yield gr.skip(), gr.skip()
        return
    if not view.open:
        yield "", ""
        return
    ref = Ref.parse(view.open)
    known = remembered_html(services, render, view, ref)
    yield known or detail.message_html(render, ref.id, "Asking the hub…"), view.open
    try:
        yield panel_html(services, render, view, ref, live=True), view.open
    except HubUiError as error:
        yield known or detail.message_html(render, ref.id, error.message), view.open


def remembered_html(services: Services, render: Renderer, view: View, ref: Ref) -> str:
    try:
        return panel_html(services, render, view, ref, live=False)
    except NotFound:
        return ""


def panel_html(services: Services, render: Renderer, view: View, ref: Ref, *, live: bool) -> str:
    lora = services.open(ref) if live else services.catalog.lora(ref.lora)
    shown = detail.detail(lora, ref, ceiling=view.query.nsfw, held=services.library.holds)
    return detail.html(render, shown)


def pull(services: Services, render: Renderer, view: View, act: dict[str, Any]) -> Iterator[Any]:
    """Downloads into the library. Other clicks of the panel are the frame's business."""
    if act.get("act") != "pull":
        yield gr.skip(), gr.skip()
        return
    ref = Ref.parse(str(act.get("ref", "")))
    steps = stepping(lambda report, cancelled: services.pull(ref, report=report, cancelled=cancelled))
    for step in steps:
        yield pair.progress_html(render, *pull_words(step)), gr.skip()
    yield "", panel_html(services, render, view, ref, live=False)


def pull_words(step: Progress) -> tuple[str, float | None]:
    """A line about a download, and how far it is."""
    total = f" of {words.size(step.total)}" if step.total else ""
    return f"Downloading: {words.size(step.done)}{total}", step.fraction
