"""LoRA files that are to be tried but not here yet: the queue brings them, and the Try page waits for its own."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

import gradio as gr

from connectors.errors import HubUiError, UsageError
from connectors.ref import Ref
from hub_ui.library.queue import Queue, Task
from hub_ui.pages.fitting import base_for
from hub_ui.pages.form import known
from hub_ui.pages.view import View
from hub_ui.services import Services
from hub_ui.widgets import drawer, progress
from hub_ui.widgets.render import Renderer

LOOK_SECONDS = 0.4
WAITING = "Waiting for its turn…"
# A hub that asks for more than this is not waited for with the page.
PATIENCE_SECONDS = 30.0


def fetch(
    services: Services, render: Renderer, view: View, *, ordered: bool, asked: int, base: str = "", here: bool = True
) -> Iterator[Any]:
    """Waits until what is to be tried is in the library; the queue brings it, whether this page stays open or not.

    What runs on Replicate (`here` is False) needs no file. The last step says that the page waits for its turn to draw.
    """
    yield tuple(gr.skip() for _ in range(4))
    refs = [Ref.parse(s.ref) for s in view.stack] if ordered and here else []
    check_bases(services, refs, base)
    missing = [ref for ref in refs if services.held(ref) is None]
    if missing:
        yield from _fetched(services, render, missing, asked)
    if ordered and view.stack:
        yield progress.html(render, WAITING, None), gr.update(visible=True), (), gr.skip()


def _fetched(services: Services, render: Renderer, missing: Sequence[Ref], asked: int) -> Iterator[Any]:
    under_way = {task.id for task in services.queue.tasks() if not task.rests}
    tasks = [services.enqueue(ref) for ref in missing]
    own = tuple(task.id for task in tasks if task.id not in under_way)
    yield progress.html(render, "Asking the hub…", None), gr.update(visible=True), own, asked + 1
    try:
        for task in tasks:
            for line, fraction in followed(services.queue, task):
                yield progress.html(render, line, fraction), gr.skip(), gr.skip(), gr.skip()
    except HubUiError:
        yield "", gr.update(visible=False), (), gr.skip()
        raise


def followed(queue: Queue, task: Task) -> Iterator[tuple[str, float | None]]:
    """How far a download is, until it is done. Raises what keeps it from being done soon."""
    while (now := queue.wait(task.id, timeout=LOOK_SECONDS)).state != "done":
        at = time.time()
        if now.state == "paused":
            raise UsageError("The download is paused. Resume it under Downloads, then press the button again.")
        if now.state == "failed" and now.error is not None:
            raise HubUiError(now.error.message, hub=now.ref.hub)
        if now.not_before is not None and now.not_before - at > PATIENCE_SECONDS:
            said = now.error.message if now.error else "The hub asks us to wait."
            raise HubUiError(f"{said} The download goes on by itself: {drawer.line(now, at).lower()}.")
        yield f"Downloading: {drawer.line(now, at)}", now.fraction


def check_bases(services: Services, refs: Sequence[Ref], asked: str = "") -> None:
    """Before anything is downloaded for nothing."""
    for record in filter(None, (known(services, ref) for ref in refs)):
        base_for(services, record, asked or None)


def stopped(services: Services, render: Renderer, own: Sequence[int]) -> tuple[str, Any, bool, tuple[int, ...]]:
    """The downloads of this page are paused, with what has come of them; those of others go on."""
    for id_ in own:
        services.queue.pause(id_)
    said = "Stopped. What has come of the download is kept." if own else "Stopped. Nothing was changed."
    return render("said", text=said), gr.update(visible=False), False, ()
