"""Serving until someone stops it, and work that someone stops."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


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


def wait(stop: threading.Event) -> None:
    """In short steps: on Windows a lock is not interrupted by Ctrl-C."""
    while not stop.wait(0.2):
        pass
