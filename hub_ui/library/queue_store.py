"""The queue's SQLite file with its tasks, and the rules for what starts next, when to retry and how fast a download is.

Several processes may have it open. Every change is one statement that names the states it may start from, so two
concurrent changes can't undo each other.
"""

import sqlite3
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from connectors.errors import HubUiError, NetworkError, RateLimited
from connectors.ref import Origin, Ref
from hub_ui.database import LazyDatabase, placeholders

_LABEL = "list of downloads"
# "cancelled": its partial file has not been deleted yet.
RowState = Literal["waiting", "running", "paused", "failed", "done", "cancelled"]
ANY: tuple[RowState, ...] = ("waiting", "running", "paused", "failed", "done", "cancelled")


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """`best` is the most bytes that ever came. `not_before` is a time in seconds since 1970; 0 for at once."""

    id: int
    ref: str
    title: str
    state: RowState
    done: int
    total: int | None
    best: int
    error_name: str | None
    error_message: str | None
    attempts: int
    not_before: float


_COLUMNS = tuple(field.name for field in fields(Row))
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

    def add(self, ref: str, title: str) -> Row:
        """A ref has one row: adding it again restarts it unless it waits or runs."""
        sql = f"""INSERT INTO tasks (ref, title, state) VALUES (?, ?, 'waiting')
                  ON CONFLICT (ref) DO UPDATE SET state = 'waiting', {_assignments(_FRESH)}
                  WHERE state NOT IN ('waiting', 'running')"""
        with self._database.change() as connection:
            connection.execute(sql, (ref, title, *_FRESH.values()))
            [values] = connection.execute(f"{_SELECT} WHERE ref = ?", (ref,))
        return _row(values)

    def rows(self, states: Sequence[RowState] = ANY) -> tuple[Row, ...]:
        """In the order in which they were first added."""
        found, _ = self._execute(f"{_SELECT} WHERE state IN {placeholders(states)} ORDER BY id", *states)
        return tuple(map(_row, found))

    def row(self, id_: int) -> Row | None:
        found, _ = self._execute(f"{_SELECT} WHERE id = ?", id_)
        return _row(found[0]) if found else None

    def move(
        self, id_: int, to: RowState, *, only_from: Sequence[RowState], fresh: bool = False, **changes: Any
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

    def delete(self, id_: int, *, only_from: Sequence[RowState]) -> bool:
        sql = f"DELETE FROM tasks WHERE id = ? AND state IN {placeholders(only_from)}"
        return self._execute(sql, id_, *only_from)[1] > 0

    def prune(self, state: RowState, most: int) -> None:
        """Deletes all in that state but the last `most`."""
        sql = """DELETE FROM tasks WHERE state = ? AND id NOT IN
                 (SELECT id FROM tasks WHERE state = ? ORDER BY id DESC LIMIT ?)"""
        self._execute(sql, state, state, most)

    def _execute(self, sql: str, *values: Any) -> tuple[list[Sequence[Any]], int]:
        """Runs one statement, a transaction of its own. Returns the rows it found and how many it changed."""
        with self._database.use() as connection:
            cursor = connection.execute(sql, values)
            return cursor.fetchall(), cursor.rowcount


def _row(values: Sequence[Any]) -> Row:
    return Row(**dict(zip(_COLUMNS, values, strict=True)))


def _assignments(changes: dict[str, Any]) -> str:
    return ", ".join(f"{name} = ?" for name in changes)


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

        `jitter` in 0..1 spreads the tries of many downloads. What the hub asks for is waited for in full, up to
        `longest_asked`.
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
