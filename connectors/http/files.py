"""HTTP for files: a session whose secret headers go to one origin, that asks for the bytes as they are."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from urllib.parse import urljoin

import requests
from urllib3.util import Retry

from connectors.errors import BadAnswer
from connectors.http.adapter import BoundedAdapter, DirectHttp, read_capped
from connectors.http.errors import FAILED, refusal, unreachable
from connectors.http.session import CONNECT_SECONDS, READ_SECONDS, USER_AGENT

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


_MAX_REDIRECTS = 5


def fetch_public(url: str, *, hosts: Collection[str], most: int) -> requests.Response:
    """The whole answer to a GET without any key. Raises one of our errors, for more than `most` bytes too.

    Only public addresses are reached, at each redirect anew, and `hosts`: those of the hubs' own endpoints.
    """
    with file_http(public=hosts) as http:
        for _ in range(_MAX_REDIRECTS):
            try:
                with http.get(url, timeout=(CONNECT_SECONDS, READ_SECONDS), stream=True) as response:
                    place = response.headers.get("Location") if response.is_redirect else None
                    if place is None:
                        read_capped(response, most)
                        break
                    url = urljoin(url, place)
            except FAILED as error:
                raise unreachable(error, None) from error
        else:
            raise BadAnswer("The server sends this picture in circles.")
    if (refused := refusal(response, None)) is not None:
        raise refused
    if len(response.content) > most:
        raise BadAnswer(f"What lies there is larger than {most // (1024 * 1024)} MB, so it is not taken.")
    return response
