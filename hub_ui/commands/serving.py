"""What `demo`, `hubs` and `serve` share: an address to listen on, and the wait for the signal to stop."""

from __future__ import annotations

import errno
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from connectors.errors import HubUiError, UsageError

_LAST_PORT = 65_535


@contextmanager
def stop_signals() -> Iterator[threading.Event]:
    """The event is set by Ctrl-C and by SIGTERM. Both mean that all went well."""
    stop = threading.Event()

    def set_stop(signum: int, frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, set_stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def wait(stop: threading.Event) -> None:
    """In short steps: on Windows a lock is not interrupted by Ctrl-C."""
    while not stop.wait(0.2):
        pass


def check_port(host: str, port: int | None) -> None:
    """Raises HubUiError if nothing can listen there. Without a port a free one is taken, and nothing is checked.

    Gradio's message would name a variable and a function that nobody here has to know.
    """
    if not port:
        return
    if port > _LAST_PORT:
        raise UsageError(f"There is no port {port}: {_LAST_PORT} is the last one. Choose another with --port.")
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise HubUiError(
                f"Port {port} is in use by another program. Choose another one with --port, or leave --port out to "
                "take the first free one."
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM):
            raise HubUiError(f"Port {port} may not be used by you. Choose one above 1023 with --port.") from error
        raise UsageError(f"This computer can't listen on {host}, port {port}: {error.strerror or error}.") from error
