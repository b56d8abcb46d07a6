"""HTTP for files: a session whose secret headers go to one origin, that asks for the bytes as they are."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager

import requests
from urllib3.util import Retry

from connectors.http_adapter import BoundedAdapter, DirectHttp
from connectors.session import USER_AGENT

RETRIED = (500, 502, 503, 504, 524)


@contextmanager
def file_http(*, again: bool = True, public: Collection[str] | None = None) -> Iterator[requests.Session]:
    """It follows no redirect and tries no answer again: that is for whoever asks, without reading the answer's body.

    `again`: what breaks off or runs out of time after it was sent is sent again; else that is for whoever asks.
    `public`: only public addresses are reached, and these hosts; None reaches any address.
    """
    retry = Retry(
        total=2,
        read=None if again else 0,
        backoff_factor=0.25,
        raise_on_status=False,
        # Else urllib3 would sit out a rate limit by itself, in silence.
        respect_retry_after_header=False,
    )
    with DirectHttp() as http:
        http.headers["User-Agent"] = USER_AGENT
        # A compressed answer would make Content-Length say nothing about the file.
        http.headers["Accept-Encoding"] = "identity"
        adapter = BoundedAdapter(retry, public=public)
        for scheme in ("http://", "https://"):
            http.mount(scheme, adapter)
        yield http
