"""A computer of a cluster: Ray's own processes on it, the connection to them, and the application that they run."""

import logging
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from connectors.errors import HubUiError, UsageError
from hub_ui.base.i18n import _
from hub_ui.generate.backends.cluster.replica import APP, ReplicaOptions, application

LOOPBACK = "127.0.0.1"
_SECONDS_TO_START = 300.0
_SECONDS_TO_STOP = 60.0
_SECONDS_BETWEEN_TRIES = 0.5
_SECONDS_TO_ANSWER = 5.0
# Steps and images pass through it; files are read in pieces.
_STORE_BYTES = 200_000_000
_NAMESPACE = "hub-ui"
_ANY_METHOD = "/ray.rpc.NodeInfoGcsService/GetClusterId"
# What Ray says, and ends, when its own processes take more than 30 seconds to start.
_SLOW = "timed out during startup"
# Whoever talks to Ray's processes shows the token. Nobody is told that Ray is used here, Serve logs to its files, a
# lost connection starts no new cluster, and signals are this program's.
_ALWAYS = {
    "RAY_AUTH_MODE": "token",
    "RAY_USAGE_STATS_ENABLED": "0", "RAY_SERVE_LOG_TO_STDERR": "0", "RAY_ENABLE_AUTO_CONNECT": "0",
    "RAY_DISABLE_FAILURE_SIGNAL_HANDLER": "1",
    # Ray's metrics ask for no token. With ports that don't exist, nothing listens for them.
    "RAY_enable_metrics_collection": "0", "AUTOSCALER_METRIC_PORT": "-1", "DASHBOARD_METRIC_PORT": "-1",
    # Ray ends the whole process, the page, when its cluster is away for a minute. This is a day.
    "RAY_gcs_rpc_server_reconnect_timeout_s": "86400",
}  # fmt: skip
# Ray listens on the loopback address alone only where it takes this computer for one that it makes no clusters of, and
# its replicas listen everywhere even so.
_ALONE = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
# A worker that stops would wait for half a minute, though its requests start again elsewhere at once.
_UNLESS_SET = {"RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": "0"}


@dataclass(frozen=True, kw_only=True)
class NodeOptions:
    """`address` is that of the cluster to join; None starts one, whose first node this is, on `port`.

    `host` is the address at which other computers reach this one. `cpus` and `gpus` are what replicas may take of it;
    None is all that it has.
    """

    address: str | None = None
    host: str | None = None
    port: int = 6379
    cpus: int | None = None
    gpus: int | None = None

    @property
    def cluster(self) -> str:
        """The address of the cluster's first node."""
        return self.address or f"{self.host or LOOPBACK}:{self.port}"

    def command(self) -> list[str]:
        place = [f"--address={self.address}"] if self.address else ["--head", f"--port={self.port}"]
        if not self.address:
            clients = 10_001 if self.port != 10_001 else 10_002
            place += ["--include-dashboard=false", "--dashboard-port=0", f"--ray-client-server-port={clients}"]
        if self.host:
            place.append(f"--node-ip-address={self.host}")
        counts = (("--num-cpus", self.cpus), ("--num-gpus", self.gpus))
        limits = [f"{name}={count}" for name, count in counts if count is not None]
        # Its entry point as a module: the `ray` of another environment may come first in PATH.
        return [
            sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--disable-usage-stats",
            # Free ports. Ray's usual range for its processes might have `port` in it.
            "--min-worker-port=0", "--max-worker-port=0", "--dashboard-agent-listen-port=0",
            f"--object-store-memory={_STORE_BYTES}", *place, *limits,
        ]  # fmt: skip


@contextmanager
def running_node(options: NodeOptions) -> Iterator[subprocess.Popen[bytes]]:
    """Ray's processes on this computer, connected to, until the block ends. Yields the one that ends when any does."""
    address = options.cluster
    if options.address:
        check_cluster(address)
    else:
        find_token(address, make=True)
    with tempfile.TemporaryFile() as log, ExitStack() as processes:
        until = time.monotonic() + _SECONDS_TO_START
        process = processes.enter_context(_ray_start(options, address, log))
        while not (joined := _join(address)) and time.monotonic() < until:
            if process.poll() is not None:
                if _SLOW not in _last_line(log):
                    break
                process = processes.enter_context(_ray_start(options, address, log))
            time.sleep(_SECONDS_BETWEEN_TRIES)
        if not joined:
            raise HubUiError(
                f"Ray could not start for the cluster at {address}: {_last_line(log)[-300:]}. Check the address, and "
                "that both computers have the same versions of Python and Ray."
            )
        with _connection():
            yield process


