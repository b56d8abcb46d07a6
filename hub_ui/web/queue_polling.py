"""How often Gradio's event queue looks for events: a thousand times a second by itself, which costs 5 % of a core."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from gradio.queueing import Queue
from starlette.types import ASGIApp, Receive, Scope, Send

# Seconds between two looks. Gradio's own number (6.31) is the one for while people are there.
IN_USE_SECONDS = 0.001
IDLE_SECONDS = 0.2


@dataclass
class QueuePolling:
    """ASGI middleware: the queue looks often for `in_use` seconds after each request, and seldom else."""

    app: ASGIApp
    queue: Queue
    in_use: float = 30.0
    _timer: asyncio.TimerHandle | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self._rest()
        # For gr.Progress, which no page uses.
        self.queue.progress_update_sleep_when_free = 1.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            if self._timer is not None:
                self._timer.cancel()
            self.queue.sleep_when_free = IN_USE_SECONDS
            self._timer = asyncio.get_running_loop().call_later(self.in_use, self._rest)
        await self.app(scope, receive, send)

    def _rest(self) -> None:
        self.queue.sleep_when_free = IDLE_SECONDS
