"""DNS rebinding: the address that was looked at is the one that is connected to, whatever a name leads to next."""

import _socket
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from connectors.errors import BadAnswer
from tests.connectors.canary import REFUSED, Canary
from tests.connectors.http.test_destinations import ask_by_huggingface_hub, ask_for_a_file
from tests.connectors.serving import Hub

HUBS_NAMES = ["huggingface.co", "civitai.com", "cas-bridge.xethub.hf.co"]


@dataclass(kw_only=True)
class ChangingNames:
    """`answers` are the addresses at each look-up of one of the names, in turn, and the last ones from then on."""

    answers: Sequence[Sequence[str]] = ()
    names: Sequence[str] = ()
    lookups: int = 0

    def start(self, names: Sequence[str], answers: Sequence[Sequence[str]]) -> None:
        self.names, self.answers, self.lookups = names, answers, 0


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch, canary: Canary, own: Hub) -> Iterator[ChangingNames]:
    """Hubs' names are reached at the canary's port. Nothing may be sent there."""
    changing, usual = ChangingNames(), socket.getaddrinfo

    def look_up(host: Any, *more: Any, **named: Any) -> Any:
        if (host.decode() if isinstance(host, bytes) else host) not in changing.names:
            return usual(host, *more, **named)
        changing.lookups += 1
        addresses = changing.answers[min(changing.lookups, len(changing.answers)) - 1]
        return [found for address in addresses for found in _socket.getaddrinfo(address, *more, **named)]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    monkeypatch.setattr("connectors.http.adapter._HTTPS", ("https", canary.port))
    canary.clear()
    yield changing
    canary.settle()
    assert canary.heard == []


# 127.0.0.9 refuses connections, as an attacker's own server does when it wants a name to be looked up anew.
@pytest.mark.parametrize(
    "answers",
    [
        [["127.0.0.1"]], [["::1"]], [["::ffff:127.0.0.1"]], [["127.0.0.9", "127.0.0.1"]],
        [["127.0.0.9"], ["127.0.0.1"]], [["127.0.0.9"], ["127.0.0.9"], ["::1"]], [["127.0.0.9"], ["127.0.0.1", "::1"]],
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", HUBS_NAMES)
def test_a_hubs_name_that_leads_into_this_network_is_sent_nothing(
    names: ChangingNames, canary: Canary, name: str, answers: list[list[str]]
) -> None:
    names.start([name], answers)
    for _ in range(3):
        for ask in (ask_for_a_file, ask_by_huggingface_hub):
            with pytest.raises(REFUSED):
                ask(f"https://{name}:{canary.port}/")
    assert names.lookups >= 6
    canary.settle()
    # Without IPv6 there is nobody at ::1.
    assert canary.reached or "::1" not in canary.addresses


def test_a_name_that_leads_into_this_network_is_said_to(names: ChangingNames, canary: Canary) -> None:
    names.start(["civitai.com"], [["127.0.0.1"]])
    with pytest.raises(BadAnswer, match="own network"):
        ask_for_a_file(f"https://civitai.com:{canary.port}/")
