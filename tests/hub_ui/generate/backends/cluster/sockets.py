"""What the sockets of a worker and all its processes answer to somebody without the token."""

import http.client
import pickle
import random
import socket
from contextlib import closing
from pathlib import Path
from typing import Any, TypeAlias

import grpc
import psutil

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


def sockets_of_processes(host: str) -> list[Socket]:
    """Those that the whole tree of this process's children listens on."""
    tree = psutil.Process().children(recursive=True)
    found = {one.laddr for process in tree for one in process.net_connections("tcp") if one.status == "LISTEN"}
    return sorted((reached(address.ip, host), address.port) for address in found)


def runs(sockets: list[Socket], folder: Path) -> bool:
    """Whether any of them runs the program that it is sent."""
    message = first_field(pickle.dumps(Program(folder / "ran")))
    for host, port in sockets:
        with grpc.insecure_channel(f"{host}:{port}") as channel:
            grpc_answer(channel, RUNS, message)
    return (folder / "ran").exists()


def answers_without_token(sockets: list[Socket]) -> dict[Socket, set[int] | set[str]]:
    """What those say that ask for no token."""
    answers = {address: http_answer(*address) or grpc_answers(*address) for address in sockets}
    return {address: said for address, said in answers.items() if said not in ({401}, {"UNAUTHENTICATED"})}


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


def free_port() -> int:
    """One of the range that Ray has for its own processes."""
    for port in random.sample(range(18_270, 19_270), 100):
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", port)) != 0:
                return port
    raise AssertionError("no port is free")
