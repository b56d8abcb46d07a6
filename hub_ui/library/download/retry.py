"""How often and how long one pull tries again by itself before it gives up, and says so."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from connectors.errors import HubDown, HubTimeout, HubUiError, RateLimited

_SECONDS_BETWEEN_CHECKS = 0.1
# What may be over in a moment.
PASSING = (HubDown, HubTimeout, RateLimited)


@dataclass(frozen=True, kw_only=True, slots=True)
class RetryPolicy:
    """`tries` in a row without a byte of progress. `longest` is the longest wait that a hub may ask for.

    A server that hangs up again and again after a few bytes gets `most` tries in all, unless each brings `worth` bytes.
    """

    tries: int = 5
    most: int = 50
    worth: int = 256 * 1024
    first: float = 0.25
    longest: float = 30.0
    pause: Callable[[float], None] = time.sleep

    def wait(self, tried: int, error: HubUiError) -> float | None:
        """Seconds to wait after that many failures; None to give up."""
        if tried >= self.tries:
            return None
        own = self.first * 2 ** (tried - 1)
        asked = error.retry_after or 0.0
        return None if asked > self.longest else max(own, asked)


@dataclass(kw_only=True)
class Attempts:
    """The failures of one pull since it last came further than ever before."""

    patience: RetryPolicy
    check: Callable[[], None]
    _best: int = 0
    _failed: int = field(default=0)
    _all: int = field(default=0)

    def failed(self, error: HubUiError, done: int) -> None:
        """Waits, or raises the error. `check` may end the wait by raising."""
        self.check()
        if done > self._best:
            self._best, self._failed = done, 0
        self._failed += 1
        self._all += 1
        crawls = self._all >= self.patience.most and done < self._all * self.patience.worth
        wait = self.patience.wait(self._failed, error) if isinstance(error, PASSING) and not crawls else None
        if wait is None:
            raise error
        while wait > 0:
            self.check()
            self.patience.pause(min(wait, _SECONDS_BETWEEN_CHECKS))
            wait -= _SECONDS_BETWEEN_CHECKS
