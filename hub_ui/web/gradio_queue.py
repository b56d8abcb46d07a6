"""Sessions of pages that were left: Gradio (6.31) keeps them, some 0.4 MB each, until there are ten thousand."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from gradio.queueing import Queue
from gradio.state_holder import StateHolder
from starlette.types import ASGIApp, Receive, Scope, Send

# Of all pages, open ones among them: those that were used longest ago go first.
MOST = 1000
# A computer that slept finds its page as it was.
KEPT = timedelta(hours=1)
_BETWEEN = timedelta(minutes=1)


class Sessions:
    """Any thread may call `sweep`, as often as it likes."""

    def __init__(self, holder: Callable[[], StateHolder], clock: Callable[[], datetime] = datetime.now) -> None:
        """`holder` gives Gradio's own, which is there once the page is served."""
        self._holder = holder
        self._clock = clock
        self._swept = clock()
        self._lock = threading.Lock()

    def sweep(self) -> None:
        """Forgets the pages that were left, once a minute at most."""
        with self._lock:
            now = self._clock()
            if now - self._swept < _BETWEEN:
                return
            self._swept = now
        holder = self._holder()
        for session, state in list(holder.session_data.items()):
            if state.is_closed and now - holder.time_last_used.get(session, now) > KEPT:
                holder.delete_state(session)
                holder.session_data.pop(session, None)
                holder.time_last_used.pop(session, None)


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
