"""Serving until someone stops it, and work that someone stops."""

from __future__ import annotations

import errno
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from connectors.errors import HubUiError, UsageError

_LAST_PORT = 65_535


@contextmanager
def until_stopped() -> Iterator[threading.Event]:
    """The event is set by Ctrl-C and by SIGTERM, which both mean: that was all, and all went well."""
    stop = threading.Event()

    def stopped(signum: int, frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, stopped) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def ctrl_c() -> Iterator[Callable[[], bool]]:
    """Whether Ctrl-C was pressed, for threads, which it does not reach; the main one is interrupted as ever.

    Without it, a download in threads would go on to its end before the program may end.
    """
    pressed = threading.Event()

    def interrupted(signum: int, frame: FrameType | None) -> None:
        pressed.set()
        raise KeyboardInterrupt

    before = signal.getsignal(signal.SIGINT)
    # Who ignores it, or has plans of their own, keeps to that.
    if before is not signal.default_int_handler or threading.current_thread() is not threading.main_thread():
        yield pressed.is_set
        return
    signal.signal(signal.SIGINT, interrupted)
    try:
        yield pressed.is_set
    finally:
        signal.signal(signal.SIGINT, before)


def check_port(host: str, port: int | None) -> None:
    """Raises what is wrong with the address to listen on. Without a port, a free one is taken, and nothing is checked.

    Gradio would say it in its own words, which name a variable and a function that nobody here has to know.
    """
    if not port:
        return
    if port > _LAST_PORT:
        raise UsageError(f"There is no port {port}: {_LAST_PORT} is the last one. Choose another with --port.")
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        raise _no_port(host, port, error) from error


def _no_port(host: str, port: int, error: OSError) -> HubUiError:
    if error.errno == errno.EADDRINUSE:
        return HubUiError(
            f"Port {port} is in use by another program. Choose another one with --port, or leave --port out to take "
            "the first free one."
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return HubUiError(f"Port {port} may not be used by you. Choose one above 1023 with --port.")
    return UsageError(f"This computer can't listen on {host}, port {port}: {error.strerror or error}.")


def wait(stop: threading.Event) -> None:
    """In short steps: on Windows a lock is not interrupted by Ctrl-C."""
    while not stop.wait(0.2):
        pass
