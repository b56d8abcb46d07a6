"""What a request raises that leads nowhere, whichever client makes it."""

import httpx2

from connectors.errors import HubUiError
from connectors.http.errors import FAILURES

REFUSED = (*FAILURES, httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, HubUiError)
