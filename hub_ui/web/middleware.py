"""The middleware of a page, in the order in which a request meets it."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import gradio as gr
from starlette.middleware import Middleware

from hub_ui.policy import WebLimits
from hub_ui.web import gradio_queue
from hub_ui.web.gradio_queue import QueuePolling
from hub_ui.web.hosts import HostCheck, Hosts
from hub_ui.web.requests import RequestCheck, Rules, Waiting


class Running(Protocol):
    """The generations that are not done yet. `concurrency_id` is that of the events that start them."""

    concurrency_id: str

    def running(self, page: str | None = None) -> int:
        """How many of one page, by its session; without one, of all pages."""


def middleware(
    app: gr.Blocks, *, hosts: Hosts | None, limits: WebLimits, folder: Path, generations: Running
) -> list[Middleware]:
    """`hosts` None: the page answers to every name. `folder` is where Gradio keeps what is uploaded."""
    app.state_session_capacity = gradio_queue.MOST

    def waiting(session: str) -> Waiting:
        # Gradio (6.31) has no public name for the requests that have no answer yet.
        events = app._queue.pending_event_ids_session.get(session, ())
        return Waiting(queued=generations.running(), own_queued=generations.running(session), events=len(events))

    def generates(number: int) -> bool:
        event = app.fns.get(number)
        return event is not None and event.concurrency_id == generations.concurrency_id

    rules = Rules(
        limits=limits,
        folder=folder,
        uploaded=lambda path: path in app.upload_file_set,
        waiting=waiting,
        generates=generates,
        forget_sessions=gradio_queue.Sessions(lambda: app.state_holder).sweep,
    )
    checks = [Middleware(RequestCheck, rules=rules), Middleware(QueuePolling, queue=app._queue)]
    return checks if hosts is None else [Middleware(HostCheck, hosts=hosts), *checks]
