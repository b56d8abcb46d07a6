"""Connections with two limits that requests lacks: a deadline for the response headers, and a list of allowed hosts.

The timeout of requests restarts with every byte. A server could therefore hold a request for ever by sending one header
byte, or `100 Continue`, every few seconds.

Requests may only reach the hosts of hubs, at public addresses. Otherwise a URL in a response, a model card or a
redirect could point into the local network (SSRF). The address of the open connection is checked, because a name may
resolve to another address at the next lookup (DNS rebinding).
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
# NAT64 and its local prefix (RFC 6052, RFC 8215), and the deprecated IPv4-compatible addresses.
_EMBEDS_IPV4 = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"), IPv6Network("::/96"))


class NotAllowedError(LocationValueError):
    """The host of the URL does not belong to a hub."""


class NotPublicError(NotAllowedError):
    """The address belongs to this machine or its network."""


@dataclass(frozen=True, kw_only=True)
class Destinations:
    """The hosts that requests may reach.

    `names` are reached only by HTTPS, on port 443 and at public addresses; `*.x` matches every name below x.
    `own` are hosts that the owner of this computer configured, such as a hub in the local network: any scheme, port and
    address is allowed.
    """

    names: frozenset[str] = frozenset()
    own: frozenset[str] = frozenset()

    @classmethod
    def of(cls, endpoints: Mapping[HubName, str]) -> Self:
        """Return the hosts of these hubs. An endpoint that is not the hub's default was configured by the owner."""
        hubs = [HUBS[hub] for hub in endpoints if hub in HUBS]
        usual = {hub.endpoint for hub in hubs}
        own = {urlsplit(url).hostname or "" for url in endpoints.values() if url not in usual}
        names = {name for hub in hubs for name in hub.hosts}
        return cls(names=frozenset(names), own=frozenset(own - {""}))

    def check_host(self, scheme: str, host: str, port: int | None) -> None:
        """Raise NotAllowedError if the host, scheme or port is not allowed."""
        if host in self.own:
            return
        allowed = host in self.names or any(host.endswith(name[1:]) for name in self.names if name.startswith("*."))
        if not allowed or (scheme, port or 443) != _HTTPS:
            raise NotAllowedError(f"{host[:200]} is no host of a hub")

    def check_peer(self, host: str, address: str) -> None:
        """Raise NotPublicError if the connection to `host` was made to an `address` that is not public."""
        if host not in self.own and not is_public(address):
            raise NotPublicError(f"{host[:200]} is not a public address")


# A stack, whose last entry applies to the whole process. It is global because every library must obey it, and because
# huggingface_hub shares one client among all of its requests.
_RESTRICTIONS: list[Destinations] = []


@contextmanager
def restrict_requests(only: Destinations | None) -> Iterator[None]:
    """Limit the requests of the whole process to `only` until the block ends. With None, change nothing."""
    if only is None:
        yield
        return
    _RESTRICTIONS.append(only)
    hooks, xet_was_disabled = get_session().event_hooks, constants.HF_HUB_DISABLE_XET

    def client(*checks: Any) -> httpx2.Client:
        return httpx2.Client(
            event_hooks={**hooks, "request": [*hooks["request"], *checks]}, follow_redirects=True, timeout=None
        )

    set_client_factory(lambda: client(_check_request))
    # hf_xet has its own client in Rust, which would follow any URL in a hub's response.
    constants.HF_HUB_DISABLE_XET = True
    try:
        yield
    finally:
        _RESTRICTIONS.remove(only)
        set_client_factory(client)
        constants.HF_HUB_DISABLE_XET = xet_was_disabled


def destinations() -> Destinations | None:
    """Return the restriction of the whole process, or None if every host may be reached."""
    return _RESTRICTIONS[-1] if _RESTRICTIONS else None


def _check_request(request: httpx2.Request) -> None:
    """Check the host, and later the peer, of a request of huggingface_hub.

    httpx2 calls this hook before every request, and therefore for each redirect as well.
    """
    only, url = destinations(), request.url
    if only is None:
        return
    only.check_host(url.scheme, url.host, url.port)
    connecting = ""

    def check_connection(event: str, details: Mapping[str, Any]) -> None:
        nonlocal connecting
        if event == "connection.connect_tcp.started":
            connecting = str(details["host"])
        # Skip a proxy: the owner chose it, and it resolves the name itself.
        elif event == "connection.connect_tcp.complete" and connecting == url.host:
            only.check_peer(connecting, str(details["return_value"].get_extra_info("server_addr")[0]))

    request.extensions = {**request.extensions, "trace": check_connection}


