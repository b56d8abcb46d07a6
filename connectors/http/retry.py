"""How often a request is sent again before its failure is reported."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from connectors.errors import HubDown, HubTimeout, HubUiError, RateLimited

# Faults of a server that may be over in a moment. Not 429: its wait is for a person to see.
TRANSIENT_STATUSES = (500, 502, 503, 504, 524)
TRANSIENT_ERRORS = (HubDown, HubTimeout, RateLimited)
_SECONDS_BETWEEN_CHECKS = 0.1


class Response(Protocol):
    """What requests and httpx have in common."""

    status_code: int

    def close(self) -> None: ...


_Response = TypeVar("_Response", bound=Response)


@dataclass(frozen=True, kw_only=True, slots=True)
class RetryPolicy:
    """`tries` in a row without progress. Waits double from `first` seconds; a hub may ask for at most `longest`.

    A server that hangs up again and again after a few bytes gets `most` tries in all, unless each brings `worth` bytes.
    """

    tries: int = 5
    first: float = 0.25
    longest: float = 30.0
    most: int = 50
    worth: int = 256 * 1024
    pause: Callable[[float], None] = time.sleep

    def wait(self, failures: int, error: HubUiError) -> float | None:
        """Seconds to wait after that many failures in a row; None to give up."""
        requested = error.retry_after or 0.0
        if failures >= self.tries or requested > self.longest:
            return None
        return max(self.first * (1 << (failures - 1)), requested)

    def send(self, request: Callable[[], _Response], errors: tuple[type[Exception], ...] = ()) -> _Response:
        """The first response without a transient status, else the last one. `errors` are tried again like statuses."""
        for attempt in range(1, self.tries):
            try:
                response = request()
            except errors:
                pass
            else:
                if response.status_code not in TRANSIENT_STATUSES:
                    return response
                response.close()
            self.pause(self.first * (1 << (attempt - 1)))
        return request()


class Attempts:
    """The failures of one download. They count anew once it has come further than before."""

    def __init__(self, policy: RetryPolicy, check: Callable[[], None]) -> None:
        """`check` is called before and during each wait, and may end it by raising."""
        self._policy = policy
        self._check = check
        self._furthest = 0
        self._failures = 0
        self._all_failures = 0

    def wait(self, error: HubUiError, done: int) -> None:
        """Waits before the next try, or raises the error. `done` bytes have come by now."""
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
