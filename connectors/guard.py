"""A circuit breaker, a rate limit and a response cache for each hub. All requests to a hub pass through its guard.

CircuitBreaker pauses the requests to a hub that keeps failing. TokenBucket limits the requests per minute.
ResponseCache sends one request for callers that ask the same at the same time without keys of their own. While a hub
hangs, HubGuard limits how many searches wait for it.
"""

import threading
import time
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal, TypeAlias, TypeVar

from cachetools import LRUCache, TTLCache

from connectors import errors
from connectors.connector import Connector, Download
from connectors.http.errors import when_again
from connectors.query import Page, Query
from connectors.record import Lora
from connectors.ref import HubName, Ref
from connectors.registry import HUBS, Rate

FAILURES_IN_A_ROW = 5
FIRST_PAUSE, LONGEST_PAUSE = 15.0, 300.0
# The pause after a hub has asked to slow down without saying for how long.
USUAL_PAUSE = 30.0
# A request that takes longer counts as a failure while it is still running.
OVERDUE_SECONDS = 20.0
# The most searches that wait for a hub whose responses take longer than SLOW_SECONDS.
MOST_WAITING, SLOW_SECONDS = 16, 4.0
# A person may retry a hub before the pause ends, but many clicks must not become many requests.
CLICK_SECONDS = 3.0
# A LoRA costs two or three requests: for itself, and for its version or card.
REQUESTS_OF_A_LORA = 2
# How long a response is cached for callers without keys of their own.
ANSWER_SECONDS = 15.0
_MOST_KEYS = 1_000
_MOST_ANSWERS = 64

BreakerState: TypeAlias = Literal["closed", "half-open", "open"]
Outcome: TypeAlias = Literal[
    "answered", "shared", "refused", "not_found", "rate_limited", "no_answer", "bad_answer", "fault", "left_alone",
    "over_budget",
]  # fmt: skip
Report: TypeAlias = Callable[[HubName, Outcome], None]
Clock: TypeAlias = Callable[[], float]
_T = TypeVar("_T")

