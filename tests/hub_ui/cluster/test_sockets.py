"""Nobody without the token runs anything: each socket that a worker and its processes listen on is asked."""

from __future__ import annotations

import http.client
import os
import pickle
import socket
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, TypeAlias

import grpc
import psutil
import pytest

from tests.benchmarks.bench_cluster import LORAS, running_cluster

pytestmark = pytest.mark.skipif(not LORAS, reason="the demo's weights are not trained yet")
# Serve unpickles the first field of what it is sent.
RUNS = "ray.serve.ASGIService/HandleRequest"
# One of each kind of process that Ray has.
METHODS = (
    RUNS,
    "ray.rpc.CoreWorkerService/PushTask",
    "ray.rpc.NodeManagerService/RequestWorkerLease",
    "ray.rpc.ObjectManagerService/Push",
    "ray.rpc.InternalKVGcsService/InternalKVPut",
    "ray.rpc.RayletDriver/Schedule",
    "ray.rpc.ReporterService/GetTraceback",
)

Socket: TypeAlias = tuple[str, int]


class Program:
    """Unpickled, it writes a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self._path,)


# At the second, Ray listens as it does for other computers, and it is this computer all the same.
ONLY_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has all of 127.0.0.0/8")
HOSTS = ("127.0.0.1", pytest.param("127.0.0.2", marks=(pytest.mark.cluster, ONLY_LINUX)))


@pytest.fixture(scope="module", params=HOSTS)
def sockets(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Socket]]:
    """Those of a cluster's whole tree of processes. Its port is one of the range that Ray has for its own processes."""
    with running_cluster(tmp_path_factory.mktemp("w"), host=request.param, replicas=1, port=free_port(18_270)):
        tree = psutil.Process().children(recursive=True)
        found = {one.laddr for process in tree for one in process.net_connections("tcp") if one.status == "LISTEN"}
        yield sorted((reached(address.ip, request.param), address.port) for address in found)


def test_a_program_that_is_sent_to_a_socket_of_a_worker_does_not_run(sockets: list[Socket], tmp_path: Path) -> None:
    message = first_field(pickle.dumps(Program(tmp_path / "ran")))
    for host, port in sockets:
        with grpc.insecure_channel(f"{host}:{port}") as channel:
            grpc_answer(channel, RUNS, message)
    assert not (tmp_path / "ran").exists()


def test_every_socket_of_a_worker_asks_for_the_token(sockets: list[Socket]) -> None:
    answers = {address: http_answer(*address) or grpc_answers(*address) for address in sockets}
    assert len(answers) >= 8
    assert {address: said for address, said in answers.items() if said not in ({401}, {"UNAUTHENTICATED"})} == {}


def grpc_answers(host: str, port: int) -> set[str]:
    """What the methods say that are there."""
    with grpc.insecure_channel(f"{host}:{port}") as channel:
        return {grpc_answer(channel, method, b"") for method in METHODS} - {"UNIMPLEMENTED"}


def grpc_answer(channel: grpc.Channel, method: str, message: bytes) -> str:
    ask: Any = channel.unary_unary(f"/{method}")
    try:
        ask(message, timeout=30)
    except grpc.RpcError as error:
        return str(error.code().name)
    return "OK"


def http_answer(host: str, port: int) -> set[int]:
    """The status; none of a server that speaks gRPC."""
    with closing(http.client.HTTPConnection(host, port, timeout=30)) as connection:
        try:
            connection.request("GET", "/")
            return {connection.getresponse().status}
        except http.client.BadStatusLine:
            return set()


def first_field(value: bytes) -> bytes:
    """A message of protocol buffers."""
    length, size = len(value), b""
    while length > 127:
        size, length = size + bytes([length & 127 | 128]), length >> 7
    return b"\n" + size + bytes([length]) + value


def reached(ip: str, host: str) -> str:
    return host if ip in ("::", "0.0.0.0") else ip.removeprefix("::ffff:")


def free_port(first: int) -> int:
    for port in range(first, first + 1000):
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", port)) != 0:
                return port
    raise AssertionError(f"{os.getpid()} finds no free port")
