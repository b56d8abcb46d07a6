"""Gradio's server and its queue, as a page needs them.

The server starts on a slow computer too, lets no other site's page read its answers, and keeps room for everybody while
some send their requests by halves. The queue rests while nobody asks.

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
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import gradio as gr
from gradio import http_server, queueing, utils
from gradio.context import LocalContext
from gradio.exceptions import ServerFailedToStartError
from gradio.route_utils import CustomCORSMiddleware
from starlette.applications import Starlette
from starlette.requests import Request
from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from hub_ui.access.visitor import Visitors, use_visitor
from hub_ui.base.i18n import use_language
from hub_ui.base.logs import REQUEST_ID_HEADER, use_request_id
from hub_ui.locales import read_language
from hub_ui.web.visitors import read_address, read_visitor

if sys.platform != "win32":
    import resource

MOST_SECONDS = 120.0
# How old the date of an answer may be. uvicorn looks ten times a second, also whether it is to stop.
TICK_SECONDS = 5.0
# What an answer that has begun gets once the server stops.
LAST_WORD_SECONDS = 0.5
# A browser sends a whole header at once.
HEADER_SECONDS = 20.0
LONGEST_HEADER = 65_536
# More would help nobody, and some programs that are started go through all of them.
MOST_FILES = 65_536
_FILES_ELSEWHERE = 512
_MOST_HALF_SENT = 1_000


class Connections:
    """What a server's connections may take. Only the server's own thread calls it.

    A header has `header_seconds` to arrive. Of connections without one yet, `half_sent` are kept, and the oldest goes
    for the newest. `at_address` are open of one network address at a time; `address_of` tells it by the peer, and is
    empty for one whose connections are those of many people, such as a proxy.
    """

    def __init__(
        self,
        *,
        files: int,
        at_address: int,
        address_of: Callable[[str], str],
        half_sent: int | None = None,
        header_seconds: float = HEADER_SECONDS,
    ) -> None:
        """At most half of `files` are connections."""
        self.most = files // 2
        self.header_seconds = header_seconds
        self.address_of = address_of
        self._at_address = at_address
        self._half_sent = min(_MOST_HALF_SENT, files // 4) if half_sent is None else half_sent
        self._waiting: dict[BoundedProtocol, asyncio.TimerHandle] = {}
        self._open = Counter[str]()

    def add(self, address: str) -> bool:
        """Whether one more may be open there."""
        if address and self._open[address] >= self._at_address:
            return False
        self._open[address] += 1
        return True

    def remove(self, address: str) -> None:
        self._open[address] -= 1
        if self._open[address] <= 0:
            del self._open[address]

    def await_header(self, protocol: "BoundedProtocol") -> None:
        if protocol in self._waiting:
            return
        if len(self._waiting) >= self._half_sent:
            next(iter(self._waiting)).give_up()
        self._waiting[protocol] = protocol.loop.call_later(self.header_seconds, protocol.give_up)

    def end_wait(self, protocol: "BoundedProtocol") -> None:
        timer = self._waiting.pop(protocol, None)
        if timer is not None:
            timer.cancel()


class BoundedProtocol(HttpToolsProtocol):
    """Of uvicorn's own limits (0.54) none is for a header that stops arriving or has no end, or for one address."""

    def __init__(self, *args: Any, connections: Connections, **named: Any) -> None:
        super().__init__(*args, **named)
        self._bounds = connections
        self._address: str | None = None
        self._header_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        address = self._bounds.address_of(self.client[0] if self.client else "")
        if self._bounds.add(address):
            self._address = address
            self._bounds.await_header(self)
        else:
            transport.abort()

    def data_received(self, data: bytes) -> None:
        before = self.cycle
        super().data_received(data)
        if self.cycle is not before:
            self._bounds.end_wait(self)
            self._header_bytes = 0
        # Of the next request, or of a body that nobody waits for any more.
        elif (before is None or before.response_complete) and not self.transport.is_closing():
            self._bounds.await_header(self)
            self._header_bytes += len(data)
            if self._header_bytes > LONGEST_HEADER:
                self.give_up()

    def connection_lost(self, exc: Exception | None) -> None:
        self._bounds.end_wait(self)
        if self._address is not None:
            self._bounds.remove(self._address)
            self._address = None
        super().connection_lost(exc)

    def give_up(self) -> None:
        self._bounds.end_wait(self)
        self.transport.abort()

    def shutdown(self) -> None:
        """A stream goes on for as long as its page is open. Its last word is on its way, and then it ends."""
        super().shutdown()
        if self.cycle is not None and self.cycle.response_started and not self.cycle.response_complete:
            self.loop.call_later(LAST_WORD_SECONDS, self.transport.close)


class PatientServer(http_server.Server):
    """Gradio takes a port for another program's if its server does not run on it after five seconds.

    It would also let every site read what a page on the internet answers, with the visitor's cookies (CORS).
    """

    _wake: Callable[[], object] | None = None

    def __init__(self, config: Config, *args: Any, connections: Connections, **named: Any) -> None:
        app = config.app
        if isinstance(app, Starlette):
            unwanted: Any = CustomCORSMiddleware
            app.user_middleware = [each for each in app.user_middleware if each.cls is not unwanted]
        config.http = partial(BoundedProtocol, connections=connections)  # type: ignore[assignment]
        # Whoever asks for more gets a 503.
        config.limit_concurrency = connections.most
        # No page has a WebSocket, which would be another protocol.
        config.ws = "none"
        super().__init__(config, *args, **named)

    async def main_loop(self) -> None:
        stopping = asyncio.Event()
        self._wake = partial(asyncio.get_running_loop().call_soon_threadsafe, stopping.set)
        while not await self.on_tick(0):
            with suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), TICK_SECONDS)
        self._wake = None

    @property
    def should_exit(self) -> bool:
        return self._should_exit

    @should_exit.setter
    def should_exit(self, value: bool) -> None:
        """Any thread may set it."""
        self._should_exit = value
        if value and self._wake is not None:
            self._wake()

    def run_in_thread(self) -> None:
        """Raises ServerFailedToStartError where the port is not free."""
        try:
            super().run_in_thread()  # type: ignore[no-untyped-call]
        except ServerFailedToStartError:
            until = time.monotonic() + MOST_SECONDS
            while not self.started:
                # The thread ends at once if the port is another program's.
                if not self.thread.is_alive() or time.monotonic() > until:
                    self.should_exit = True
                    raise
                time.sleep(0.01)


def patient_launch(connections: Connections) -> AbstractContextManager[object]:
    """What is launched within has a PatientServer."""
    return patch.object(http_server, "Server", partial(PatientServer, connections=connections))


def raise_file_limit() -> int:
    """How many files and connections this process may have open, which is made as many as it may."""
    if sys.platform == "win32":
        return _FILES_ELSEWHERE
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < MOST_FILES:
        wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
        # macOS allows less than it says.
        for number in (wanted, 10_240):
            with suppress(ValueError, OSError):
                resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, number), hard))
                break
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return MOST_FILES if soft == resource.RLIM_INFINITY else soft


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
        variables = {"GRADIO_ANALYTICS_ENABLED": "False", "GRADIO_TEMP_DIR": str(folder), **_MONITORING}
        closing.enter_context(patch.dict(os.environ, variables))
        # It makes an event loop for each of its locks, which need none, and closes none of them.
        closing.enter_context(patch.multiple(queueing, Queue=RestingQueue, safe_get_lock=asyncio.Lock))
        closing.enter_context(patch.multiple(utils, safe_get_lock=asyncio.Lock, safe_get_stop_event=asyncio.Event))
        yield folder