# The first row with the error's class decides.
OUTCOMES: tuple[tuple[type[errors.HubUiError], Outcome], ...] = (
    (errors.AccessError, "refused"),
    (errors.NotFound, "not_found"),
    (errors.RateLimited, "rate_limited"),
    (errors.BadAnswer, "bad_answer"),
    (errors.NetworkError, "no_answer"),
    (errors.HubUiError, "fault"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Asker:
    """The caller in this context.

    Callers with the same `right` and without a `key` of their own may share a response.
    """

    right: str = "anyone"
    key: str | None = field(default=None, repr=False)


class CircuitBreaker:
    """A circuit breaker for one hub. Thread-safe.

    After some failures in a row it opens, and the hub gets no requests for a while. Then it is half-open and lets one
    request through. Each pause is twice as long as the one before. Refusals and missing LoRAs don't count as failures.
    """

    def __init__(self, hub: HubName, *, failures: int = FAILURES_IN_A_ROW, clock: Clock = time.monotonic) -> None:
        self._hub = hub
        self._most = failures
        self._clock = clock
        self._lock = threading.Lock()
        # The running requests with their start times, and the request that was let through while half-open.
        self._running: dict[object, float] = {}
        self._probe: object = None
        self._failures = 0
        self._pauses = 0
        # While open: the end of the pause, and its reason.
        self._until: float | None = None
        self._reason: type[errors.HubUiError] = errors.HubDown
        self._last_retry = -CLICK_SECONDS

    @property
    def state(self) -> BreakerState:
        with self._lock:
            if self._until is None:
                return "closed"
            return "open" if self._clock() < self._until else "half-open"

    @property
    def seconds_left(self) -> float:
        """The rest of the pause in seconds; 0 if requests are allowed."""
        with self._lock:
            return 0.0 if self._until is None else max(0.0, self._until - self._clock())

    def ask_again(self) -> None:
        """End the pause, because a person wants to retry. At most one call in CLICK_SECONDS has an effect."""
        with self._lock:
            now = self._clock()
            if self._until is not None and now - self._last_retry >= CLICK_SECONDS:
                self._last_retry = self._until = now

    def check(self) -> None:
        """Raise HubDown or RateLimited while requests to the hub are paused."""
        with self._lock:
            self._check()

    @contextmanager
    def request(self, *, is_shared: bool = True) -> Iterator[None]:
        """Count one request and its outcome. Raises as `check` does.

        Without `is_shared`, RateLimited opens nothing, because it concerns only the owner of the key.
        """
        with self._lock:
            self._check()
            request = object()
            self._running[request] = self._clock()
            if self._until is not None:
                self._probe = request
        try:
            yield
        # Any other error is a bug of the app and says nothing about the hub.
        except errors.HubUiError as error:
            with self._lock:
                self._record(error, is_shared, is_probe=request is self._probe)
            raise
        else:
            with self._lock:
                self._record(None, is_shared, is_probe=request is self._probe)
        finally:
            with self._lock:
                del self._running[request]

    def _check(self) -> None:
        now = self._clock()
        overdue = sum(now - start > OVERDUE_SECONDS for start in self._running.values())
        if self._until is None and self._failures + overdue >= self._most:
            self._open(errors.HubDown)
        if self._until is None:
            return
        wait = self._until - now
        if wait <= 0 and self._probe not in self._running:
            return
        wait = max(wait, CLICK_SECONDS)
        why = "asks to slow down" if self._reason is errors.RateLimited else "has failed several times in a row"
        raise self._reason(
            f"{HUBS[self._hub].label} {why}, so it is not asked just now. It is asked again {when_again(wait)}.",
            hub=self._hub,
            retry_after=wait,
        )

    def _record(self, error: errors.HubUiError | None, is_shared: bool, *, is_probe: bool) -> None:
        if isinstance(error, errors.HubDown | errors.HubTimeout):
            self._failures += 1
            if is_probe or (self._until is None and self._failures >= self._most):
                self._open(errors.HubDown, at_least=error.retry_after or 0.0)
        elif isinstance(error, errors.RateLimited):
            if is_shared:
                self._open(errors.RateLimited, USUAL_PAUSE if error.retry_after is None else error.retry_after)
        # BadAnswer counts as a success too, because an unreadable response may be due to the request.
        else:
            self._failures = self._pauses = 0
            self._until = None

    def _open(self, reason: type[errors.HubUiError], seconds: float | None = None, *, at_least: float = 0.0) -> None:
        """Pause requests for `seconds`. The default is twice the last pause, or `at_least` if that is longer."""
        if seconds is None:
            seconds = max(FIRST_PAUSE * 2.0**self._pauses, at_least)
            self._pauses = min(self._pauses + 1, 10)
        self._reason = reason
        self._until = self._clock() + min(seconds, LONGEST_PAUSE)


class TokenBucket:
    """A rate limit of `per_minute` requests, half of which may be sent at once. Thread-safe."""

    def __init__(self, per_minute: int, *, clock: Clock = time.monotonic) -> None:
        self._per_second = per_minute / 60
        self._most = max(1.0, per_minute / 2)
        self._left = self._most
        self._clock = clock
        self._refilled_at = clock()
        self._lock = threading.Lock()

    def take(self, requests: int) -> float:
        """Take `requests` from the budget and return 0, or return in how many seconds there will be enough."""
        with self._lock:
            now = self._clock()
            self._left = min(self._most, self._left + (now - self._refilled_at) * self._per_second)
            self._refilled_at = now
            # If more requests are needed than a full budget has, wait until it is full and overdraw it.
            wanted = min(float(requests), self._most)
            if self._left < wanted:
                return (wanted - self._left) / self._per_second
            self._left -= requests
            return 0.0


class ResponseCache:
    """A cache that keeps responses for some `seconds` and sends one request for all concurrent callers. Thread-safe."""

    def __init__(self, seconds: float, *, most: int = _MOST_ANSWERS, clock: Clock = time.monotonic) -> None:
        self._cached: TTLCache[Hashable, Future[Any]] = TTLCache(most, seconds, timer=clock)
        self._running: dict[Hashable, Future[Any]] = {}
        self._lock = threading.Lock()

    def get(self, key: Hashable, ask: Callable[[], _T]) -> tuple[_T, bool]:
        """Return the response, and whether another caller requested it.

        An error is raised for all callers that wait for it, and isn't cached.
        """
        with self._lock:
            future = self._cached.get(key) or self._running.get(key)
            is_first = future is None
            if future is None:
                future = self._running[key] = Future()
        if not is_first:
            return future.result(), True
        try:
            future.set_result(ask())
        except BaseException as error:
            future.set_exception(error)
            raise
        finally:
            with self._lock:
                del self._running[key]
                if future.exception() is None:
                    self._cached[key] = future
        return future.result(), False


class HubGuard:
    """The circuit breaker, rate limits and cached responses of one hub."""

    def __init__(
        self,
        hub: HubName,
        *,
        rate: Rate | None = None,
        seconds: float = 0.0,
        asker: Callable[[HubName], Asker] = lambda _hub: Asker(),
        report: Report = lambda _hub, _outcome: None,
        clock: Clock = time.monotonic,
    ) -> None:
        """Set up the guard.

        `rate` None sets no limit; `seconds` is how long a response is shared with other callers.
        """
        self.hub = hub
        self.label = HUBS[hub].label
        self.breaker = CircuitBreaker(hub, clock=clock)
        self._rate = rate
        self._asker = asker
        self._report = report
        self._clock = clock
        self._answers = ResponseCache(seconds, clock=clock)
        self._budgets: LRUCache[int, TokenBucket] = LRUCache(_MOST_KEYS)
        # The waiting searches with their start times.
        self._waiting: dict[object, float] = {}
        self._lock = threading.Lock()

    def search(self, ask: Callable[[], _T], question: Hashable) -> _T:
        """Return what `ask` returns. Raises HubTimeout while too many searches wait, the oldest of them for long."""
        search, now = object(), self._clock()
        with self._lock:
            if len(self._waiting) >= MOST_WAITING and now - min(self._waiting.values()) > SLOW_SECONDS:
                raise errors.HubTimeout(
                    f"{self.label} is slow to answer just now, so its results are left out. Try again in a minute.",
                    hub=self.hub,
                )
            self._waiting[search] = now
        try:
            return self.ask(ask, question=question)
        finally:
            with self._lock:
                del self._waiting[search]

    def ask(self, ask: Callable[[], _T], *, requests: int = 1, question: Hashable = None) -> _T:
        """Return the result of `ask`, or share the response of a caller with the same `question` and right."""
        asker = self._asker(self.hub)
        if question is None or asker.key:
            return self._ask(ask, requests, asker)
        answer, is_shared = self._answers.get((asker.right, question), lambda: self._ask(ask, requests, asker))
        if is_shared:
            self._report(self.hub, "shared")
        return answer

    def _ask(self, ask: Callable[[], _T], requests: int, asker: Asker) -> _T:
        outcome: Outcome = "left_alone"
        try:
            self.breaker.check()
            outcome = "over_budget"
            self._spend(requests, asker.key)
            outcome = "left_alone"
            with self.breaker.request(is_shared=asker.key is None):
                outcome = "fault"
                answer = ask()
            outcome = "answered"
            return answer
        except errors.HubUiError as error:
            if outcome == "fault":
                outcome = next(name for kind, name in OUTCOMES if isinstance(error, kind))
            raise
        finally:
            self._report(self.hub, outcome)

    def _spend(self, requests: int, key: str | None) -> None:
        """Take `requests` from the budget of the key, or from the budget of all callers without a key.

        Raises RateLimited.
        """
        if self._rate is None:
            return
        with self._lock:
            budget_key = hash(key) if key else 0
            budget = self._budgets.get(budget_key)
            if budget is None:
                per_minute = self._rate.keyed if key else self._rate.keyless
                budget = self._budgets[budget_key] = TokenBucket(per_minute, clock=self._clock)
        wait = budget.take(requests)
        if wait:
            raise errors.RateLimited(
                f"{self.label} has been asked as often as it allows. What was seen before is shown; it is asked again "
                f"{when_again(wait)}.",
                hub=self.hub,
                retry_after=max(1.0, wait),
            )


# Methods that only some hubs have (HasHistory, HasImages, FindsByHash), with their number of requests.
_ABILITIES = {"history": 1, "images": 1, "by_hash": REQUESTS_OF_A_LORA}


class GuardedConnector:
    """A connector whose requests pass through its hub's guard.

    `download` and `locate` only check that the circuit breaker is closed.
    """

    def __init__(self, connector: Connector, guard: HubGuard) -> None:
        self.connector = connector
        self.guard = guard
        self.name = connector.name
        # Set them only if the hub has them, because callers check with isinstance.
        for name, requests in _ABILITIES.items():
            if hasattr(connector, name):
                setattr(self, name, partial(self._ask, name, requests))

    def _ask(self, name: str, requests: int, about: Ref | str) -> Any:
        return self.guard.ask(lambda: getattr(self.connector, name)(about), requests=requests, question=(name, about))

    def search(self, query: Query, cursor: str | None = None) -> Page:
        # Leave out filters that are not sent to the hub, so that queries that differ only in them share a response.
        question = replace(query, hubs=(), installed=None, favorite=None)
        return self.guard.search(lambda: self.connector.search(query, cursor), ("search", question, cursor))

    def get(self, ref: Ref) -> Lora:
        return self.guard.ask(lambda: self.connector.get(ref), requests=REQUESTS_OF_A_LORA, question=("get", ref))

    def download(self, ref: Ref, lora: Lora | None = None) -> Download:
        self.guard.breaker.check()
        return self.connector.download(ref, lora)

    def locate(self, ref: Ref) -> Download:
        self.guard.breaker.check()
        return self.connector.locate(ref)


def without_guard(connector: Connector) -> Connector:
    """Return the connector without its guard, for callers that limit their own rate and wait for themselves."""
    return connector.connector if isinstance(connector, GuardedConnector) else connector
