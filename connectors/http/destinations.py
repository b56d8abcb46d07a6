"""Where requests may go: to the hosts of the hubs by name, at public addresses.

Hubs' answers, cards and redirects name addresses, and whoever writes them may name one of this network. A name may also
lead elsewhere the next time it is looked up (DNS rebinding), so the address that was connected to is what counts.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Network, ip_address
from typing import Any, Self
from urllib.parse import urlsplit

import httpx2
from huggingface_hub import constants, get_session, set_client_factory
from urllib3.exceptions import LocationValueError

from connectors.registry import HUBS, HubName

_HTTPS = ("https", 443)
# NAT64 with its local form (RFC 6052, RFC 8215), and the old form of an IPv4 address written as IPv6.
_CARRIES_IPV4 = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"), IPv6Network("::/96"))


class NotAllowedError(LocationValueError):
    """The address is on no host of a hub."""


class NotPublicError(NotAllowedError):
    """The address leads to this machine or its network."""


@dataclass(frozen=True, kw_only=True)
class Destinations:
    """`names` are reached by HTTPS at its usual port and at public addresses only; `*.x` is every name below x.

    `own` are hosts that this computer's owner named, on every port and wherever they are: hubs of their own network.
    """

    names: frozenset[str] = frozenset()
    own: frozenset[str] = frozenset()

    @classmethod
    def of(cls, endpoints: Mapping[HubName, str]) -> Self:
        """The hosts of these hubs. A hub's endpoint that is not its usual one is the owner's choice."""
        hubs = [HUBS[hub] for hub in endpoints if hub in HUBS]
        usual = {hub.endpoint for hub in hubs}
        own = {urlsplit(url).hostname or "" for url in endpoints.values() if url not in usual}
        names = {name for hub in hubs for name in hub.hosts}
        return cls(names=frozenset(names), own=frozenset(own - {""}))

    def check_host(self, scheme: str, host: str, port: int | None) -> None:
        """Raises NotAllowedError for a host that is not among them."""
        if host in self.own:
            return
        named = host in self.names or any(host.endswith(name[1:]) for name in self.names if name.startswith("*."))
        if not named or (scheme, port or 443) != _HTTPS:
            raise NotAllowedError(f"{host[:200]} is no host of a hub")

    def check_peer(self, host: str, address: str) -> None:
        """`address` is what `host` was connected to. Raises NotPublicError for one of this network."""
        if host not in self.own and not is_public(address):
            raise NotPublicError(f"{host[:200]} is not a public address")


# For the whole process, as a proxy is: no request of a library may be forgotten, and huggingface_hub has one client for
# all of its own. The last one counts.
_EVERYWHERE: list[Destinations] = []


@contextmanager
def restrict_requests(only: Destinations | None) -> Iterator[None]:
    """Until the block ends, requests of the whole process go nowhere else. None restricts nothing."""
    if only is None:
        yield
        return
    _EVERYWHERE.append(only)
    hooks, has_no_xet = get_session().event_hooks, constants.HF_HUB_DISABLE_XET

    def client(*more: Any) -> httpx2.Client:
        return httpx2.Client(
            event_hooks={**hooks, "request": [*hooks["request"], *more]}, follow_redirects=True, timeout=None
        )

    set_client_factory(lambda: client(_check_request))
    # hf_xet has a client of its own in Rust, which goes where the hub's answer says.
    constants.HF_HUB_DISABLE_XET = True
    try:
        yield
    finally:
        _EVERYWHERE.remove(only)
        set_client_factory(client)
        constants.HF_HUB_DISABLE_XET = has_no_xet


def destinations() -> Destinations | None:
    """What holds for the whole process; None where everything may be reached."""
    return _EVERYWHERE[-1] if _EVERYWHERE else None


def _check_request(request: httpx2.Request) -> None:
    """A hook of huggingface_hub's client, which follows redirects by itself: called before each hop."""
    only, url = destinations(), request.url
    if only is None:
        return
    only.check_host(url.scheme, url.host, url.port)
    connecting = ""

    def check_connection(event: str, details: Mapping[str, Any]) -> None:
        nonlocal connecting
        if event == "connection.connect_tcp.started":
            connecting = str(details["host"])
        # A proxy resolves names for us, and is the owner's own choice.
        elif event == "connection.connect_tcp.complete" and connecting == url.host:
            only.check_peer(connecting, str(details["return_value"].get_extra_info("server_addr")[0]))

    request.extensions = {**request.extensions, "trace": check_connection}


def is_public(address: str) -> bool:
    """Whether an IP address leads out of this network, and an IPv4 address that it may carry does too.

    Python calls all of NAT64's and 6to4's addresses global (RFC 6052, RFC 3056), and `::127.0.0.1` as well.
    """
    found = ip_address(address.partition("%")[0])
    if isinstance(found, IPv4Address):
        return found.is_global and not found.is_multicast
    carried = found.ipv4_mapped or found.sixtofour or (found.teredo[1] if found.teredo else None)
    if any(found in network for network in _CARRIES_IPV4):
        carried = IPv4Address(int(found) & 0xFFFFFFFF)
    return found.is_global and not found.is_multicast and (carried is None or carried.is_global)
