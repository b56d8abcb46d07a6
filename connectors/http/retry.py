"""Decide how often a request is sent again before its failure is reported, and how long to wait in between."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

import httpx2
import requests

from connectors.errors import HubDown, HubTimeout, HubUiError, RateLimited
from connectors.http.json_fields import count

# Faults of a server that may be over in a moment. Not 429, because a person should see its wait.
TRANSIENT_STATUSES = (500, 502, 503, 504, 524)
TRANSIENT_ERRORS = (HubDown, HubTimeout, RateLimited)
# In seconds. A person waits for the response, so a hub that asks for a longer pause is reported at once.
LONGEST_SHORT_WAIT = 5.0
_SECONDS_BETWEEN_CHECKS = 0.1
_RESETS = re.compile(r"resets in ~?(\d{1,5})s")


def retry_after(answer: requests.Response | httpx2.Response, detail: str = "") -> float | None:
    """Return the seconds that a response asks to wait, or None if it does not say.

    Retry-After (RFC 9110) is a number of seconds or a date. For a 429, Replicate may send the seconds in its text
    (`detail`) instead, and Hugging Face in the header RateLimit.
    """
    header = answer.headers.get("Retry-After", "")
    if (seconds := count(header)) is not None:
        return float(seconds)
    if header:
        try:
            return max(0.0, parsedate_to_datetime(header).timestamp() - time.time())
        except (ValueError, OverflowError):
            return None
    # Hubs count the requests in the headers of every response, so only those of a 429 ask to wait.
    if answer.status_code != 429:
        return None
    if resets := _RESETS.search(detail):
        return float(resets[1])
    for part in answer.headers.get("RateLimit", "").split(";"):
        name, _, value = part.strip().partition("=")
        if name == "t" and (seconds := count(value)) is not None:
            return float(seconds)
    reset = count(answer.headers.get("ratelimit-reset"))
    return float(reset) if reset is not None else None


@dataclass(frozen=True, kw_only=True, slots=True)
class RetryPolicy:
    """The number of tries, and the waits between them.

    A request is given up after `tries` failures in a row without progress. Waits double from `first` seconds; a hub may
    ask for at most `longest` seconds. After `most` failures a download is also given up if it has received fewer than
    `worth` bytes per failure on average.
    """

    tries: int = 5
    first: float = 0.25
    longest: float = 30.0
    most: int = 50
    worth: int = 256 * 1024
    pause: Callable[[float], None] = time.sleep

    def wait(self, failures: int, error: HubUiError) -> float | None:
        """Return the seconds to wait after `failures` in a row, or None to give up."""
        return self._wait(failures, error.retry_after or 0.0)

    def send(self, request: Callable[[], requests.Response]) -> requests.Response:
        """Send a request until its response has no transient status, and return the last response."""
        failures = 0
        while True:
            response = request()
            failures += 1
            if response.status_code not in TRANSIENT_STATUSES:
                return response
            seconds = self._wait(failures, retry_after(response) or 0.0)
            if seconds is None:
                return response
            response.close()
            self.pause(seconds)

    def _wait(self, failures: int, requested: float) -> float | None:
        if failures >= self.tries or requested > self.longest:
            return None
        return max(self.first * (1 << (failures - 1)), requested)


class Attempts:
    """The failures of one download. The count restarts at zero after each progress."""

    def __init__(self, policy: RetryPolicy, check: Callable[[], None]) -> None:
        """Set the policy. `check` is called before and during each wait, and may end the wait by raising an error."""
        self._policy = policy
        self._check = check
        self._furthest = 0
        self._failures = 0
        self._all_failures = 0

    def wait(self, error: HubUiError, done: int) -> None:
        """Wait before the next try, or raise the error to give up. `done` is the number of bytes received so far."""
        self._check()
        if done > self._furthest:
            self._furthest, self._failures = done, 0
        self._failures += 1
        self._all_failures += 1
        crawls = self._all_failures >= self._policy.most and done < self._all_failures * self._policy.worth
        seconds = self._policy.wait(self._failures, error)
        if seconds is None or crawls or not isinstance(error, TRANSIENT_ERRORS):
            raise error
        while seconds > 0:
            self._check()
            self._policy.pause(min(seconds, _SECONDS_BETWEEN_CHECKS))
            seconds -= _SECONDS_BETWEEN_CHECKS
