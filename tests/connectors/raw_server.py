"""A server on loopback that sends what a test writes, byte for byte, and counts what was taken."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field


@dataclass(kw_only=True)
class RawServer:
    url: str
    sent: int = 0
    ended: threading.Event = field(default_factory=threading.Event)


@contextmanager
def raw_server(pieces: Callable[[], Iterator[bytes]]) -> Iterator[RawServer]:
    """Every connection gets the request's head read, then `pieces` until they end or nobody takes them."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = RawServer(url=f"http://127.0.0.1:{listening.getsockname()[1]}")
        threads: list[threading.Thread] = []

        def serve(connection: socket.socket) -> None:
            with connection, suppress(OSError):
                connection.recv(65_536)
                for piece in pieces():
                    if server.ended.is_set():
                        return
                    connection.sendall(piece)
                    server.sent += len(piece)

        def accept() -> None:
            with suppress(OSError):
                while True:
                    thread = threading.Thread(target=serve, args=(listening.accept()[0],), daemon=True)
                    thread.start()
                    threads.append(thread)

        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        try:
            yield server
        finally:
            server.ended.set()
            # A listening socket that is only closed goes on waiting in accept.
            with suppress(OSError):
                listening.shutdown(socket.SHUT_RDWR)
            accepting.join(30)
            for thread in threads:
                thread.join(30)
