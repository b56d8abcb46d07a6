"""Tasks of the queue and their rows in SQLite: which starts next, when to retry, and the speed of a download."""

import sqlite3
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from connectors.errors import HubUiError, NetworkError, RateLimited
from connectors.ref import Origin, Ref

# "cancelled": its partial file has not been deleted yet.
TaskState = Literal["waiting", "running", "paused", "failed", "done", "cancelled"]
ANY: tuple[TaskState, ...] = get_args(TaskState)


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """The last failure: `name` is the error's class, `message` a sentence without the URL, which may be signed."""

    name: str
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """A download in the queue.

    `best` is the largest number of bytes so far, `speed` is in bytes per second. `not_before`, in seconds since 1970,
    is the time when a waiting task starts by itself; None means at once.
    """

    id: int
    ref: Ref
    title: str
    state: TaskState
    done: int = 0
    total: int | None = None
    best: int = 0
    error: Failure | None = None
    attempts: int = 0
    not_before: float | None = None
    speed: float | None = None
    seconds_left: float | None = None

    @property
    def rests(self) -> bool:
        """Whether the task stays as it is until a visitor acts."""
        return self.state in ("paused", "failed", "done")

    @property
    def fraction(self) -> float | None:
        return min(1.0, self.done / self.total) if self.total else None


COLUMNS = (
    "id", "ref", "title", "state", "done", "total", "best", "error_name", "error_message", "attempts", "not_before",
)  # fmt: skip


def _m001_initial(connection: sqlite3.Connection) -> None:
    connection.execute(
        """CREATE TABLE tasks (
            id INTEGER PRIMARY KEY AUTOINCREMENT, ref TEXT NOT NULL UNIQUE, title TEXT NOT NULL, state TEXT NOT NULL,
            done INTEGER NOT NULL DEFAULT 0, total INTEGER, best INTEGER NOT NULL DEFAULT 0,
            error_name TEXT, error_message TEXT,
            attempts INTEGER NOT NULL DEFAULT 0, not_before REAL NOT NULL DEFAULT 0)"""
    )
    connection.execute("CREATE INDEX tasks_state ON tasks (state)")


# Only ever append.
MIGRATIONS = [_m001_initial]


def task_of(row: Sequence[Any]) -> Task:
    """Build a task from the values of COLUMNS."""
    values = dict(zip(COLUMNS, row, strict=True))
    name, message = values.pop("error_name"), values.pop("error_message")
    error = None if name is None or message is None else Failure(name=name, message=message)
    return Task(**{**values, "ref": Ref.parse(values["ref"]), "not_before": values["not_before"] or None}, error=error)


# Over a shorter time the average speed jumps, over a longer time it shows a change late.
_SECONDS = 4.0
_LEAST_SECONDS = 0.25
# The meter reports ten times a second, so this many samples span that time.
_SAMPLES = 50


@dataclass(frozen=True, kw_only=True, slots=True)
class QueueLimits:
    """The limits of the queue. `tries` is the number of tries in a row without progress.

    Waits double from `first` seconds. `longest_asked` is the longest wait in seconds that a hub may demand, because a
    wrong clock can demand years.
    """

    workers: int = 3
    per_host: int = 2
    tries: int = 5
    first: float = 2.0
    longest: float = 300.0
    longest_asked: float = 3600.0

    def next_try(self, attempts: int, error: HubUiError, jitter: float) -> float | None:
        """Return the seconds to wait after that many failed attempts, or None if a retry won't help.

        `jitter` in 0..1 spreads the retries of many downloads. A wait that the hub demands is kept in full, up to
        `longest_asked`.
        """
        if not isinstance(error, (NetworkError, RateLimited)) or attempts >= self.tries:
            return None
        backoff = min(self.longest, self.first * 2.0 ** (attempts - 1)) * (0.5 + jitter / 2)
        requested = min(error.retry_after or 0.0, self.longest_asked)
        return max(backoff, requested + jitter if requested else 0.0)


def next_up(
    waiting: Iterable[Task],
    running: Collection[Ref],
    holds: Mapping[Origin, float],
    now: float,
    limits: QueueLimits,
) -> list[Task]:
    """Return the tasks that start now, first come first served. A busy or rate-limited hub doesn't delay other hubs."""
    busy = Counter(ref.hub for ref in running)
    chosen: list[Task] = []
    for task in waiting:
        hub = task.ref.hub
        if len(running) + len(chosen) >= limits.workers:
            break
        if task.ref in running or busy[hub] >= limits.per_host or may_start(task, holds) > now:
            continue
        busy[hub] += 1
        chosen.append(task)
    return chosen


def may_start(task: Task, holds: Mapping[Origin, float]) -> float:
    return max(task.not_before or 0.0, holds.get(task.ref.hub, 0.0))


class SpeedMeter:
    """The recent speed in bytes per second. Bytes of an earlier try don't count."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._samples: deque[tuple[float, int]] = deque(maxlen=_SAMPLES)

    def update(self, done: int) -> None:
        if self._samples and done < self._samples[-1][1]:
            self._samples.clear()
        self._samples.append((self._now(), done))

    def rate(self) -> float | None:
        """Return the speed, which falls while no bytes arrive. Return None until there are enough samples."""
        now, samples = self._now(), tuple(self._samples)
        if not samples or now - samples[0][0] < _LEAST_SECONDS:
            return None
        since, before = next((one for one in reversed(samples) if one[0] <= now - _SECONDS), samples[0])
        return (samples[-1][1] - before) / (now - since)
