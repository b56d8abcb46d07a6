"""Programs that tests and tools start: what they print first, and the ports that they take."""

import os
import random
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parents[1]


def python(*words: str, cwd: Path = ROOT, check: bool = True, **variables: str) -> subprocess.CompletedProcess[str]:
    """What this Python says when it is run to its end with the sources of this tree, and these variables besides."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    command = [sys.executable, *words]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=check)


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
