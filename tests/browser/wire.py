"""A proxy on loopback in front of a page, for one person: it keeps every byte of the answers, streams included."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator, MutableSequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx2
import uvicorn
from starlette.types import Receive, Scope, Send

# Of one connection only, or computed anew.
_OWN = (b"connection", b"keep-alive", b"transfer-encoding", b"accept-encoding")
SECONDS = 30.0


@dataclass(kw_only=True, eq=False)
class Answer:
    """`body` grows while a stream is open."""

    request: str
    status: int
    headers: bytes
    body: bytearray = field(default_factory=bytearray)


@dataclass(frozen=True, kw_only=True, eq=False)
class Wire:
    """An ASGI application. Answers come without compression, so that they can be read."""

    upstream: str
    answers: MutableSequence[Answer] = field(default_factory=list)
    # A connection each: one that is kept may end, for having been idle, while the next request is sent on it.
    _client: httpx2.AsyncClient = field(
        default_factory=lambda: httpx2.AsyncClient(
            timeout=None, trust_env=False, limits=httpx2.Limits(max_keepalive_connections=0)
        )
    )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            # Gradio (6.31) speaks in event streams. What is not looked at must not be there.
            raise NotImplementedError(f"{scope['type']}: this proxy knows HTTP alone")
        target = scope["raw_path"].decode() + ("?" + scope["query_string"].decode() if scope["query_string"] else "")
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        headers = [each for each in scope["headers"] if each[0] not in _OWN] + [(b"accept-encoding", b"identity")]
        request = self._client.build_request(scope["method"], self.upstream + target, headers=headers, content=body)
        forward = asyncio.create_task(self._forward(f"{scope['method']} {target}", request, send))
        gone = asyncio.ensure_future(receive())
        await asyncio.wait({forward, gone}, return_when=asyncio.FIRST_COMPLETED)
        for task in (forward, gone):
            task.cancel()
        await asyncio.gather(forward, gone, return_exceptions=True)

    async def close(self) -> None:
        await self._client.aclose()

    async def _forward(self, name: str, request: httpx2.Request, send: Send) -> None:
        response = await self._client.send(request, stream=True)
        try:
            raw = [(key.lower(), value) for key, value in response.headers.raw if key.lower() not in _OWN]
            lines = b"\n".join(key + b": " + value for key, value in raw)
            answer = Answer(request=name, status=response.status_code, headers=lines)
            self.answers.append(answer)
            await send({"type": "http.response.start", "status": response.status_code, "headers": raw})
            async for chunk in response.aiter_raw():
                answer.body.extend(chunk)
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        finally:
            await response.aclose()


@contextmanager
def recorded(upstream: str) -> Iterator[tuple[str, Wire]]:
    """The address for this person, and what they are told there."""
    wire = Wire(upstream=upstream.rstrip("/"))
    config = uvicorn.Config(
        wire, log_level="critical", access_log=False, lifespan="off", timeout_graceful_shutdown=1, server_header=False,
        date_header=False,
    )  # fmt: skip
    with socket.create_server(("127.0.0.1", 0)) as bound:
        server = uvicorn.Server(config)

        async def serve() -> None:
            await server.serve(sockets=[bound])
            await wire.close()

        thread = threading.Thread(target=lambda: asyncio.run(serve()), name="wire", daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{bound.getsockname()[1]}/", wire
        finally:
            server.should_exit = True
            thread.join(SECONDS)
