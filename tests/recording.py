"""Everything that origins of the local hubs were asked, and how much they sent: put in front of them by `around`."""

import threading
from dataclasses import dataclass, field

from starlette.types import ASGIApp, Message, Receive, Scope, Send


@dataclass(kw_only=True, eq=False)
class Request:
    """`sent` counts bytes of the answer's body that went out, `ended` whether no more will."""

    origin: str
    method: str
    path: str
    query: str
    headers: list[tuple[str, str]]
    body: bytes = b""
    status: int = 0
    sent: int = 0
    ended: bool = False

    @property
    def target(self) -> str:
        return f"{self.path}?{self.query}" if self.query else self.path

    @property
    def text(self) -> str:
        """The whole request as it came, for a search in it."""
        lines = [f"{self.method} {self.target}", *(f"{name}: {value}" for name, value in self.headers)]
        return "\n".join(lines) + "\n\n" + self.body.decode("latin-1")


@dataclass
class Recorder:
    """`running_hubs(data, around=recorder.around)`. Requests stand in the order in which they came."""

    _requests: list[Request] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def requests(self) -> tuple[Request, ...]:
        with self._lock:
            return tuple(self._requests)

    def forget(self) -> None:
        with self._lock:
            self._requests.clear()

    def around(self, origin: str, app: ASGIApp) -> ASGIApp:
        async def recorded(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            request = _request(origin, scope)
            with self._lock:
                self._requests.append(request)
            try:
                await app(scope, _listening(request, receive), _counting(request, send))
            finally:
                request.ended = True

        return recorded


def _request(origin: str, scope: Scope) -> Request:
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
    path, query = scope["raw_path"].decode("latin-1"), scope["query_string"].decode("latin-1")
    return Request(origin=origin, method=scope["method"], path=path, query=query, headers=headers)


def _listening(request: Request, receive: Receive) -> Receive:
    async def received() -> Message:
        message = await receive()
        request.body += message.get("body", b"")
        return message

    return received


def _counting(request: Request, send: Send) -> Send:
    async def counted(message: Message) -> None:
        if message["type"] == "http.response.start":
            request.status = message["status"]
        await send(message)
        request.sent += len(message.get("body", b""))

    return counted