def is_public(address: str) -> bool:
    """Return whether an IP address is public, and so is the IPv4 address that it may embed.

    Python's `is_global` is True for all addresses of NAT64 and 6to4 (RFC 6052, RFC 3056), and for `::127.0.0.1`.
    """
    ip = ip_address(address.partition("%")[0])
    if isinstance(ip, IPv4Address):
        return ip.is_global and not ip.is_multicast
    embedded = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
    if any(ip in network for network in _EMBEDS_IPV4):
        embedded = IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.is_global and not ip.is_multicast and (embedded is None or embedded.is_global)


# Don't imitate a browser: CivitAI would send it a login page in place of a JSON error.
USER_AGENT = "hub-ui/0.1"
CONNECT_SECONDS = 5.0
READ_SECONDS = 20.0
# The time from the end of the request to the end of the response headers.
HEADER_SECONDS = 30.0
# The time for a whole body: a server that sends a byte every few seconds never exceeds READ_SECONDS.
ANSWER_SECONDS = 60.0
_TOO_SLOW = "the headers of the answer took too long"


class BoundedAdapter(HTTPAdapter):
    """An adapter for requests that enforces HEADER_SECONDS and the allowed hosts.

    `only` restricts this adapter in addition to the restriction of the whole process.
    """

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
        """Send a request. Check the host first, because a proxy would resolve it."""
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
        """Connect, and check the peer: the system may resolve the host otherwise than our parsers read it."""
        # Skip a proxy: the owner chose it, and it resolves the name itself.
        restrictions = _restrictions(self.only) if self.proxy is None else []
        host, scheme = self.host.strip("[]"), "https" if isinstance(self, HTTPSConnection) else "http"
        for only in restrictions:
            only.check_host(scheme, host, self.port)
        connection = super()._new_conn()
        try:
            for only in restrictions:
                only.check_peer(host, str(connection.getpeername()[0]))
        except NotAllowedError:
            connection.close()
            raise
        return connection

    def getresponse(self) -> PooledResponse:  # type: ignore[override]
        sock, expired = self.sock, threading.Event()

        def expire() -> None:
            expired.set()
            if sock is not None:
                with suppress(OSError):
                    socket.socket.shutdown(sock, socket.SHUT_RDWR)

        timer = threading.Timer(self.header_seconds, expire)
        timer.daemon = True
        timer.start()
        try:
            response = super().getresponse()
        except (OSError, HTTPException) as error:
            if expired.is_set():
                raise TimeoutError(_TOO_SLOW) from error
            raise
        finally:
            timer.cancel()
        # http.client takes headers that were cut off by the shutdown for complete ones.
        if expired.is_set():
            response.close()
            raise TimeoutError(_TOO_SLOW)
        return response


class DirectHttp(requests.Session):
    """A session that does not follow redirects and ignores ~/.netrc.

    requests would read the whole body of each redirect.
    """

    def __init__(self, adapter: BoundedAdapter) -> None:
        super().__init__()
        self.headers["User-Agent"] = USER_AGENT
        # requests reads ~/.netrc only if `auth` is not set.
        self.auth = lambda request: request
        for scheme in ("http://", "https://"):
            self.mount(scheme, adapter)

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        return None


@contextmanager
def file_http(*, retry_reads: bool = True, only: Destinations | None = None) -> Iterator[DirectHttp]:
    """Yield a session for files, which requests uncompressed bytes and does not retry error statuses.

    `retry_reads`: retry a request that was sent and then broke off or timed out.
    `only`: the allowed hosts, redirects included, in addition to the restriction of the whole process.
    """
    retry = Retry(
        total=2,
        read=None if retry_reads else 0,
        backoff_factor=0.25,
        raise_on_status=False,
        # Otherwise urllib3 would wait for the end of a rate limit, and the visitor would see no reason.
        respect_retry_after_header=False,
    )
    with DirectHttp(BoundedAdapter(retry, only=only)) as http:
        # With compression, Content-Length would not be the size of the file.
        http.headers["Accept-Encoding"] = "identity"
        yield http


def _restrictions(only: Destinations | None) -> list[Destinations]:
    return [restriction for restriction in (only, destinations()) if restriction is not None]


def same_site(url: str, following: str) -> bool:
    """Return whether a redirect stays on the same host, apart from `www.`.

    The scheme and port are equal too, except for an upgrade from http to https on the default ports.
    """
    try:
        source, target = urlsplit(url), urlsplit(following)
        ports = (source.port, target.port)
    except ValueError:
        return False
    names = [(parts.hostname or "").removeprefix("www.") for parts in (source, target)]
    upgraded = (source.scheme, target.scheme, *ports) == ("http", "https", None, None)
    return names[0] == names[1] and (upgraded or (source.scheme == target.scheme and ports[0] == ports[1]))


def read_capped(response: requests.Response, most: int) -> None:
    """Read the body into `response.content`, at most `most` + 1 bytes of it.

    Raises ReadTimeout after ANSWER_SECONDS or a long pause, and ConnectionError if the connection breaks off.
    """
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
