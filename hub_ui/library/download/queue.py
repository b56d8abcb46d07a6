"""The queue of downloads: several at once, with pause, resume and retries. It survives restarts.

Tasks are stored in SQLite. Any process may add and read tasks. The process that holds the lock file next to the
database runs them; when it ends, another process can take over. One thread decides which tasks start, and each download
has its own thread.

Every change of a task is one statement with the states that it may start from, so concurrent changes can't undo each
other.
"""

import logging
import random
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from connectors.errors import HubUiError, NotFound, RateLimited
from connectors.ref import Origin, Ref
from hub_ui.base.database import LazyDatabase, placeholders
from hub_ui.library.download.partial_file import Progress, PullCancelled
from hub_ui.library.download.queue_tasks import (
    ANY,
    COLUMNS,
    MIGRATIONS,
    QueueLimits,
    SpeedMeter,
    Task,
    TaskState,
    may_start,
    next_up,
    task_of,
)
from hub_ui.library.lockfile import Entry

_LOG = logging.getLogger(__name__)
# The seconds between two looks at changes of other processes and at waiting tasks: with tasks, and without.
_POLL_SECONDS, _IDLE_SECONDS = 1.0, 3.0
_SECONDS_BETWEEN_SAVES = 1.0
_ERROR_SECONDS = 10.0
_STOP_SECONDS = 5.0
_MAX_DONE = 50
_FAULT = "Something in hub-ui itself went wrong with this download. Try it again; what went wrong stands in the log."

_FRESH: dict[str, Any] = {"error_name": None, "error_message": None, "attempts": 0, "not_before": 0.0, "best": 0}
Report = Callable[[Progress], None]
Pull = Callable[[Ref, Report, Callable[[], bool]], Entry]


class Clock:
    """The current time, and a wait on a condition. Tests replace it."""

    def now(self) -> float:
        return time.time()

    def wait(self, condition: threading.Condition, seconds: float) -> None:
        condition.wait(seconds)


@dataclass(kw_only=True, eq=False)
class _ActiveDownload:
    """A download that runs in this process. With `drop`, it is the cleanup of a cancelled one."""

    task: Task
    meter: SpeedMeter
    drop: bool = False
    stop: threading.Event = field(default_factory=threading.Event)
    done: int = 0
    total: int | None = None
    best: int = 0
    saved: float = 0.0


