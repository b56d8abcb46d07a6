"""The queue's SQLite file with its tasks, and the rules for what starts next, when to retry and how fast a download is.

Several processes may have it open. Every change is one statement that names the states it may start from, so two
concurrent changes can't undo each other.
"""

import sqlite3
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from connectors.errors import HubUiError, NetworkError, RateLimited
from connectors.ref import Origin, Ref
from hub_ui.database import LazyDatabase, placeholders

_LABEL = "list of downloads"
# "cancelled": its partial file has not been deleted yet.
TaskState = Literal["waiting", "running", "paused", "failed", "done", "cancelled"]
ANY: tuple[TaskState, ...] = get_args(TaskState)


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """Why it failed last: `name` is the error's class, `message` a sentence without the URL, which may be signed."""

    name: str
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """`best` is the most bytes that ever came, `speed` in bytes a second. `not_before`, in seconds since 1970, is when
    a waiting one goes on by itself; None for at once.
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
        """Whether nothing happens to it until somebody acts."""
        return self.state in ("paused", "failed", "done")

    @property
    def fraction(self) -> float | None:
        return min(1.0, self.done / self.total) if self.total else None


_COLUMNS = (
    "id", "ref", "title", "state", "done", "total", "best", "error_name", "error_message", "attempts", "not_before",
)  # fmt: skip
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM tasks"
_FRESH: dict[str, Any] = {"error_name": None, "error_message": None, "attempts": 0, "not_before": 0.0, "best": 0}


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


class QueueStore:
    """Any thread may call any method. Nothing is opened before the first call.

    Raises HubUiError where no file can be made. A damaged one is moved aside and an empty one created.
    """

    def __init__(self, path: Path) -> None:
        self._database = LazyDatabase(path, _LABEL, MIGRATIONS, {"tasks": _COLUMNS})

    def close(self) -> None:
        self._database.close()

    def add(self, ref: str, title: str) -> Task:
        """A ref has one row: adding it again restarts it unless it waits or runs."""
        sql = f"""INSERT INTO tasks (ref, title, state) VALUES (?, ?, 'waiting')
                  ON CONFLICT (ref) DO UPDATE SET state = 'waiting', {_assignments(_FRESH)}
                  WHERE state NOT IN ('waiting', 'running')"""
        with self._database.change() as connection:
            connection.execute(sql, (ref, title, *_FRESH.values()))
            [values] = connection.execute(f"{_SELECT} WHERE ref = ?", (ref,))
        return _task(values)

    def tasks(self, states: Sequence[TaskState] = ANY) -> tuple[Task, ...]:
        """In the order in which they were first added."""
        found, _ = self._execute(f"{_SELECT} WHERE state IN {placeholders(states)} ORDER BY id", *states)
        return tuple(map(_task, found))

    def task(self, id_: int) -> Task | None:
        found, _ = self._execute(f"{_SELECT} WHERE id = ?", id_)
        return _task(found[0]) if found else None

    def move(
        self, id_: int, to: TaskState, *, only_from: Sequence[TaskState], fresh: bool = False, **changes: Any
    ) -> bool:
        """False where the row is gone, or in another state by now. `fresh` forgets earlier failures."""
        values = {"state": to, **(_FRESH if fresh else {}), **changes}
        sql = f"UPDATE tasks SET {_assignments(values)} WHERE id = ? AND state IN {placeholders(only_from)}"
        return self._execute(sql, *values.values(), id_, *only_from)[1] > 0

    def progress(self, id_: int, done: int, total: int | None) -> None:
        self._execute("UPDATE tasks SET done = ?, total = ? WHERE id = ?", done, total, id_)

    def waiting_again(self) -> None:
        """After the process that ran them has ended."""
        self._execute("UPDATE tasks SET state = 'waiting' WHERE state = 'running'")

    def delete(self, id_: int, *, only_from: Sequence[TaskState]) -> bool:
        sql = f"DELETE FROM tasks WHERE id = ? AND state IN {placeholders(only_from)}"
        return self._execute(sql, id_, *only_from)[1] > 0

    def prune(self, state: TaskState, most: int) -> None:
        """Deletes all in that state but the last `most`."""
        sql = """DELETE FROM tasks WHERE state = ? AND id NOT IN
                 (SELECT id FROM tasks WHERE state = ? ORDER BY id DESC LIMIT ?)"""
        self._execute(sql, state, state, most)

    def _execute(self, sql: str, *values: Any) -> tuple[list[Sequence[Any]], int]:
        """Runs one statement, a transaction of its own. Returns the rows it found and how many it changed."""
        with self._database.use() as connection:
            cursor = connection.execute(sql, values)
            return cursor.fetchall(), cursor.rowcount


def _task(values: Sequence[Any]) -> Task:
    row = dict(zip(_COLUMNS, values, strict=True))
    name, message = row.pop("error_name"), row.pop("error_message")
    error = None if name is None or message is None else Failure(name=name, message=message)
    return Task(**{**row, "ref": Ref.parse(row["ref"]), "not_before": row["not_before"] or None}, error=error)


def _assignments(changes: dict[str, Any]) -> str:
    return ", ".join(f"{name} = ?" for name in changes)


# Averaged over a shorter time, the speed jumps; over a longer one, it is late to show a change.
_SECONDS = 4.0
_LEAST_SECONDS = 0.25
# Ten a second are told, so these are enough for that time.
_SAMPLES = 50


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

        `jitter` in 0..1 spreads the tries of many downloads. What the hub asks for is waited for in full, up to
        `longest_asked`.
        """
        if not isinstance(error, (NetworkError, RateLimited)) or attempts >= self.tries:
            return None
        own = min(self.longest, self.first * 2.0 ** (attempts - 1)) * (0.5 + jitter / 2)
        asked = min(error.retry_after or 0.0, self.longest_asked)
        return max(own, asked + jitter if asked else 0.0)


def next_up(
    waiting: Iterable[Task],
    running: Collection[Ref],
    holds: Mapping[Origin, float],
    now: float,
    limits: QueueLimits,
) -> list[Task]:
    """Those that start now, first come first served; a busy or rate-limited hub doesn't delay the others."""
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


def seconds_until(waiting: Sequence[Task], holds: Mapping[Origin, float], now: float) -> float | None:
    """Until the next retry may start."""
    times = [at for task in waiting if (at := may_start(task, holds)) > now]
    return min(times) - now if times else None


class SpeedMeter:
    """Bytes a second over the last moments. Bytes of an earlier try don't count."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._samples: deque[tuple[float, int]] = deque(maxlen=_SAMPLES)

    def update(self, done: int) -> None:
        if self._samples and done < self._samples[-1][1]:
            self._samples.clear()
        self._samples.append((self._now(), done))

    def rate(self) -> float | None:
        """Falling while nothing comes; None before there is enough to tell."""
        now, samples = self._now(), tuple(self._samples)
        if not samples or now - samples[0][0] < _LEAST_SECONDS:
            return None
        since, before = next((one for one in reversed(samples) if one[0] <= now - _SECONDS), samples[0])
        return (samples[-1][1] - before) / (now - since)
