"""Connections with two bounds that requests lacks: an answer begins in time, and leads to a public address.

requests' timeout runs anew with every byte, so a server that sends a header byte every few seconds, or `100 Continue`
for ever, holds a request as long as it likes. And whoever chooses an address may choose one of this network.
"""

import socket
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPException
from ipaddress import IPv4Address, IPv6Network, ip_address
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3 import HTTPResponse as PooledResponse
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, LocationValueError, ReadTimeoutError
from urllib3.util import Retry

# A plain name of our own: a browser-like one turns CivitAI's JSON errors into login pages.
USER_AGENT = "hub-ui/0.1"
CONNECT_SECONDS = 5.0
READ_SECONDS = 20.0
# From the end of the request to the end of the answer's headers.
HEADER_SECONDS = 30.0
# For one answer in all: a server that sends a byte every few seconds never runs into the limit between two bytes.
ANSWER_SECONDS = 60.0
# NAT64, and the old form of an IPv4 address written as IPv6.
_CARRIES_IPV4 = (IPv6Network("64:ff9b::/96"), IPv6Network("::/96"))
_TOO_SLOW = "the headers of the answer took too long"


class NotPublicError(LocationValueError):
    """The address leads to this machine or its network."""


class BoundedAdapter(HTTPAdapter):
    """`public`: None reaches any address; else only public ones, and the hosts named there."""

    def __init__(
        self,
        retry: Retry,
        *,
        public: Collection[str] | None = None,
        header_seconds: float = HEADER_SECONDS,
        pool_maxsize: int = 10,
    ) -> None:
        class Plain(_Bounded, HTTPConnection):
            pass

        class Secure(_Bounded, HTTPSConnection):
            pass

        for bounded in (Plain, Secure):
            bounded.public, bounded.header_seconds = public, header_seconds
        http = type("Http", (HTTPConnectionPool,), {"ConnectionCls": Plain})
        https = type("Https", (HTTPSConnectionPool,), {"ConnectionCls": Secure})
        self._pools = {"http": http, "https": https}
        super().__init__(max_retries=retry, pool_maxsize=pool_maxsize)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = self._pools
        return manager


class _Bounded(HTTPConnection):
    public: Collection[str] | None = None
    header_seconds: float = HEADER_SECONDS

    def _new_conn(self) -> socket.socket:
        """Looks at the peer and not at the name: a name may lead elsewhere the next time it is looked up."""
        connected = super()._new_conn()
        # A proxy resolves names for us, and is the owner's own choice.
        checks = self.public is not None and self.proxy is None and self.host not in self.public
        if checks and not is_public(str(connected.getpeername()[0])):
            connected.close()
            raise NotPublicError(f"{self.host} is not a public address")
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
def file_http(*, retry_reads: bool = True, public: Collection[str] | None = None) -> Iterator[DirectHttp]:
    """A session for files, which asks for the bytes as they are and tries no answer again.

    `retry_reads`: a request that breaks off or times out after it was sent is sent again.
    `public`: only public addresses are reached, and these hosts; None reaches any address.
    """
    retry = Retry(
        total=2,
        read=None if retry_reads else 0,
        backoff_factor=0.25,
        raise_on_status=False,
        # Else urllib3 would sit out a rate limit by itself, in silence.
        respect_retry_after_header=False,
    )
    with DirectHttp(BoundedAdapter(retry, public=public)) as http:
        # A compressed answer would make Content-Length say nothing about the file.
        http.headers["Accept-Encoding"] = "identity"
        yield http


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
