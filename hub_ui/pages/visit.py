"""The Library page where each visitor has one of their own, for the time of the visit (see hosting/)."""

from typing import Any

import gradio as gr

from connectors.ref import Ref
from hub_ui import format
from hub_ui.hosting.downloads import LOCK_PATH, VisitorDownloads
from hub_ui.hosting.session_library import SessionEntry
from hub_ui.pages.events import QUIET, Listeners, errors_as_messages
from hub_ui.web.view import View
from hub_ui.widgets.render import Renderer, act_data, widget
from hub_ui.widgets.visit import VisitItem, base_label, visit_html


class VisitPage:
    def __init__(self, view: gr.State) -> None:
        self.view = view
        self.list = widget(elem_id="visit")


def connect(page: VisitPage, downloads: VisitorDownloads, render: Renderer, listeners: Listeners) -> None:
    def on_view(now: View) -> Any:
        return list_html(downloads, render) if now.page == "library" else gr.skip()

    def on_click(event: gr.EventData) -> Any:
        with errors_as_messages():
            act = act_data(event)
            if act.get("act") != "drop":
                return gr.skip()
            downloads.sessions.remove(Ref.parse(str(act.get("ref", ""))))
            return list_html(downloads, render)

    listeners.add(on_view, [page.view], [page.list])
    page.list.act(on_click, None, [page.list], trigger_mode="multiple", concurrency_limit=1, **QUIET)


def list_html(downloads: VisitorDownloads, render: Renderer) -> str:
    return visit_html(render, [visit_item(downloads, item) for item in downloads.sessions.entries()], LOCK_PATH)


def visit_item(downloads: VisitorDownloads, item: SessionEntry) -> VisitItem:
    entry = item.entry
    link = downloads.link(entry.ref, is_open=item.right == "anyone")
    return VisitItem(
        ref=entry.ref,
        title=format.title(entry.title) or entry.ref.id,
        base=base_label(entry.base_model, entry.architecture),
        words=entry.trigger_words,
        size=entry.size,
        license=format.visible(entry.license),
        link=link,
        is_outside=link.startswith("http"),
        is_shared=item.is_shared,
    )
