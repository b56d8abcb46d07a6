"""The queue's decisions as plain functions: what starts next, when to retry, how fast a download is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from connectors.errors import HubUiError, NetworkError, RateLimited
from connectors.ref import Origin, Ref
from hub_ui.library.queue_store import Row

# Averaged over a shorter time, the speed jumps; over a longer one, it is late to show a change.
_SMOOTH_SECONDS = 4.0
_SECONDS_BETWEEN_SAMPLES = 0.25


@dataclass(frozen=True, kw_only=True, slots=True)
class QueueLimits:
    """`tries`: how often one download is tried in a row without coming further. Waits double from `first` seconds.

    `longest_asked`: the longest wait in seconds that a hub may ask for; a wrong clock can ask for years.
    """

    workers: int = 3
    per_host: int = 2
    tries: int = 5
    first: float = 2.0
    longest: float = 300.0
    longest_asked: float = 3600.0

    def next_try(self, attempts: int, error: HubUiError, jitter: float) -> float | None:
        """Seconds to wait after that many failed attempts; None where only a person can help.

        `jitter` in 0..1 spreads the tries of many downloads, so that a hub that comes back doesn't get all of them at
        once. What the hub asks for is waited for in full, up to `longest_asked`.
        """
        if not isinstance(error, (NetworkError, RateLimited)) or attempts >= self.tries:
            return None
        own = min(self.longest, self.first * 2.0 ** (attempts - 1)) * (0.5 + jitter / 2)
        asked = min(error.retry_after or 0.0, self.longest_asked)
        return max(own, asked + jitter if asked else 0.0)


def next_up(
    waiting: Iterable[Row],
    running: Collection[Ref],
    holds: Mapping[Origin, float],
    now: float,
    limits: QueueLimits,
) -> list[Row]:
    """Those that start now, first come first served; a busy or rate-limited hub doesn't delay the others."""
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
    """Until the next retry may start."""
    times = [at for row in waiting if (at := may_start(row, Ref.parse(row.ref), holds)) > now]
    return min(times) - now if times else None


class SpeedMeter:
    """Smoothed bytes a second. Bytes of an earlier try don't count."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._at: float | None = None
        self._done = 0
        self._rate: float | None = None

    def update(self, done: int) -> None:
        now = self._now()
        if self._at is None or done < self._done:
            self._at, self._done = now, done
        elif now - self._at >= _SECONDS_BETWEEN_SAMPLES:
            self._rate = self._smooth(done, now)
            self._at, self._done = now, done

    def rate(self) -> float | None:
        """Bytes a second, falling while nothing comes; None before the first samples."""
        now = self._now()
        if self._rate is None or self._at is None or now - self._at < 2 * _SECONDS_BETWEEN_SAMPLES:
            return self._rate
        return self._smooth(self._done, now)

    def _smooth(self, done: int, now: float) -> float:
        assert self._at is not None
        seconds = now - self._at
        rate = (done - self._done) / seconds
        if self._rate is None:
            return rate
        return self._rate + min(1.0, seconds / _SMOOTH_SECONDS) * (rate - self._rate)
