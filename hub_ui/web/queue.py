"""Gradio's queue: how it rests, who asks in it, and its context for work of ours outside of it.

The named endpoints run in the queue. A generation of the page is a job in a thread of its own: it outlives its
request, which the queue's events do not, and the engine has its own order. All that ZeroGPU needs of Gradio then is
the visitor's request: `spaces` takes the X-IP-Token, by which quotas are counted, from
`gradio.context.LocalContext.request`, and the server's port from `LocalContext.blocks`. Gradio sets both in its
endpoints, and nobody in a route of ours. So a handler starts its job within `use_request`, and the job's thread, which
copies the context, has them until it ends:

    with use_request(request):
        id = jobs.start(...)
"""

import asyncio
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import gradio as gr
from gradio import queueing, utils
from gradio.context import LocalContext
from starlette.requests import Request

from hub_ui.hosting.visitor import Visitors, use_visitor
from hub_ui.i18n import use_language
from hub_ui.locales import read_language
from hub_ui.logs import REQUEST_ID_HEADER, use_request_id
from hub_ui.web.visitors import read_address, read_visitor

# A queued event costs memory.
MOST_WAITING = 2000
# Seconds between two looks for events: while somebody asks, for a while after that, and when nobody does.
ASKED_SECONDS, IN_USE_SECONDS, IDLE_SECONDS = 30.0, 0.002, 0.5
# After each event, Gradio would sum up the last 10,000 for its monitoring page, which is closed here.
_MONITORING = {"GRADIO_ANALYTICS_MAX_EVENTS": "1", "GRADIO_ANALYTICS_CACHE_FREQUENCY": str(2**62)}


@contextmanager
def use_request(request: Request) -> Iterator[None]:
    """What is called within, and threads that copy its context, work for who sent this request."""
    # A server that was never launched has none.
    blocks = LocalContext.blocks.set(getattr(request.app, "blocks", None))
    asks = LocalContext.request.set(gr.Request(request))
    try:
        yield
    finally:
        LocalContext.request.reset(asks)
        LocalContext.blocks.reset(blocks)


@contextmanager
def use_caller(visitors: Visitors | None) -> Iterator[None]:
    """In an endpoint: the language, the visitor and the number of its request."""
    request = LocalContext.request.get(None)
    headers = request.headers if request else {}
    visitor = None
    if visitors is not None:
        peer = request.client.host if request and request.client else ""
        address = read_address(headers, peer, trusts_proxy=visitors.trusts_proxy)
        visitor = visitors.find(read_visitor(headers), address, peer)
    number = headers.get(REQUEST_ID_HEADER) or ""
    with use_language(read_language(headers)), use_visitor(visitor), use_request_id(number):
        yield


def caller_session() -> str:
    """In an endpoint: the session that reads its answer."""
    request = LocalContext.request.get(None)
    return str((request and request.session_hash) or "")


class RestingQueue(queueing.Queue):
    """Gradio's own looks for events a thousand times a second, which takes a tenth of a core of an idle page."""

    def __init__(self, *args: Any, **named: Any) -> None:
        self._asked = -ASKED_SECONDS
        self._is_used = asyncio.Event()
        super().__init__(*args, **{**named, "max_size": MOST_WAITING})
        # For gr.Progress, which no endpoint uses.
        self.progress_update_sleep_when_free = 60.0

    @property
    def sleep_when_free(self) -> float:
        return IN_USE_SECONDS if time.monotonic() - self._asked < ASKED_SECONDS else IDLE_SECONDS

    @sleep_when_free.setter
    def sleep_when_free(self, seconds: float) -> None:
        """Gradio sets it once."""

    async def start_processing(self) -> None:
        """Once somebody asks: the pages use no endpoint."""
        await self._is_used.wait()
        await super().start_processing()

    async def push(self, *args: Any, **named: Any) -> Any:
        self._asked = time.monotonic()
        self._is_used.set()
        return await super().push(*args, **named)


@contextmanager
def gradio_settings() -> Iterator[Path]:
    """Gradio without analytics and monitoring, with a queue that rests, and a folder for the files that it serves."""
    with tempfile.TemporaryDirectory(prefix="hub-ui-", ignore_cleanup_errors=True) as name, ExitStack() as closing:
        folder = Path(name).resolve()
        for variable, value in {
            "GRADIO_ANALYTICS_ENABLED": "False",
            "GRADIO_TEMP_DIR": str(folder),
            **_MONITORING,
        }.items():
            closing.callback(_restore, variable, os.environ.get(variable))
            os.environ[variable] = value
        # It makes an event loop for each of its locks, which need none, and closes none of them.
        closing.enter_context(patch.multiple(queueing, Queue=RestingQueue, safe_get_lock=asyncio.Lock))
        closing.enter_context(patch.multiple(utils, safe_get_lock=asyncio.Lock, safe_get_stop_event=asyncio.Event))
        yield folder


def _restore(variable: str, value: str | None) -> None:
    os.environ.pop(variable, None)
    if value is not None:
        os.environ[variable] = value
