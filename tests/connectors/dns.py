"""A name server on loopback whose answers change, and this machine's own resolver asking it."""

import _socket
import ctypes
import socket
import struct
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

_A, _AAAA = 1, 28
# An answer that recursion was available for; the same, and there is no such name.
_FOUND, _NO_SUCH_NAME = 0x8180, 0x8183
# From glibc's resolv.h: it is set up, and the server is to look further. The name is asked for as it stands.
_INITIALISED, _RECURSE = 0x1, 0x40


@dataclass(kw_only=True)
class NameServer:
    """`answers` are the addresses at each look-up of a name, in turn, and the last ones from then on."""

    port: int
    answers: Sequence[Sequence[str]] = ()
    names: Sequence[str] = ()
    asked: Counter[tuple[str, int]] = field(default_factory=Counter)

    def start(self, names: Sequence[str], answers: Sequence[Sequence[str]]) -> None:
        self.names, self.answers = names, answers
        self.asked.clear()

    @property
    def lookups(self) -> int:
        return max(self.asked.values(), default=0)

    def reply(self, query: bytes) -> bytes:
        """To a query of one question (RFC 1035). A look-up asks for IPv4 and for IPv6 addresses, each once."""
        end = 12
        labels = list[bytes]()
        while query[end]:
            labels.append(query[end + 1 : end + 1 + query[end]])
            end += 1 + query[end]
        question, name = query[12 : end + 5], b".".join(labels).decode().lower()
        (kind,) = struct.unpack_from(">H", query, end + 1)
        if name not in self.names:
            return query[:2] + struct.pack(">5H", _NO_SUCH_NAME, 1, 0, 0, 0) + question
        self.asked[name, kind] += 1
        addresses = self.answers[min(self.asked[name, kind], len(self.answers)) - 1]
        found = [
            _packed(address) for address in addresses if (":" in address) == (kind == _AAAA) and kind in (_A, _AAAA)
        ]
        # The name is that of the question, of class IN, and to be forgotten at once.
        records = [struct.pack(">HHHIH", 0xC00C, kind, 1, 0, len(data)) + data for data in found]
        return query[:2] + struct.pack(">5H", _FOUND, 1, len(records), 0, 0) + question + b"".join(records)


@contextmanager
def name_server() -> Iterator[NameServer]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        server, ended = NameServer(port=udp.getsockname()[1]), threading.Event()
        udp.settimeout(0.2)

        def answer() -> None:
            while not ended.is_set():
                with suppress(TimeoutError):
                    query, sender = udp.recvfrom(512)
                    udp.sendto(server.reply(query), sender)

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield server
        finally:
            ended.set()
            thread.join()


def _packed(address: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


class _Address(ctypes.Structure):
    _fields_ = (
        ("family", ctypes.c_uint16),
        ("port", ctypes.c_uint16.__ctype_be__),
        ("address", ctypes.c_ubyte * 4),
        ("zero", ctypes.c_ubyte * 8),
    )


class _Resolver(ctypes.Structure):
    """The beginning of glibc's `struct __res_state`, of which every thread has one."""

    _fields_ = (
        ("seconds", ctypes.c_int),
        ("tries", ctypes.c_int),
        ("options", ctypes.c_ulong),
        ("servers", ctypes.c_int),
        ("addresses", _Address * 3),
    )


@contextmanager
def resolver_of_this_thread(server: NameServer) -> Iterator[None]:
    """Until the block ends, getaddrinfo of the C library asks `server` in this thread, and nobody else."""
    library = ctypes.CDLL(None)
    own = getattr(library, "__res_state")
    own.restype = ctypes.POINTER(_Resolver)
    getattr(library, "__res_init")()
    state = own().contents
    before = bytes(state)
    # As long as nobody waits for it here: a question that is asked again counts as another look-up.
    state.seconds = 60
    state.options, state.servers = _INITIALISED | _RECURSE, 1
    state.addresses[0] = _Address(socket.AF_INET, server.port, (ctypes.c_ubyte * 4)(127, 0, 0, 1))
    try:
        yield
    finally:
        ctypes.memmove(ctypes.byref(state), before, len(before))


def why_not() -> str:
    """Why names can't be looked up in that way here; empty if they can."""
    if not sys.platform.startswith("linux") or not hasattr(ctypes.CDLL(None), "gnu_get_libc_version"):
        return "only glibc lets a thread choose its name server"
    with name_server() as server, resolver_of_this_thread(server), suppress(OSError):
        server.start(["name.test"], [["127.0.0.1"]])
        # Not the one that tests/conftest.py guards.
        _socket.getaddrinfo("name.test", 80)
    return "" if server.lookups else "this machine does not look names up by DNS (hosts: in /etc/nsswitch.conf)"
