"""HTTP for files: a session whose secret headers go to one origin, that asks for the bytes as they are."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from connectors.session import USER_AGENT

RETRIED = (500, 502, 503, 504, 524)


class _Http(requests.Session):
    """Sends an address's headers to its own origin and no further."""

    def __init__(self, private: Collection[str]) -> None:
        super().__init__()
        self._private = tuple(private)
        self.auth = _keep_headers

    def rebuild_auth(self, prepared_request: requests.PreparedRequest, response: requests.Response) -> None:
        """requests drops Authorization only, and would then add a login for the new host from ~/.netrc.

        Signed addresses of R2 and B2 refuse a request that carries a second login.
        """
        assert response.request.url is not None
        assert prepared_request.url is not None
        if self.should_strip_auth(response.request.url, prepared_request.url):  # type: ignore[no-untyped-call]
            for name in (*self._private, "Authorization"):
                prepared_request.headers.pop(name, None)


def _keep_headers(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Stands in for a login, so that requests does not look for one in ~/.netrc."""
    return request


class _Direct(_Http):
    """Follows nothing."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        return None


@contextmanager
def file_http(private: Collection[str] = (), *, direct: bool = False, again: bool = True) -> Iterator[requests.Session]:
    """`private` names the headers that must not follow a redirect to another origin.

    `direct`: whoever asks follows redirects, and retries what was answered, on their own. requests and urllib3 would
    read the whole body of such an answer first, however long a stranger makes it.
    `again`: what breaks off or runs out of time after it was sent is sent again; else that is for whoever asks.
    """
    retry = Retry(
        total=2,
        read=None if again else 0,
        backoff_factor=0.25,
        status_forcelist=() if direct else RETRIED,
        raise_on_status=False,
        # Else urllib3 would sit out a rate limit by itself, in silence.
        respect_retry_after_header=False,
    )
    with (_Direct if direct else _Http)(private) as http:
        http.headers["User-Agent"] = USER_AGENT
        # A compressed answer would make Content-Length say nothing about the file.
        http.headers["Accept-Encoding"] = "identity"
        http.max_redirects = 8
        for scheme in ("http://", "https://"):
            http.mount(scheme, HTTPAdapter(max_retries=retry))
        yield http
