"""A server that remembers who connects and what it is sent."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field

import httpx2

from connectors.errors import HubUiError
from connectors.http.errors import FAILURES

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
    found, listening = Canary(port=0), list[socket.socket]()

    def talk(connection: socket.socket) -> None:
        here, data = str(connection.getsockname()[0]), b""
        connection.settimeout(20)
        with connection:
            with suppress(OSError):
                data = connection.recv(65_536)
            if data != _MARK:
                found.reached.append(here)
            if data not in (b"", _MARK):
                found.heard.append((here, data))
            with suppress(OSError):
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret")

    def accept(server: socket.socket) -> None:
        with suppress(OSError):
            while True:
                talk(server.accept()[0])

    for address in ("127.0.0.1", "::1"):
        with suppress(OSError) if listening else nullcontext():
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            listening.append(socket.create_server((address, found.port), family=family))
            found.port = listening[0].getsockname()[1]
            found.addresses.append(address)
    for server in listening:
        threading.Thread(target=accept, args=(server,), daemon=True).start()
    try:
        yield found
    finally:
        for server in listening:
            with suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
            server.close()
