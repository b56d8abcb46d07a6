"""A server that remembers who connects and what it is sent."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from socketserver import BaseRequestHandler, TCPServer

import httpx2

from connectors.errors import HubUiError
from connectors.http.errors import FAILURES
from tests.connectors.serving import serving

# What a request raises that leads nowhere, whichever client makes it.
REFUSED = (*FAILURES, httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, HubUiError)
_MARK = b"that is all"


@dataclass(kw_only=True)
class Canary:
    """`reached` are the own addresses that were connected to, `heard` what was sent there."""

    port: int
    addresses: list[str] = field(default_factory=list)
    reached: list[str] = field(default_factory=list)
    heard: list[tuple[str, bytes]] = field(default_factory=list)

    def clear(self) -> None:
        self.reached.clear()
        self.heard.clear()

    def settle(self) -> None:
        """Returns once all that was sent until now has been noted: connections are taken in turn."""
        for address in self.addresses:
            with socket.create_connection((address, self.port), timeout=30) as connection:
                connection.sendall(_MARK)
                connection.recv(1)


@contextmanager
def running_canary() -> Iterator[Canary]:
    """On 127.0.0.1, and on the same port of ::1 where there is IPv6."""
    found = Canary(port=0)

    class Handler(BaseRequestHandler):
        def handle(self) -> None:
            here, data = str(self.request.getsockname()[0]), b""
            self.request.settimeout(20)
            with suppress(OSError):
                data = self.request.recv(65_536)
            if data != _MARK:
                found.reached.append(here)
            if data not in (b"", _MARK):
                found.heard.append((here, data))
            with suppress(OSError):
                self.request.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret")

    class Server6(TCPServer):
        address_family = socket.AF_INET6

    with ExitStack() as stack:
        found.port = stack.enter_context(serving(TCPServer(("127.0.0.1", 0), Handler)))
        found.addresses.append("127.0.0.1")
        with suppress(OSError):
            stack.enter_context(serving(Server6(("::1", found.port), Handler)))
            found.addresses.append("::1")
        yield found
