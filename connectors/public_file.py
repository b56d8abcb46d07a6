"""Small files at addresses that hubs name: pictures of examples. Whoever writes a card chooses such an address."""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import urljoin

import requests

from connectors.errors import BadAnswer
from connectors.file_http import file_http
from connectors.http_adapter import read_capped
from connectors.refusals import FAILED, refusal, unreachable
from connectors.session import CONNECT_SECONDS, READ_SECONDS

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
