"""Visitors of a hosted page, known by a random cookie. All that is known of them is in memory, and gone with them."""

import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from cachetools import TTLCache

from connectors.registry import HubName

# Those unused for longest go first.
MOST_VISITORS = 10_000
# Since their last request.
KEPT_SECONDS = 3_600.0


@dataclass(kw_only=True, eq=False)
class Visitor:
    """One person. `keys` are their own, and count for their requests only; never in `repr`, a log or a file."""

    id: str = field(repr=False)
    keys: dict[HubName, str] = field(default_factory=dict, repr=False)


class Visitors:
    """Any thread may call any method."""

    def __init__(
        self, *, most: int = MOST_VISITORS, seconds: float = KEPT_SECONDS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._visitors: TTLCache[str, Visitor] = TTLCache(most, seconds, timer=clock)
        self._lock = threading.Lock()

    def get(self, cookie: str) -> Visitor:
        """The visitor with that cookie, else a new one, whose id is the cookie to set."""
        with self._lock:
            visitor = self._visitors.get(cookie) or Visitor(id=secrets.token_urlsafe(32))
            # Put in anew, since that is what makes the hour begin anew.
            self._visitors[visitor.id] = visitor
            return visitor


_VISITOR: ContextVar[Visitor | None] = ContextVar("visitor", default=None)


def current_visitor() -> Visitor | None:
    """Who asks for what is done just now; None on one's own computer. A new thread has to copy the context."""
    return _VISITOR.get()


@contextmanager
def use_visitor(visitor: Visitor | None) -> Iterator[None]:
    token = _VISITOR.set(visitor)
    try:
        yield
    finally:
        _VISITOR.reset(token)
