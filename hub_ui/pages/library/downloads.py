"""The downloads drawer, its button, and a line in the detail panel. The page polls only during downloads."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from connectors.errors import NotFound, UsageError
from connectors.ref import Ref
from hub_ui.i18n import _
from hub_ui.library.queue import Queue, Task
from hub_ui.pages.events import QUIET, errors_as_messages
from hub_ui.web.view import View
from hub_ui.services import Services
from hub_ui.widgets import drawer
from hub_ui.widgets.render import Renderer, act_data, widget

SECONDS = 1.0
# While all downloads wait to start.
CALM_SECONDS = 5.0
ACTS = ("pause", "resume", "retry", "cancel")


@dataclass(frozen=True, kw_only=True)
class DrawerContent:
    """What a page shows. `ended` are the ids of finished or failed downloads; None before the first poll."""

    button: str = ""
    drawer: str = ""
    line: str = ""
    period: float = 0.0
    ended: frozenset[int] | None = None


class Downloads:
    """`requested` is incremented for each added download, `arrived` for each that has ended."""

    def __init__(self, button: gr.HTML) -> None:
        self.button = button
        self.drawer = widget(elem_id="drawer")
        self.timer = gr.Timer(SECONDS, active=False)
        self.requested, self.arrived = gr.State(0), gr.State(0)


def connect(
    app: gr.Blocks, page: Downloads, services: Services, render: Renderer, *, view: gr.State, line: gr.HTML
) -> None:
    """A hosted page shows nothing, because visitors must not see each other's downloads."""
    if not services.policy.allows("pull"):
        return
    seen = gr.State(DrawerContent())

    def on_look(now: View | None, before: DrawerContent, count: int) -> Any:
        with errors_as_messages():
            return refresh(services, render, now or View(), before, count)

    def on_act(now: View, before: DrawerContent, count: int, event: gr.EventData) -> Any:
        with errors_as_messages():
            apply_click(services.queue, act_data(event))
            return refresh(services, render, now, before, count)

    inputs = [view, seen, page.arrived]
    outputs = [page.button, page.drawer, line, page.timer, seen, page.arrived]
    # One after the other, so that an older update can't replace a newer one.
    in_turn: dict[str, Any] = {"concurrency_id": "downloads", "concurrency_limit": 1, **QUIET}
    app.load(on_look, inputs, outputs, **in_turn)
    page.timer.tick(on_look, inputs, outputs, **in_turn)
    for changed in (view.change, page.requested.change):
        changed(on_look, inputs, outputs, trigger_mode="multiple", **in_turn)
    for clickable in (page.button, page.drawer, line):
        clickable.act(on_act, inputs, outputs, trigger_mode="multiple", **in_turn)


def apply_click(queue: Queue, clicked: dict[str, Any]) -> None:
    """Handles a button of one download or of the whole list. Clicks of other pages are ignored."""
    name = str(clicked.get("act", ""))
    if name == "clear":
        queue.clear()
    elif name in ("pause-all", "resume-all"):
        for task in queue.tasks():
            queue.pause(task.id) if name == "pause-all" else queue.resume(task.id)
    elif name in ACTS:
        try:
            id_ = int(clicked.get("id", ""))
        except ValueError as error:
            raise UsageError(_("That is no download of this list.")) from error
        getattr(queue, name)(id_)


def refresh(services: Services, render: Renderer, view: View, seen: DrawerContent, arrived: int) -> Any:
    """Button, drawer, line, timer, the new `seen`, and `arrived`.

    An update may be lost on its way to the page, so each has all of it, and polling ends when one changed nothing.
    """
    tasks, at = services.queue.tasks(), time.time()

    def page_of(ref: Ref) -> str:
        try:
            return services.catalog.lora(ref).url
        except NotFound:
            return ""

    now = DrawerContent(
        button=drawer.button_html(render, tasks),
        drawer=drawer.html(render, tasks, at, page_of),
        line=drawer.line_html(render, find_open_task(tasks, view), at, page_of),
        ended=frozenset(task.id for task in tasks if task.state in ("done", "failed")),
    )
    has_changed = now != replace(seen, period=0.0)
    now = replace(now, period=poll_seconds(tasks) or (SECONDS if seen.period and has_changed else 0.0))
    has_arrived = now.ended is not None and seen.ended is not None and bool(now.ended - seen.ended)
    timer = gr.Timer(now.period or SECONDS, active=bool(now.period))
    return (
        now.button,
        now.drawer,
        now.line,
        gr.skip() if now.period and now.period == seen.period else timer,
        now,
        arrived + 1 if has_arrived else gr.skip(),
    )


def poll_seconds(tasks: Sequence[Task]) -> float:
    """Seconds between two polls; 0 stops polling."""
    if any(task.state == "running" or (task.state == "waiting" and task.not_before is None) for task in tasks):
        return SECONDS
    return CALM_SECONDS if any(task.state == "waiting" for task in tasks) else 0.0


def find_open_task(tasks: Sequence[Task], view: View) -> Task | None:
    """The latest download of the open LoRA, if there is one."""
    if not view.open:
        return None
    ref = Ref.parse(view.open)
    return next((task for task in reversed(tasks) if may_be_same_file(task.ref, ref)), None)


def may_be_same_file(one: Ref, other: Ref) -> bool:
    """Versions and files that only one of them names are ignored."""
    versions, files = {one.version, other.version} - {None}, {one.file, other.file} - {None}
    return one.lora == other.lora and len(versions) < 2 and len(files) < 2
