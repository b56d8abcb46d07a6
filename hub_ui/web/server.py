"""Gradio's server and its queue, with patches for slow starts, CORS, connection limits and idle polling.

The server waits longer for its start on a slow computer, hides responses from pages of other sites, and limits clients
that send requests slowly (slowloris). The queue's polling slows down while there are no events.

The named endpoints run in the queue. A generation of the page runs in its own thread instead, because a job outlives
its request and an event of the queue does not. ZeroGPU still needs the visitor's request: `spaces` reads the
X-IP-Token, which counts quotas, from `gradio.context.LocalContext.request`, and the server's port from
`LocalContext.blocks`. Gradio sets both in its endpoints, but not in our routes. So a handler starts its job within
`use_request`, and the job's thread copies the context:

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
# The greatest age of the Date header. uvicorn's loop would wake ten times a second to update it and check for a stop.
TICK_SECONDS = 5.0
# The time that a begun response has to end after the server stops.
LAST_WORD_SECONDS = 0.5
# Generous, because browsers send a whole header at once.
HEADER_SECONDS = 20.0
LONGEST_HEADER = 65_536
# A higher limit slows down child processes that close every possible file descriptor.
MOST_FILES = 65_536
_FILES_ELSEWHERE = 512
_MOST_HALF_SENT = 1_000


class Connections:
    """Limits of the server's connections. Only the event loop may call it.

    A request's header must arrive in `header_seconds`. At most `half_sent` connections may wait for a header: a new one
    closes the oldest. At most `at_address` connections may be open per network address. `address_of` returns the
    address for a peer, or "" for no limit, if the peer serves many people, such as a proxy.
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
        """Set the limits. Connections take at most half of `files`, the process's limit of open files."""
        self.most = files // 2
        self.header_seconds = header_seconds
        self.address_of = address_of
        self._at_address = at_address
        self._half_sent = min(_MOST_HALF_SENT, files // 4) if half_sent is None else half_sent
        self._waiting: dict[BoundedProtocol, asyncio.TimerHandle] = {}
        self._open = Counter[str]()

    def add(self, address: str) -> bool:
        """Count a new connection. Return False if `address` has too many already."""
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
    """uvicorn's protocol with the limits of `connections`.

    uvicorn 0.54 limits neither the time and size of a header nor the connections of an address.
    """

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
        # The data belongs to the next request's header, or to a body after its response.
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
        """Close a streaming response after LAST_WORD_SECONDS. uvicorn would wait until the page closes it."""
        super().shutdown()
        if self.cycle is not None and self.cycle.response_started and not self.cycle.response_complete:
            self.loop.call_later(LAST_WORD_SECONDS, self.transport.close)


class PatientServer(http_server.Server):
    """Gradio's server with a longer time limit for the start, and without its CORS middleware.

    Gradio takes a port for occupied if the server has not started after five seconds. Its CORS middleware lets every
    site read the responses of a public page, with the visitor's cookies.
    """

    _wake: Callable[[], object] | None = None

    def __init__(self, config: Config, *args: Any, connections: Connections, **named: Any) -> None:
        app = config.app
        if isinstance(app, Starlette):
            unwanted: Any = CustomCORSMiddleware
            app.user_middleware = [middleware for middleware in app.user_middleware if middleware.cls is not unwanted]
        config.http = partial(BoundedProtocol, connections=connections)  # type: ignore[assignment]
        # uvicorn refuses further requests with status 503.
        config.limit_concurrency = connections.most
        # No page uses a WebSocket, and the limits don't cover that protocol.
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
        """Stop the server at once, from any thread."""
        self._should_exit = value
        if value and self._wake is not None:
            self._wake()

    def run_in_thread(self) -> None:
        """Wait up to MOST_SECONDS for the start. Raise ServerFailedToStartError if the port is occupied."""
        try:
            super().run_in_thread()  # type: ignore[no-untyped-call]
        except ServerFailedToStartError:
            until = time.monotonic() + MOST_SECONDS
            while not self.started:
                # The thread ends at once if another program uses the port.
                if not self.thread.is_alive() or time.monotonic() > until:
                    self.should_exit = True
                    raise
                time.sleep(0.01)


def patient_launch(connections: Connections) -> AbstractContextManager[object]:
    """Make Gradio use a PatientServer for launches within the block."""
    return patch.object(http_server, "Server", partial(PatientServer, connections=connections))


def raise_file_limit() -> int:
    """Raise the limit of open files to MOST_FILES, or as far as the system allows, and return it."""
    if sys.platform == "win32":
        return _FILES_ELSEWHERE
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < MOST_FILES:
        wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
        # macOS may refuse its own hard limit, so fall back to 10,240.
        for number in (wanted, 10_240):
            with suppress(ValueError, OSError):
                resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, number), hard))
                break
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return MOST_FILES if soft == resource.RLIM_INFINITY else soft


