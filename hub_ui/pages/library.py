"""Library: what is on disk, with its exact version and checksum."""

from __future__ import annotations

from typing import Any

import gradio as gr

from connectors.facts import base_models
from connectors.ref import Ref
from hub_ui.library.entry import Entry
from hub_ui.pages.edge import QUIET, told
from hub_ui.pages.view import View
from hub_ui.services import Services
from hub_ui.widgets import shelf, words
from hub_ui.widgets.render import Renderer
from hub_ui.widgets.widget import act_data, widget


def build() -> gr.HTML:
    return widget(elem_id="shelf")


def connect(page: gr.HTML, services: Services, render: Renderer, *, view: gr.State) -> None:
    def on_view(now: View) -> Any:
        return show(services, render) if now.page == "library" else gr.skip()

    def on_act(now: View, event: gr.EventData) -> Any:
        with told():
            return act(services, render, now, act_data(event))

    view.change(on_view, [view], [page], **QUIET)
    page.act(on_act, [view], [view, page], **QUIET)


def act(services: Services, render: Renderer, view: View, clicked: dict[str, Any]) -> Any:
    ref = Ref.parse(str(clicked.get("ref", "")))
    if clicked.get("act") == "remove" and not services.settings.hosted:
        services.library.remove(ref)
        return gr.skip(), show(services, render)
    return view.trying(str(ref)), gr.skip()


def show(services: Services, render: Renderer) -> str:
    entries = services.library.entries()
    return shelf.html(
        render,
        [item(services, entry) for entry in entries],
        folder=str(services.settings.library),
        lock=services.settings.lock.name,
        total=words.size(sum(entry.size or 0 for entry in entries)) if entries else "",
        can_remove=not services.settings.hosted,
    )


def item(services: Services, entry: Entry) -> shelf.Item:
    known = base_models.by_id(entry.base_model) if entry.base_model else None
    return shelf.Item(
        ref=str(entry.ref),
        title=words.visible(entry.title) or entry.file,
        base=known.label if known else words.visible(entry.base_model),
        size=words.size(entry.size),
        trigger_words=", ".join(words.visible(word) for word in entry.trigger_words),
        missing=not services.library.path(entry).exists(),
    )
