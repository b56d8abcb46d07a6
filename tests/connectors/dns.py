"""Names that lead elsewhere at each look-up, in place of the system's own."""

import _socket
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch


@dataclass(kw_only=True)
class ChangingNames:
    """`answers` are the addresses at each look-up of one of the names, in turn, and the last ones from then on."""

    answers: Sequence[Sequence[str]] = ()
    names: Sequence[str] = ()
    lookups: int = 0

    def start(self, names: Sequence[str], answers: Sequence[Sequence[str]]) -> None:
        self.names, self.answers, self.lookups = names, answers, 0


@contextmanager
def changing_names() -> Iterator[ChangingNames]:
    changing, usual = ChangingNames(), socket.getaddrinfo

    def look_up(host: Any, *more: Any, **named: Any) -> Any:
        if (host.decode() if isinstance(host, bytes) else host) not in changing.names:
            return usual(host, *more, **named)
        changing.lookups += 1
        addresses = changing.answers[min(changing.lookups, len(changing.answers)) - 1]
        return [found for address in addresses for found in _socket.getaddrinfo(address, *more, **named)]

    with patch.object(socket, "getaddrinfo", look_up):
        yield changing