@contextmanager
def _ray_start(options: NodeOptions, address: str, log: IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        options.command(), env=_environment(options.host or _host_of(address)), stdout=log, stderr=log
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(_SECONDS_TO_STOP)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _last_line(log: IO[bytes]) -> str:
    log.seek(0)
    lines = log.read().decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else ""


def find_token(address: str, *, make: bool) -> str:
    """The cluster's token, where Ray looks for it; `make` makes one where there is none.

    Raises UsageError where there is no token, or Ray is told to ask for none: its replicas listen on every address,
    also in a cluster on 127.0.0.1, and run what they are sent.
    """
    if (mode := os.environ.get("RAY_AUTH_MODE") or "token").lower() != "token":
        raise UsageError(
            f"With RAY_AUTH_MODE={mode[:40]}, anybody in the network could run programs on this computer. Unset it: "
            "workers ask for a token."
        )
    if token := os.environ.get("RAY_AUTH_TOKEN"):
        return token
    path = Path(os.environ.get("RAY_AUTH_TOKEN_PATH") or _usual_token())
    if make:
        _make_token(path)
    try:
        token = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        token = ""
    if not token:
        raise _no_token(address)
    return token


def _usual_token() -> Path:
    """Where Ray looks for it."""
    return Path.home() / ".ray" / "auth_token"


def _make_token(path: Path) -> None:
    """For its owner alone to read; Ray's own command writes it for everybody."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists() or not path.stat().st_size:
            path.unlink(missing_ok=True)
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
                file.write(secrets.token_hex(32))
        if path == _usual_token():
            path.chmod(0o600)
    except OSError as error:
        raise UsageError(
            f"The workers' token can't be kept in {path}: {error.strerror or error}. Name another file with "
            "RAY_AUTH_TOKEN_PATH."
        ) from error


def check_cluster(address: str) -> None:
    """Raises HubUiError where no cluster is, or one with another token than this computer's. Ray would go on asking."""
    import grpc

    check_address(address)
    token = find_token(address, make=False)
    with grpc.insecure_channel(address) as channel:
        ask: Any = channel.unary_unary(_ANY_METHOD)
        try:
            ask(b"", timeout=_SECONDS_TO_ANSWER, metadata=(("authorization", f"Bearer {token}"),))
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.UNAUTHENTICATED:
                raise _no_token(address) from error


def _no_token(address: str) -> UsageError:
    return UsageError(
        _("The cluster at {address} asks for its token. Copy {file} from the first worker to this computer.").format(
            address=address, file="~/.ray/auth_token"
        )
    )


@contextmanager
def connect_page(address: str) -> Iterator[None]:
    """A connection to the cluster. A computer that is not in it yet becomes a node that takes no work."""
    check_cluster(address)
    if _join(address):
        with _connection():
            yield
    else:
        with running_node(NodeOptions(address=address, cpus=0, gpus=0)):
            yield


def check_address(address: str) -> None:
    """Raises HubUiError where no cluster is, or not any more."""
    if not _answers(address):
        raise HubUiError(
            _("Nothing answers at {address}. Start a worker there (hub-ui worker), or name another address.").format(
                address=address
            )
        )


def deploy(options: ReplicaOptions) -> bool:
    """Starts the application, unless the cluster has it. Returns whether it was started, once a replica is ready."""
    import ray
    from ray import serve

    # Pages call replicas by Ray's own means. Nothing listens for web requests.
    serve.start(proxy_location="Disabled")
    if APP in serve.status().applications:
        return False
    resources: Any = ray.cluster_resources  # untyped
    has_gpus = resources().get("GPU", 0) > 0
    serve.run(application(options, has_gpus=has_gpus), name=APP, route_prefix=None)
    return True


def find_application(address: str) -> Any:
    """Its handle."""
    from ray import serve
    from ray.serve.exceptions import RayServeException

    try:
        # `options` makes the handle's router now. Requests at the same time would make one each, and `shutdown` would
        # end only the last.
        return serve.get_app_handle(APP).options()
    except RayServeException as error:
        raise HubUiError(
            _("The cluster at {address} has no workers. Start one: hub-ui worker --address {address}").format(
                address=address
            )
        ) from error


def node_id() -> str:
    """Ray's name of this computer."""
    import ray

    return str(ray.get_runtime_context().get_node_id())


def _environment(host: str) -> dict[str, str]:
    return {**_UNLESS_SET, **os.environ, **_ALWAYS, **(_ALONE if host == LOOPBACK else {})}


def _answers(address: str) -> bool:
    try:
        socket.create_connection((_host_of(address), int(address.rpartition(":")[2])), _SECONDS_TO_ANSWER).close()
    except (OSError, OverflowError):
        return False
    return True


def _host_of(address: str) -> str:
    return address.partition(":")[0]


def _join(address: str) -> bool:
    """Whether this process could connect to the cluster through Ray's processes on this computer."""
    # Where nothing answers, Ray waits for a minute.
    if not _answers(address):
        return False
    # Ray reads these when it is imported.
    os.environ.update(_environment(_host_of(address)))
    import ray
    from ray import serve

    for name in (ray.__name__, serve.__name__):
        logging.getLogger(name).setLevel(logging.ERROR)
    handler = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(
            address=address,
            namespace=_NAMESPACE,
            log_to_driver=False,
            configure_logging=False,
            logging_level=logging.ERROR,
        )
    except (ConnectionError, RuntimeError, ValueError):
        return False
    finally:
        # Ray sets one of its own, from the main thread.
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler)
    return True


@contextmanager
def _connection() -> Iterator[None]:
    import ray

    try:
        yield
    finally:
        ray.shutdown()
