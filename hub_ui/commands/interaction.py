"""Interaction with the user: confirmations of payments and large downloads, progress, and Ctrl-C."""

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from connectors.errors import UsageError
from hub_ui.format import size
from hub_ui.generate.request import Step
from hub_ui.library.download.progress import Progress
from hub_ui.terminal import Terminal

ProgressCallback = Callable[[Progress | Step], None]

_LARGEST_COUNT = 10_000


def can_answer(terminal: Terminal) -> bool:
    """False with --json too, because then a program reads the output."""
    return not terminal.json and sys.stdin is not None and sys.stdin.isatty()


def confirm(question: str, terminal: Terminal) -> bool:
    terminal.clear_progress()
    print(f"{question} [y/N] ", end="", file=terminal.err, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def confirm_payment(what: str, terminal: Terminal, *, yes: bool) -> None:
    """Raises UsageError unless the user agrees or has passed --yes."""
    if yes:
        return
    if not can_answer(terminal):
        raise UsageError(f"{what} costs money. Add --yes to start it without being asked.")
    if not confirm("Start it?", terminal):
        raise UsageError("Not started. Nothing was sent, and nothing is paid.")


def progress_callback(terminal: Terminal) -> ProgressCallback:
    def on_progress(now: Progress | Step) -> None:
        terminal.progress(describe_progress(now), now.done / now.total if now.total else None)

    return on_progress


def describe_progress(now: Progress | Step) -> str:
    if isinstance(now, Progress):
        total = f" of {size(now.total, precise=True)}" if now.total else ""
        return f"Downloading: {size(now.done, precise=True)}{total}"
    if not now.total:
        return f"{now.stage}…"
    # Bytes, shown in larger units.
    if now.total > _LARGEST_COUNT:
        return f"{now.stage}: {now.done * 100 // now.total} %"
    return f"{now.stage}: {now.done} of {now.total}"


@contextmanager
def watch_ctrl_c() -> Iterator[Callable[[], bool]]:
    """Yields `is_cancelled` for threads, which Ctrl-C does not reach. The main thread is interrupted as usual."""
    pressed = threading.Event()

    def interrupt(signum: int, frame: FrameType | None) -> None:
        pressed.set()
        raise KeyboardInterrupt

    before = signal.getsignal(signal.SIGINT)
    # If the program ignores SIGINT or has its own handler, keep that.
    if before is not signal.default_int_handler or threading.current_thread() is not threading.main_thread():
        yield pressed.is_set
        return
    signal.signal(signal.SIGINT, interrupt)
    try:
        yield pressed.is_set
    finally:
        signal.signal(signal.SIGINT, before)