# Limited, because queued events cost memory.
MOST_WAITING = 2000
# The queue polls every IN_USE_SECONDS until ASKED_SECONDS after the last event, and every IDLE_SECONDS later.
ASKED_SECONDS, IN_USE_SECONDS, IDLE_SECONDS = 30.0, 0.002, 0.5
# After each event, Gradio would summarise the last 10,000 for its monitoring page, which is closed here.
_MONITORING = {"GRADIO_ANALYTICS_MAX_EVENTS": "1", "GRADIO_ANALYTICS_CACHE_FREQUENCY": str(2**62)}


@contextmanager
def use_request(request: Request) -> Iterator[None]:
    """Set Gradio's context for the request, for this block and for threads that copy its context."""
    # `blocks` is missing before a launch.
    blocks_token = LocalContext.blocks.set(getattr(request.app, "blocks", None))
    request_token = LocalContext.request.set(gr.Request(request))
    try:
        yield
    finally:
        LocalContext.request.reset(request_token)
        LocalContext.blocks.reset(blocks_token)


@contextmanager
def use_caller(visitors: Visitors | None) -> Iterator[None]:
    """Use the language, the visitor and the id of the current endpoint's request."""
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
    """Return the session that reads the current endpoint's result."""
    request = LocalContext.request.get(None)
    return str((request and request.session_hash) or "")


class RestingQueue(queueing.Queue):
    """A queue that polls less often while idle. Gradio's polls every millisecond, which costs a tenth of a core."""

    def __init__(self, *args: Any, **named: Any) -> None:
        self._asked = -ASKED_SECONDS
        self._is_used = asyncio.Event()
        super().__init__(*args, **{**named, "max_size": MOST_WAITING})
        # Poll rarely for gr.Progress, because no endpoint uses it.
        self.progress_update_sleep_when_free = 60.0

    @property
    def sleep_when_free(self) -> float:
        return IN_USE_SECONDS if time.monotonic() - self._asked < ASKED_SECONDS else IDLE_SECONDS

    @sleep_when_free.setter
    def sleep_when_free(self, seconds: float) -> None:
        """Ignore the value that Gradio sets in Queue.__init__."""

    async def start_processing(self) -> None:
        """Wait for the first event before polling, because the pages use no endpoint."""
        await self._is_used.wait()
        await super().start_processing()

    async def push(self, *args: Any, **named: Any) -> Any:
        self._asked = time.monotonic()
        self._is_used.set()
        return await super().push(*args, **named)


@contextmanager
def gradio_settings() -> Iterator[Path]:
    """Turn off Gradio's analytics and monitoring, install RestingQueue, and yield a folder for files to serve."""
    with tempfile.TemporaryDirectory(prefix="hub-ui-", ignore_cleanup_errors=True) as name, ExitStack() as closing:
        folder = Path(name).resolve()
        variables = {"GRADIO_ANALYTICS_ENABLED": "False", "GRADIO_TEMP_DIR": str(folder), **_MONITORING}
        closing.enter_context(patch.dict(os.environ, variables))
        # Gradio creates an event loop for each of its locks, which don't need it, and never closes the loops.
        closing.enter_context(patch.multiple(queueing, Queue=RestingQueue, safe_get_lock=asyncio.Lock))
        closing.enter_context(patch.multiple(utils, safe_get_lock=asyncio.Lock, safe_get_stop_event=asyncio.Event))
        yield folder
