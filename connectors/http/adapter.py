"""Connections with two bounds that requests lacks: an answer begins in time, and comes from where requests may go.

requests' timeout runs anew with every byte, so a server that sends a header byte every few seconds, or `100 Continue`
for ever, holds a request as long as it likes.

Requests go to the hosts of the hubs by name, at public addresses: answers, cards and redirects of hubs name addresses,
and whoever writes them may name one of this network. A name may also lead elsewhere the next time it is looked up (DNS
rebinding), so the address that was connected to is what counts.
"""

import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPException
from ipaddress import IPv4Address, IPv6Network, ip_address
from typing import Any, Self
from urllib.parse import urlsplit

import httpx2
import requests
from huggingface_hub import constants, get_session, set_client_factory
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3 import HTTPResponse as PooledResponse
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, LocationValueError, ReadTimeoutError
from urllib3.util import Retry, parse_url

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


# A plain name of our own: a browser-like one turns CivitAI's JSON errors into login pages.
USER_AGENT = "hub-ui/0.1"
CONNECT_SECONDS = 5.0
READ_SECONDS = 20.0
# From the end of the request to the end of the answer's headers.
HEADER_SECONDS = 30.0
# For one answer in all: a server that sends a byte every few seconds never runs into the limit between two bytes.
ANSWER_SECONDS = 60.0
_TOO_SLOW = "the headers of the answer took too long"


class BoundedAdapter(HTTPAdapter):
    """`only`: where it may go; None leaves that to what holds for the whole process."""

    def __init__(
        self,
        retry: Retry,
        *,
        only: Destinations | None = None,
        header_seconds: float = HEADER_SECONDS,
        pool_maxsize: int = 10,
    ) -> None:
        class Plain(_Bounded, HTTPConnection):
            pass

        class Secure(_Bounded, HTTPSConnection):
            pass

        for bounded in (Plain, Secure):
            bounded.only, bounded.header_seconds = only, header_seconds
        http = type("Http", (HTTPConnectionPool,), {"ConnectionCls": Plain})
        https = type("Https", (HTTPSConnectionPool,), {"ConnectionCls": Secure})
        self._pools = {"http": http, "https": https}
        self._only = only
        super().__init__(max_retries=retry, pool_maxsize=pool_maxsize)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """Looks at the host before a proxy is asked for it."""
        url = parse_url(request.url or "")
        for only in _restrictions(self._only):
            only.check_host(url.scheme or "", (url.host or "").strip("[]"), url.port)
        return super().send(request, *args, **kwargs)

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = self._pools
        return manager


class _Bounded(HTTPConnection):
    only: Destinations | None = None
    header_seconds: float = HEADER_SECONDS

    def _new_conn(self) -> socket.socket:
        """Looks at what is connected to: whoever wrote the address may read it otherwise than its parsers do."""
        # A proxy resolves names for us, and is the owner's own choice.
        checking = _restrictions(self.only) if self.proxy is None else []
        host, scheme = self.host.strip("[]"), "https" if isinstance(self, HTTPSConnection) else "http"
        for only in checking:
            only.check_host(scheme, host, self.port)
        connected = super()._new_conn()
        try:
            for only in checking:
                only.check_peer(host, str(connected.getpeername()[0]))
        except NotAllowedError:
            connected.close()
            raise
        return connected

    def getresponse(self) -> PooledResponse:  # type: ignore[override]
        waiting, expired = self.sock, threading.Event()

        def expire() -> None:
            expired.set()
            if waiting is not None:
                with suppress(OSError):
                    socket.socket.shutdown(waiting, socket.SHUT_RDWR)

        timer = threading.Timer(self.header_seconds, expire)
        timer.daemon = True
        timer.start()
        try:
            answer = super().getresponse()
        except (OSError, HTTPException) as error:
            if expired.is_set():
                raise TimeoutError(_TOO_SLOW) from error
            raise
        finally:
            timer.cancel()
        # What was cut in the middle of its headers reads like one that ends there.
        if expired.is_set():
            answer.close()
            raise TimeoutError(_TOO_SLOW)
        return answer


class DirectHttp(requests.Session):
    """A session without redirects, whose bodies requests would read whole, and without logins of ~/.netrc."""

    def __init__(self, adapter: BoundedAdapter) -> None:
        super().__init__()
        self.headers["User-Agent"] = USER_AGENT
        # Stands in for a login, so that requests does not look for one in ~/.netrc.
        self.auth = lambda request: request
        for scheme in ("http://", "https://"):
            self.mount(scheme, adapter)

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        return None


@contextmanager
def file_http(*, retry_reads: bool = True, only: Destinations | None = None) -> Iterator[DirectHttp]:
    """A session for files, which asks for the bytes as they are and tries no answer again.

    `retry_reads`: a request that breaks off or times out after it was sent is sent again.
    `only`: where it may go, redirects included; None reaches whatever the whole process may.
    """
    retry = Retry(
        total=2,
        read=None if retry_reads else 0,
        backoff_factor=0.25,
        raise_on_status=False,
        # Else urllib3 would sit out a rate limit by itself, in silence.
        respect_retry_after_header=False,
    )
    with DirectHttp(BoundedAdapter(retry, only=only)) as http:
        # A compressed answer would make Content-Length say nothing about the file.
        http.headers["Accept-Encoding"] = "identity"
        yield http


def _restrictions(only: Destinations | None) -> list[Destinations]:
    return [one for one in (only, destinations()) if one is not None]


def same_site(url: str, following: str) -> bool:
    """Same host but for `www.`, and the same port, or from http to https."""
    try:
        here, there = urlsplit(url), urlsplit(following)
        ports = (here.port, there.port)
    except ValueError:
        return False
    names = [(parts.hostname or "").removeprefix("www.") for parts in (here, there)]
    secured = (here.scheme, there.scheme, *ports) == ("http", "https", None, None)
    return names[0] == names[1] and (secured or (here.scheme == there.scheme and ports[0] == ports[1]))


def read_capped(response: requests.Response, most: int) -> None:
    """Fills `response.content`, cut one byte past `most`. Raises Timeout after `ANSWER_SECONDS`, ConnectionError."""
    body, deadline, late = bytearray(), time.monotonic() + ANSWER_SECONDS, False
    try:
        while not late and (left := most + 1 - len(body)) > 0:
            if not (chunk := response.raw.read1(min(left, 64 * 1024), decode_content=True)):
                break
            body += chunk
            late = time.monotonic() > deadline
    except ReadTimeoutError as error:
        raise requests.exceptions.ReadTimeout(error) from error
    except (HTTPError, OSError) as error:
        raise requests.exceptions.ConnectionError(error) from error
    finally:
        response.close()
    if late:
        raise requests.exceptions.ReadTimeout("the answer took too long")
    response._content = bytes(body)
