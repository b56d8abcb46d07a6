from __future__ import annotations

import asyncio

import gradio as gr
from starlette.types import Message, Receive, Scope, Send

from hub_ui.web.queue_polling import QueuePolling


async def nothing(scope: Scope, receive: Receive, send: Send) -> None:
    """An app that answers nothing."""


async def receive() -> Message:
    return {"type": "http.disconnect"}


async def send(message: Message) -> None:
    raise AssertionError(message)


def test_the_queue_looks_often_only_while_somebody_asks() -> None:
    queue = gr.Blocks().queue()._queue
    polling = QueuePolling(nothing, queue=queue, in_use=0.05)
    idle = queue.sleep_when_free

    async def ask_and_wait() -> float:
        await polling({"type": "http"}, receive, send)
        asked: float = queue.sleep_when_free
        while queue.sleep_when_free == asked:
            await asyncio.sleep(0.01)
        return asked

    assert (idle, asyncio.run(ask_and_wait()), queue.sleep_when_free) == (0.2, 0.001, 0.2)


def test_what_is_no_request_wakes_nobody() -> None:
    queue = gr.Blocks().queue()._queue
    asyncio.run(QueuePolling(nothing, queue=queue)({"type": "lifespan"}, receive, send))
    assert queue.sleep_when_free == 0.2
