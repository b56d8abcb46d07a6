"""The downloads drawer: a button in the header, the list behind it, and a line in the panel of what stands open.

The page asks for news only while something is under way, and only for what changed is anything sent back.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import gradio as gr

from connectors.errors import NotFound, UsageError
from connectors.ref import Ref
from hub_ui.library.queue import Queue, Task
from hub_ui.pages.events import QUIET, told
from hub_ui.pages.view import View
from hub_ui.services import Services
from hub_ui.widgets import drawer
from hub_ui.widgets.render import Renderer
from hub_ui.widgets.widget import act_data, widget

SECONDS = 1.0
# While everything waits for its time.
CALM_SECONDS = 5.0
ACTS = ("pause", "resume", "retry", "cancel")
# Open or closed is the browser's own business: nothing is asked for it but the news, when it opens.
OPEN_AND_CLOSE = """
const drawer = () => document.querySelector('#drawer');
const isOpen = () => drawer() !== null && drawer().hasAttribute('data-open');
const show = (open) => {
  drawer().toggleAttribute('data-open', open);
  const next = document.querySelector(open ? '#drawer [data-drawer]' : '#downloads [data-drawer]');
  if (next) { next.focus(); }
  if (open) { trigger('act', {act: 'look'}); }
};
document.addEventListener('click', (event) => {
  if (event.target.closest('[data-drawer]')) { show(!isOpen()); }
});
document.addEventListener('keydown', (event) => {
  if (event.key === 'Escape' && isOpen()) { show(false); }
});
"""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What a page shows. `ended` are the ids of downloads that are done or failed; None before the first look."""

    button: str = ""
    drawer: str = ""
    line: str = ""
    period: float = 0.0
    ended: frozenset[int] | None = None


@dataclass(frozen=True, kw_only=True)
class Downloads:
    """`asked` is to be changed by whoever adds a download, `arrived` changes when one has ended: both only count."""

    button: gr.HTML
    drawer: gr.HTML
    timer: gr.Timer
    asked: gr.State = field(default_factory=lambda: gr.State(0))
    arrived: gr.State = field(default_factory=lambda: gr.State(0))


def build_button() -> gr.HTML:
    return widget(elem_id="downloads", script=OPEN_AND_CLOSE)


def build(button: gr.HTML) -> Downloads:
    return Downloads(button=button, drawer=widget(elem_id="drawer"), timer=gr.Timer(SECONDS, active=False))


def connect(
    app: gr.Blocks, page: Downloads, services: Services, render: Renderer, *, view: gr.State, line: gr.HTML
) -> None:
    """On a hosted page nothing shows: what others fetch is not a stranger's business."""
    if not services.policy.allows("pull"):
        return
    seen = gr.State(Seen())

    def on_look(now: View | None, before: Seen, count: int) -> Any:
        with told():
            return look(services, render, now or View(), before, count)

    def on_act(now: View, before: Seen, count: int, event: gr.EventData) -> Any:
        with told():
            act(services.queue, act_data(event))
            return look(services, render, now, before, count)

    wanted = [view, seen, page.arrived]
    shown = [page.button, page.drawer, line, page.timer, seen, page.arrived]
    # One after the other: of two that overtake each other, the older would be what stays on the page.
    in_turn: dict[str, Any] = {"concurrency_id": "downloads", "concurrency_limit": 1, **QUIET}
    app.load(on_look, wanted, shown, **in_turn)
    page.timer.tick(on_look, wanted, shown, **in_turn)
    for changed in (view.change, page.asked.change):
        changed(on_look, wanted, shown, trigger_mode="multiple", **in_turn)
    for clickable in (page.button, page.drawer, line):
        clickable.act(on_act, wanted, shown, trigger_mode="multiple", **in_turn)


def act(queue: Queue, clicked: dict[str, Any]) -> None:
    """A button of a download, or of the whole list. What other pages do with a click is not our business."""
    name = str(clicked.get("act", ""))
    if name == "clear":
        queue.clear()
    elif name in ("pause-all", "resume-all"):
        for task in queue.tasks():
            queue.pause(task.id) if name == "pause-all" else queue.resume(task.id)
    elif name in ACTS:
        getattr(queue, name)(_id(clicked))


def _id(clicked: dict[str, Any]) -> int:
    try:
        return int(clicked.get("id", ""))
    except ValueError as error:
        raise UsageError("That is no download of this list.") from error


def look(services: Services, render: Renderer, view: View, seen: Seen, arrived: int) -> Any:
    """What changed since `seen`, and nothing else: button, drawer, line, timer, what is seen now, what arrived."""
    tasks, at = services.queue.tasks(), time.time()

    def page_of(ref: Ref) -> str:
        try:
            return services.catalog.lora(ref).url
        except NotFound:
            return ""

    now = Seen(
        button=drawer.button_html(render, tasks),
        drawer=drawer.html(render, tasks, at, page_of),
        line=drawer.line_html(render, opened(tasks, view), at, page_of),
        period=period(tasks),
        ended=frozenset(task.id for task in tasks if task.state in ("done", "failed")),
    )
    new = now.ended - seen.ended if now.ended is not None and seen.ended is not None else ()
    return (
        now.button if now.button != seen.button else gr.skip(),
        now.drawer if now.drawer != seen.drawer else gr.skip(),
        now.line if now.line != seen.line else gr.skip(),
        ticking(now.period) if now.period != seen.period else gr.skip(),
        now if now != seen else gr.skip(),
        arrived + 1 if new else gr.skip(),
    )


def period(tasks: Sequence[Task]) -> float:
    """Seconds between two looks; 0 while there is nothing to look at."""
    if any(task.state == "running" or (task.state == "waiting" and task.not_before is None) for task in tasks):
        return SECONDS
    return CALM_SECONDS if any(task.state == "waiting" for task in tasks) else 0.0


def ticking(seconds: float) -> Any:
    return gr.Timer(seconds or SECONDS, active=bool(seconds))


def opened(tasks: Sequence[Task], view: View) -> Task | None:
    """The download of what stands open, if there is one; the latest, if there are several."""
    if not view.open:
        return None
    ref = Ref.parse(view.open)
    return next((task for task in reversed(tasks) if same(task.ref, ref)), None)


def same(one: Ref, other: Ref) -> bool:
    """Whether both may be one file: what only one of them names does not tell them apart."""
    versions, files = {one.version, other.version} - {None}, {one.file, other.file} - {None}
    return one.lora == other.lora and len(versions) < 2 and len(files) < 2
