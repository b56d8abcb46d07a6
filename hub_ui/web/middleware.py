"""The middleware of a page, in the order in which a request meets it."""

from __future__ import annotations

from pathlib import Path

import gradio as gr
from starlette.middleware import Middleware

from hub_ui.policy import WebLimits
from hub_ui.web.hosts import HostCheck, Hosts
from hub_ui.web.requests import RequestCheck, Rules, Waiting

GENERATIONS = "gpu"


def middleware(app: gr.Blocks, *, hosts: Hosts | None, limits: WebLimits, folder: Path) -> list[Middleware]:
    """`hosts` None: the page answers to every name. `folder` is where Gradio keeps what is uploaded."""
    rules = Rules(
        limits=limits,
        folder=folder,
        uploaded=lambda path: path in app.upload_file_set,
        waiting=lambda session: waiting(app, session),
        generates=lambda number: generates(app, number),
    )
    checks = [Middleware(RequestCheck, rules=rules)]
    return checks if hosts is None else [Middleware(HostCheck, hosts=hosts), *checks]


def waiting(app: gr.Blocks, session: str) -> Waiting:
    """Gradio (6.31) has no public name for what waits."""
    queue = app._queue
    generations = queue.event_queue_per_concurrency_id.get(GENERATIONS)
    sessions = [event.session_hash for event in list(generations.queue)] if generations else []
    return Waiting(
        queued=len(sessions),
        own_queued=sessions.count(session),
        events=len(queue.pending_event_ids_session.get(session, ())),
    )


def generates(app: gr.Blocks, number: int) -> bool:
    event = app.fns.get(number)
    return event is not None and event.concurrency_id == GENERATIONS
