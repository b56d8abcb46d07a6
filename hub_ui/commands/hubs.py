"""The command hub-ui hubs, which serves the local hubs, and shared code of `demo`, `hubs`, `serve` and `worker`."""

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
        for offset in range(_PORTS if self.port else 0):
            check_port("127.0.0.1", self.port + offset)
        with stop_signals() as stop, running_hubs(folder, port=self.port) as endpoints:
            # Flush this line, because the calling program reads the URLs from it.
            print(json.dumps(endpoints.as_env()), file=terminal.out, flush=True)
            wait(stop)
        return 0


def hub_data(folder: Path | None) -> Path:
    """Return `folder`, or by default the samples. Raise UsageError if `folder` does not exist."""
    if folder is not None and not folder.is_dir():
        raise UsageError(f"--data {folder}: no such folder")
    return folder or SAMPLES


def check_extra(module: str, needs: str, extra: str) -> None:
    """Raise UsageError if the package of an extra is not installed.

    Without its MCP extra, for example, Gradio would start without an MCP server.
    """
    if importlib.util.find_spec(module) is None:
        raise UsageError(f"{needs}. Install it in hub-ui's folder: .venv/bin/pip install '.[{extra}]'")


class Stop(threading.Event):
    """An event that is set to stop the program. If `hurry` is set too, don't wait for running jobs."""

    def __init__(self) -> None:
        super().__init__()
        self.hurry = threading.Event()


@contextmanager
def stop_signals() -> Iterator[Stop]:
    """Yield a Stop that Ctrl-C and SIGTERM set. Ctrl-C, or a second signal, also sets `hurry`."""
    stop = Stop()

    def set_stop(signum: int, frame: FrameType | None) -> None:
        if signum == signal.SIGINT or stop.is_set():
            stop.hurry.set()
        stop.set()

    previous = {number: signal.signal(number, set_stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def wait(stop: threading.Event) -> None:
    """Wait until `stop` is set, in short steps, because on Windows Ctrl-C does not interrupt a lock."""
    while not stop.wait(0.2):
        pass


def check_port(host: str, port: int | None) -> None:
    """Raise HubUiError if the port is not available, because Gradio's own message names its internals."""
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
