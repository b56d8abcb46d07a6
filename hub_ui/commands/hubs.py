"""hub-ui hubs and worker: the local hubs for other programs, and a replica that generates for pages elsewhere.

`demo` and `serve` share their signals and ports.
"""

import errno
import importlib.util
import json
import re
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from connectors.errors import HubUiError, UsageError
from hub_ui.cluster.node import NodeOptions, deploy, running_node
from hub_ui.cluster.replica import ReplicaOptions
from hub_ui.commands import options
from hub_ui.commands.options import option
from hub_ui.demo.hubs.folder import SAMPLES
from hub_ui.demo.hubs.server import running_hubs
from hub_ui.settings import check_workers
from hub_ui.terminal import Terminal

DataFolder = Annotated[Path | None, option("DIR", "Recorded hub answers to serve in place of the samples.")]
# Hugging Face, CivitAI, Replicate and the delivery use consecutive ports.
_PORTS = 4
_LAST_PORT = 65_535


@dataclass(frozen=True, kw_only=True)
class Hubs:
    port: Annotated[int, option("P", "The first of four ports. Default: free ones.", options.port)] = 0
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


_REPLICAS = re.compile(r"(\d{1,4})(?:-(\d{1,4}))?")
_count = options.whole_number(1, 1024)


def replica_range(text: str) -> str:
    match = _REPLICAS.fullmatch(text.strip())
    if match is None or not 1 <= int(match[1]) <= int(match[2] or match[1]):
        raise typer.BadParameter(f"{text[:40]!r} is no number of replicas, such as 2 or 1-8")
    return text.strip()


@dataclass(frozen=True, kw_only=True)
class Worker:
    address: Annotated[
        str | None,
        option("HOST:PORT", "The cluster to join. Default: start one here.", check_workers),
    ] = None
    host: Annotated[
        str | None, option("H", "The address at which the others reach this computer. Default: 127.0.0.1.")
    ] = None
    port: Annotated[int, option("P", "The port of a cluster that is started here.", options.port)] = 6379
    replicas: Annotated[
        str,
        option("N or N-M", "How many replicas the whole cluster has, or the fewest and the most.", replica_range),
    ] = "1-8"
    cpus: Annotated[int, option("N", "The CPUs that each replica takes.", _count)] = 1

    def run(self, terminal: Terminal) -> int:
        check_ray()
        host = self.host or (None if self.address else "127.0.0.1")
        if self.address is None:
            check_port(host or "", self.port)
        fewest, _dash, most = self.replicas.partition("-")
        chosen = ReplicaOptions(fewest=int(fewest), most=int(most or fewest), cpus=self.cpus)
        node = NodeOptions(address=self.address, host=host, port=self.port)
        with stop_signals() as stop, running_node(node) as cluster:
            started = deploy(chosen)
            terminal.line(f"hub-ui worker: cluster {cluster}  (Ctrl-C stops it)")
            if not started:
                terminal.note("The cluster had its replicas already, so --replicas and --cpus changed nothing.")
            terminal.line(f"The page: hub-ui serve --workers {cluster}")
            terminal.out.flush()
            wait(stop)
        return 0


def check_ray() -> None:
    """Raises UsageError where the extra is missing."""
    if importlib.util.find_spec("ray") is None:
        raise UsageError("Workers need Ray. Install it in hub-ui's folder: .venv/bin/pip install '.[cluster]'")
