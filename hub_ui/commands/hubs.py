"""hub-ui hubs: the local hubs for other programs, and the code that `demo`, `hubs`, `serve` and `worker` share."""

import errno
import importlib.util
import json
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Annotated

from connectors.errors import HubUiError, UsageError
from hub_ui import commands
from hub_ui.commands import option
from hub_ui.commands.terminal import Terminal
from hub_ui.demo.hubs.folder import SAMPLES
from hub_ui.demo.hubs.server import running_hubs

DataFolder = Annotated[Path | None, option("DIR", "Recorded hub answers to serve in place of the samples.")]
# Hugging Face, CivitAI, Replicate and the delivery use consecutive ports.
_PORTS = 4
_LAST_PORT = 65_535


@dataclass(frozen=True, kw_only=True)
class Hubs:
    port: Annotated[int, option("P", "The first of four ports. Default: free ones.", commands.port)] = 0
    data: DataFolder = None

    def run(self, terminal: Terminal) -> int:
        folder = hub_data(self.data)
        for place in range(_PORTS if self.port else 0):
            check_port("127.0.0.1", self.port + place)
        with stop_signals() as stop, running_hubs(folder, port=self.port) as endpoints:
            # One line, flushed: the calling program reads the URLs from it.
            print(json.dumps(endpoints.as_env()), file=terminal.out, flush=True)
            wait(stop)
        return 0


def hub_data(folder: Path | None) -> Path:
    """Defaults to the samples. Raises UsageError if `folder` does not exist."""
    if folder is not None and not folder.is_dir():
        raise UsageError(f"--data {folder}: no such folder")
    return folder or SAMPLES


def check_extra(module: str, needs: str, extra: str) -> None:
    """Raises UsageError where an extra is missing. Without Gradio's for MCP, it would start and serve none."""
    if importlib.util.find_spec(module) is None:
        raise UsageError(f"{needs}. Install it in hub-ui's folder: .venv/bin/pip install '.[{extra}]'")


class Stop(threading.Event):
    """Set by the signal to stop. `hurry` is set where nobody wants to wait for what runs."""

    def __init__(self) -> None:
        super().__init__()
        self.hurry = threading.Event()


@contextmanager
def stop_signals() -> Iterator[Stop]:
    """Ctrl-C and SIGTERM set it, and both are a normal exit. Ctrl-C, and the second of any, are in a hurry."""
    stop = Stop()

    def set_stop(signum: int, frame: FrameType | None) -> None:
        if signum == signal.SIGINT or stop.is_set():
            stop.hurry.set()
        stop.set()

    before = {number: signal.signal(number, set_stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def wait(stop: threading.Event) -> None:
    """In short steps, because on Windows Ctrl-C does not interrupt a lock."""
    while not stop.wait(0.2):
        pass


def check_port(host: str, port: int | None) -> None:
    """Raises HubUiError if the port is not available; Gradio's own message names its internals."""
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
