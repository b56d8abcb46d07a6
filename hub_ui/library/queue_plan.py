"""What the queue decides, as plain functions: what starts next, when a failed one is tried again, how fast it goes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from connectors.errors import HubUiError, NetworkError, RateLimited
from connectors.ref import Origin, Ref
from hub_ui.library.queue_store import Row

# A speed is felt over some seconds: shorter, the number jumps; longer, it lies after a change.
_SMOOTH_SECONDS = 4.0
_SECONDS_BETWEEN_SAMPLES = 0.25


@dataclass(frozen=True, kw_only=True, slots=True)
class QueueLimits:
    """`tries`: how often one download is tried in a row without coming further. Waits double from `first` seconds.

    `longest_asked`: the longest wait in seconds that a hub may ask for. A wrong clock, or malice, can ask for years.
    """

    workers: int = 3
    per_host: int = 2
    tries: int = 5
    first: float = 2.0
    longest: float = 300.0
    longest_asked: float = 3600.0

    def next_try(self, attempts: int, error: HubUiError, luck: float) -> float | None:
        """Seconds to wait after that many failed attempts; None where only a person can help.

        `luck` in 0..1 spreads the tries of many: a hub that comes back is not met by all of them at once. What the hub
        asks for is waited for in full, up to an hour.
        """
        if not isinstance(error, (NetworkError, RateLimited)) or attempts >= self.tries:
            return None
        own = min(self.longest, self.first * 2.0 ** (attempts - 1)) * (0.5 + luck / 2)
        asked = min(error.retry_after or 0.0, self.longest_asked)
        return max(own, asked + luck if asked else 0.0)


def next_up(
    waiting: Iterable[Row],
    running: Collection[Ref],
    holds: Mapping[Origin, float],
    now: float,
    limits: QueueLimits,
) -> list[Row]:
    """Those that start now, first come first served; a hub that is busy or on hold does not keep the others waiting."""
    busy = Counter(ref.hub for ref in running)
    chosen: list[Row] = []
    for row in waiting:
        ref = Ref.parse(row.ref)
        if len(running) + len(chosen) >= limits.workers:
            break
        if ref in running or busy[ref.hub] >= limits.per_host or may_start(row, ref, holds) > now:
            continue
        busy[ref.hub] += 1
        chosen.append(row)
    return chosen


def may_start(row: Row, ref: Ref, holds: Mapping[Origin, float]) -> float:
    return max(row.not_before, holds.get(ref.hub, 0.0))


def seconds_until(waiting: Sequence[Row], holds: Mapping[Origin, float], now: float) -> float | None:
    """How long until one that waits for its time may start."""
    times = [at for row in waiting if (at := may_start(row, Ref.parse(row.ref), holds)) > now]
    return min(times) - now if times else None


class SpeedMeter:
    """Bytes a second, smoothed, of what comes now: bytes that lay there before count for nothing."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._at: float | None = None
        self._done = 0
        self._rate: float | None = None

    def saw(self, done: int) -> None:
        now = self._now()
        if self._at is None or done < self._done:
            self._at, self._done = now, done
            return
        if now - self._at >= _SECONDS_BETWEEN_SAMPLES:
            self._rate = self._with(done, now)
            self._at, self._done = now, done

    def rate(self) -> float | None:
        """Falls while nothing comes; None before anything can be said."""
        now = self._now()
        if self._rate is None or self._at is None or now - self._at < 2 * _SECONDS_BETWEEN_SAMPLES:
            return self._rate
        return self._with(self._done, now)

    def _with(self, done: int, now: float) -> float:
        assert self._at is not None
        seconds = now - self._at
        fresh = (done - self._done) / seconds
        if self._rate is None:
            return fresh
        share = min(1.0, seconds / _SMOOTH_SECONDS)
        return self._rate + share * (fresh - self._rate)