@dataclass(eq=False, repr=False)
class Queue:
    """A persistent queue of downloads. It is thread-safe.

    The database is opened at the first call, and no task runs before `start`. A damaged database is renamed and an
    empty one is created. Raises HubUiError if the file can't be created. `forget` deletes the partial file of a ref.
    `jitter` returns a number in 0..1. Of the failed tasks, the last `most_failed` are kept.
    """

    path: Path
    pull: Pull
    forget: Callable[[Ref], None] = lambda ref: None
    limits: QueueLimits = field(default_factory=QueueLimits)
    clock: Clock = field(default_factory=Clock)
    jitter: Callable[[], float] = random.random
    most_failed: int = 200

    def __post_init__(self) -> None:
        self._changed = threading.Condition(threading.RLock())
        self._database = LazyDatabase(self.path, "list of downloads", MIGRATIONS, {"tasks": COLUMNS})
        self._active: dict[int, _ActiveDownload] = {}
        self._holds: dict[Origin, float] = {}
        self._thread: threading.Thread | None = None
        self._stopping = False
        self._holding = False
        self._owner = False

    def start(self) -> None:
        """Start the queue. Tasks that ran or waited when the last process ended are resumed."""
        with self._changed:
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="queue", daemon=True)
                self._thread.start()

    def hold(self) -> None:
        """Start no more tasks in this process. Waiting tasks stay waiting."""
        with self._changed:
            self._holding = True

    @property
    def running(self) -> int:
        """The number of downloads that run in this process."""
        with self._changed:
            return len(self._active)

    def stop(self) -> None:
        """Stop running downloads, which resume at the next start, and close the database."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()
        with self._changed:
            self._thread, self._stopping, self._holding = None, False, False
            if not self._active:
                self._database.close()

    def add(self, ref: Ref, title: str = "") -> Task:
        """Add a ref, or restart its task if that is paused, failed or done. A ref never has two tasks."""
        sql = f"""INSERT INTO tasks (ref, title, state) VALUES (?, ?, 'waiting')
                  ON CONFLICT (ref) DO UPDATE SET state = 'waiting', {_assignments(_FRESH)}
                  WHERE state NOT IN ('waiting', 'running')"""
        with self._changed:
            with self._database.change() as connection:
                connection.execute(sql, (str(ref), title or str(ref), *_FRESH.values()))
                [task] = self._find("ref = ?", str(ref))
            self._changed.notify_all()
            return self._with_progress(task)

    def pause(self, id_: int) -> None:
        """Pause a task. Its partial file is kept."""
        self._move(id_, "paused", only_from=("waiting", "running"))

    def resume(self, id_: int) -> None:
        self._move(id_, "waiting", only_from=("paused",), not_before=0.0)

    def retry(self, id_: int) -> None:
        """Restart a failed or waiting task at once, with all of its retries."""
        with self._changed:
            for task in self._find("id = ?", id_):
                self._holds.pop(task.ref.hub, None)
            self._move(id_, "waiting", only_from=("failed", "waiting"), **_FRESH)

    def cancel(self, id_: int) -> None:
        """Remove a task and delete its partial file."""
        with self._changed:
            self._execute("DELETE FROM tasks WHERE id = ? AND state = 'done'", id_)
            self._move(id_, "cancelled", only_from=ANY)

    def clear(self) -> None:
        """Remove all tasks that are done."""
        with self._changed:
            self._prune("done", 0)
            self._changed.notify_all()

    def tasks(self) -> tuple[Task, ...]:
        """Return all tasks in the order in which they were first added."""
        with self._changed:
            return tuple(map(self._with_progress, self._find("state != 'cancelled'")))

    def task(self, id_: int) -> Task | None:
        with self._changed:
            found = self._find("id = ? AND state != 'cancelled'", id_)
            return self._with_progress(found[0]) if found else None

    def wait(self, id_: int, timeout: float | None = None) -> Task:
        """Return the task when it rests, or its state after `timeout` seconds. Raises NotFound when it is cancelled."""
        until = None if timeout is None else self.clock.now() + timeout
        with self._changed:
            while True:
                task = self.task(id_)
                if task is None:
                    raise NotFound("This download was taken off the list. Start it again if you still want it.")
                left = _POLL_SECONDS if until is None else min(_POLL_SECONDS, until - self.clock.now())
                if task.rests or left <= 0:
                    return task
                self.clock.wait(self._changed, left)

    def _find(self, condition: str, *values: Any) -> list[Task]:
        sql = f"SELECT {', '.join(COLUMNS)} FROM tasks WHERE {condition} ORDER BY id"
        return [task_of(row) for row in self._execute(sql, *values)[0]]

    def _move(self, id_: int, to: TaskState, *, only_from: Sequence[TaskState], **changes: Any) -> bool:
        """Change the state of a task. Return False if the task was removed or is in another state now."""
        values = {"state": to, **changes}
        sql = f"UPDATE tasks SET {_assignments(values)} WHERE id = ? AND state IN {placeholders(only_from)}"
        with self._changed:
            _rows, count = self._execute(sql, *values.values(), id_, *only_from)
            self._changed.notify_all()
        return count > 0

    def _prune(self, state: TaskState, most: int) -> None:
        """Delete all tasks in that state except the last `most`."""
        sql = """DELETE FROM tasks WHERE state = ? AND id NOT IN
                 (SELECT id FROM tasks WHERE state = ? ORDER BY id DESC LIMIT ?)"""
        self._execute(sql, state, state, most)

    def _save_progress(self, active: _ActiveDownload) -> None:
        self._execute("UPDATE tasks SET done = ?, total = ? WHERE id = ?", active.done, active.total, active.task.id)

    def _execute(self, sql: str, *values: Any) -> tuple[list[Sequence[Any]], int]:
        """Run one statement in its own transaction. Return its rows and the number of rows that it changed."""
        with self._database.use() as connection:
            cursor = connection.execute(sql, values)
            return cursor.fetchall(), cursor.rowcount

    def _with_progress(self, task: Task) -> Task:
        """Add the current progress and start time, which only this process has."""
        active, start = self._active.get(task.id), may_start(task, self._holds)
        task = replace(task, not_before=start if task.state == "waiting" and start > self.clock.now() else None)
        if active is None or active.drop or task.state != "running":
            return task
        speed = active.meter.rate()
        left = (active.total - active.done) / speed if speed and active.total is not None else None
        return replace(task, done=active.done, total=active.total, speed=speed, seconds_left=left)

    # The methods below run in the queue's own threads.

    def _work(self) -> None:
        ownership = FileLock(f"{self.path}.lock")
        try:
            with self._changed:
                while not self._stopping:
                    self.clock.wait(self._changed, self._step(ownership))
                for active in self._active.values():
                    active.stop.set()
                # Waiting releases the lock, so that the downloads can store their progress.
                until = time.monotonic() + _STOP_SECONDS
                while self._active and (left := until - time.monotonic()) > 0:
                    self._changed.wait(left)
        finally:
            self._owner = False
            ownership.release()

    def _step(self, ownership: FileLock) -> float:
        """Start and stop downloads. Return the seconds until the next step."""
        try:
            if not self._owner:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                ownership.acquire(timeout=0)
                # The process that ran these tasks has ended.
                self._execute("UPDATE tasks SET state = 'waiting' WHERE state = 'running'")
                for task in self._find("state = 'waiting'"):
                    if task.error is not None and task.error.name == RateLimited.__name__:
                        longest = self.clock.now() + self.limits.longest_asked
                        self._hold(task.ref.hub, min(task.not_before or 0.0, longest))
                self._owner = True
            return self._start_next()
        except Timeout:
            return _POLL_SECONDS
        except (HubUiError, OSError) as error:
            _LOG.warning("The queue waits: %s", error)
            return _ERROR_SECONDS

    def _start_next(self) -> float:
        tasks = self._find("state IN ('waiting', 'running', 'cancelled')")
        running = {task.id for task in tasks if task.state == "running"}
        for active in self._active.values():
            if active.task.id not in running and not active.drop:
                active.stop.set()
        idle = [task for task in tasks if task.id not in self._active]
        for task in idle:
            if task.state == "cancelled":
                self._launch(task, drop=True)
        # A task is "running" without an active download if its result could not be stored.
        waiting = [task for task in idle if task.state != "cancelled" and not self._holding]
        now, refs = self.clock.now(), {active.task.ref for active in self._active.values() if not active.drop}
        for task in next_up(waiting, refs, self._holds, now, self.limits):
            if self._move(task.id, "running", only_from=("waiting", "running")):
                self._launch(task)
        return _POLL_SECONDS if tasks else _IDLE_SECONDS

    def _launch(self, task: Task, *, drop: bool = False) -> None:
        active = _ActiveDownload(
            task=task, meter=SpeedMeter(self.clock.now), drop=drop, done=task.done, total=task.total
        )
        self._active[task.id] = active
        threading.Thread(target=self._run, args=(active,), name=f"queue-{task.id}", daemon=True).start()

    def _run(self, active: _ActiveDownload) -> None:
        # None means a bug in hub-ui, which the thread's excepthook reports.
        outcome: Entry | HubUiError | None = None
        try:
            if not active.drop:
                outcome = self.pull(
                    active.task.ref, lambda progress: self._update(active, progress), active.stop.is_set
                )
            else:
                self.forget(active.task.ref)
        except HubUiError as error:
            outcome = error
            if active.drop:
                _LOG.warning("What has come of %s could not be dropped: %s", active.task.ref, error)
        finally:
            with self._changed:
                try:
                    self._record(active, outcome)
                except HubUiError as error:
                    _LOG.warning("The queue can't note how %s ended: %s", active.task.ref, error)
                finally:
                    del self._active[active.task.id]
                    self._changed.notify_all()

    def _update(self, active: _ActiveDownload, progress: Progress) -> None:
        active.done, active.total = progress.done, progress.total
        active.best = max(active.best, progress.done)
        active.meter.update(progress.done)
        now = self.clock.now()
        if abs(now - active.saved) >= _SECONDS_BETWEEN_SAVES:
            active.saved = now
            # The download continues even if its progress can't be stored now.
            with suppress(HubUiError):
                self._save_progress(active)

    def _record(self, active: _ActiveDownload, outcome: Entry | HubUiError | None) -> None:
        id_ = active.task.id
        if active.drop:
            self._execute("DELETE FROM tasks WHERE id = ? AND state = 'cancelled'", id_)
        elif isinstance(outcome, Entry):
            # The download is complete, even if a visitor paused it at the last moment.
            whole = {**_FRESH, "done": outcome.size, "total": outcome.size}
            self._move(id_, "done", only_from=("running", "waiting", "paused"), **whole)
            self._prune("done", _MAX_DONE)
        elif isinstance(outcome, PullCancelled):
            self._save_progress(active)
            # A task that is still "running" was not paused: this process is stopping.
            self._move(id_, "waiting", only_from=("running",))
        else:
            self._record_failure(active, outcome or HubUiError(_FAULT))

    def _record_failure(self, active: _ActiveDownload, error: HubUiError) -> None:
        attempts = 1 if active.best > active.task.best else active.task.attempts + 1
        wait = self.limits.next_try(attempts, error, self.jitter())
        not_before = 0.0 if wait is None else self.clock.now() + wait
        if wait is not None and isinstance(error, RateLimited) and error.retry_after:
            self._hold(active.task.ref.hub, not_before)
        self._move(
            active.task.id,
            "failed" if wait is None else "waiting",
            only_from=("running",),
            error_name=error.name,
            error_message=error.message,
            attempts=attempts,
            not_before=not_before,
            best=max(active.best, active.task.best),
            done=active.done,
            total=active.total,
        )
        self._prune("failed", self.most_failed)

    def _hold(self, hub: Origin, until: float) -> None:
        """Delay all downloads from a hub because of its rate limit."""
        self._holds[hub] = max(until, self._holds.get(hub, 0.0))


def _assignments(changes: dict[str, Any]) -> str:
    return ", ".join(f"{name} = ?" for name in changes)
