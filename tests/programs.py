"""Programs that tests and tools start: what they print first, and the ports that they take."""

import random
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import psutil


@contextmanager
def started(*command: str, **options: Any) -> Iterator[tuple[str, psutil.Popen]]:
    """The first line that a program prints, and the program, which is told to end where the block does."""
    with psutil.Popen(command, stdout=subprocess.PIPE, text=True, **options) as process:
        try:
            yield process.stdout.readline(), process
        finally:
            with suppress(psutil.NoSuchProcess):
                process.terminate()


def free_run_of_ports() -> int:
    """The first of four. Below those that systems hand out (from 32768, or 49152), which other programs take at any
    moment.
    """
    for port in random.sample(range(20_000, 32_000, 4), 100):
        with ExitStack() as stack, suppress(OSError):
            for number in range(port, port + 4):
                stack.enter_context(socket.socket()).bind(("127.0.0.1", number))
            return port
    raise AssertionError("no four free ports stand side by side")
