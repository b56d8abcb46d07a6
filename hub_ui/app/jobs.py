"""Jobs: work that continues when its page is closed.

A job has a secret id, with which a reloaded page or a second tab can follow it.
"""

import contextvars
import os
import secrets
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import suppress
from copy import copy
from dataclasses import dataclass, field
from typing import Any

from connectors.errors import HubUiError, UsageError
from hub_ui.access.visitor import current_visitor
from hub_ui.base.i18n import N_, _

MOST_RUNNING = 12
MOST_KEPT = 50
KEPT_SECONDS = 3600.0
ABANDONED_SECONDS = 60.0
# Wait this long for the threads at exit, because a step or the loading of a base model can't be interrupted.
CLOSE_SECONDS = 30.0
# A nice value, so that a hosted page stays responsive while it generates images. It is not set on a person's own
# computer, where an image could take ten times as long next to other programs.
HOSTED_PRIORITY = 10
GONE = N_("This is no longer here. Start it again.")
# A function that takes `on_progress` and `is_cancelled`, and returns the job's result.
Work = Callable[[Callable[[Any], None], Callable[[], bool]], Any]
# Pairs of a step's number and the step.
Steps = Generator[tuple[int, Any], None, None]


@dataclass(frozen=True, kw_only=True)
class Stopped:
    """The last step of a stopped job. `text` is a message for its followers."""

    text: str


@dataclass(frozen=True, kw_only=True)
class Done:
    result: Any


@dataclass(frozen=True, kw_only=True)
class Failed:
    error: BaseException


@dataclass(frozen=True, kw_only=True)
class JobSubject:
    """The subject of a job. `kind`, such as "generation" or "check", decides which page shows its steps.

    A page compares `name` and `refs` with its own. `downloads` are the queue tasks that the job started; `waits_for`
    are all tasks that it needs.
    """

    kind: str = "generation"
    name: str = ""
    refs: tuple[str, ...] = ()
    downloads: tuple[int, ...] = ()
    waits_for: tuple[int, ...] = ()


@dataclass(kw_only=True, eq=False)
class Job:
    """A job with its inputs, its latest step, the number of that step, and its outcome.

    `person` and `address` identify the visitor who started it (see access/visitor.py). `seen` is the time when a page
    last read it, by the clock of Jobs. `last_word` is the message that its followers get when it is stopped.
    """

    id: str
    subject: JobSubject
    inputs: object
    person: str
    address: str
    seen: float
    number: int = 0
    step: Any = None
    outcome: Done | Failed | None = None
    last_word: str = ""
    stop: threading.Event = field(default_factory=threading.Event)
    changed: threading.Condition = field(default_factory=threading.Condition)

    @property
    def result(self) -> Any:
        """The result, or None if the job is unfinished or has failed."""
        return self.outcome.result if isinstance(self.outcome, Done) else None

    @property
    def problem(self) -> str:
        """An error message for the page; empty if the job has not failed."""
        if not isinstance(self.outcome, Failed):
            return ""
        error = self.outcome.error
        return error.message if isinstance(error, HubUiError) else _("It failed unexpectedly. The log has the details.")

    def put(self, step: Any, now: float) -> None:
        with self.changed:
            if isinstance(step, Done | Failed):
                self.outcome, self.seen = step, now
            else:
                self.step = step
            self.number += 1
            self.changed.notify_all()


@dataclass(kw_only=True, eq=False, repr=False)
class Jobs:
    """The running jobs, and the results of the last hour, at most fifty. Thread-safe.

    If `hosted` is set, a job that no page follows for a minute is cancelled. At most `most` jobs may be unfinished, and
    at most `own` of one visitor. All visitors at one network address may together have as many as `people` visitors,
    but at most half of `most`. `check` raises an error if no new job may start.
    """

    hosted: bool = False
    most: int = MOST_RUNNING
    own: int = MOST_RUNNING
    people: int = 1
    check: Callable[[], None] = lambda: None
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self._at_address = max(self.own, min(self.own * self.people, self.most // 2))
        self._lock = threading.Lock()
        self._kept: dict[str, Job] = {}
        self._threads: list[threading.Thread] = []

    def start(self, subject: JobSubject, work: Work, *, inputs: object = None) -> str:
        """Run `work(on_progress, is_cancelled)` in a thread and return the id of the job.

        If the same visitor has an unfinished job of this kind with equal `inputs`, return its id instead. Raise
        UsageError if too many jobs are unfinished.
        """
        self.check()
        visitor = current_visitor()
        job = Job(
            id=secrets.token_urlsafe(24), inputs=inputs, subject=subject, seen=self.clock(),
            person=visitor.person if visitor else "", address=visitor.address if visitor else "",
        )  # fmt: skip
        with self._lock:
            self._remove_old()
            key = (job.person, subject.kind, inputs)
            for other in self._active() if inputs is not None else ():
                if (other.person, other.subject.kind, other.inputs) == key:
                    return other.id
            self.check_room()
            self._kept[job.id] = job
        run = contextvars.copy_context().run
        thread = threading.Thread(target=run, args=(self._run, job, work), daemon=True)
        with self._lock:
            self._threads = [other for other in self._threads if other.is_alive()]
            self._threads.append(thread)
            thread.start()
        return job.id

    def _run(self, job: Job, work: Work) -> None:

        def is_cancelled() -> bool:
            return job.stop.is_set() or (self.hosted and self.clock() - job.seen > ABANDONED_SECONDS)

        def put(step: Any) -> None:
            job.put(step, self.clock())

        # An image on the CPU uses all cores for seconds, and the page must stay responsive. Only Linux can set the
        # priority of a single thread.
        if self.hosted and sys.platform == "linux":
            with suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), HOSTED_PRIORITY)
        try:
            put(Done(result=work(put, is_cancelled)))
        # `follow` raises the error again, so that it is shown or logged.
        except BaseException as error:
            put(Failed(error=error))

    def all(self, kind: str) -> list[Job]:
        """Return copies of the current visitor's jobs of one kind, newest first."""
        ids = [job.id for job in list(self._kept.values()) if job.subject.kind == kind]
        return [job for id_ in reversed(ids) if (job := self.find(id_)) is not None]

    def running(self, kind: str = "") -> int:
        """Return the number of unfinished jobs of all visitors, of one kind or of all kinds."""
        return sum(job.subject.kind == kind or not kind for job in self._active())

    def _active(self) -> list[Job]:
        return [job for job in list(self._kept.values()) if job.outcome is None]

    def check_room(self) -> None:
        """Raise UsageError if the current visitor, their network address or the page has too many unfinished jobs."""
        unfinished, visitor = self._active(), current_visitor()
        if visitor is not None and sum(job.person == visitor.person for job in unfinished) >= self.own:
            raise UsageError(_("Your last images are not made yet. Wait for them, or stop them."))
        address = visitor.address if visitor is not None else ""
        if address and sum(job.address == address for job in unfinished) >= self._at_address:
            raise UsageError(_("Others at your network address wait for their images. Try again in a few minutes."))
        if len(unfinished) >= self.most:
            text = _("{most_running} others wait for their images here. Try again in a few minutes.")
            raise UsageError(text.format(most_running=self.most))

    def find(self, id_: str) -> Job | None:
        """Return a copy of the job, or None if it is unknown or another visitor's. Count this as following it."""
        with self._lock:
            self._remove_old()
        job = self._get(id_)
        if job is None:
            return None
        with job.changed:
            if job.outcome is None:
                job.seen = self.clock()
            return copy(job)

    def follow(self, id_: str, *, after: int = 0, beat: float, raises: bool = True) -> Steps:
        """Yield (number, step) for each step after number `after`, and at the end the work's result or Stopped.

        After `beat` seconds without a new step, yield None as the step. If the job fails, raise its error, or yield
        Failed if `raises` is False.
        """
        # Look the job up now and not at the first step, so that a job that is stopped in between has its last word.
        return self._steps(self._get(id_), after, beat, raises)

    def _steps(self, job: Job | None, count: int, beat: float, raises: bool) -> Steps:
        while job is not None and not job.stop.is_set():
            if job.outcome is None:
                job.seen = self.clock()
            with job.changed:
                # Check `stop` again under the lock, because a stop before this wait would not wake it.
                if job.number <= count and job.outcome is None and not job.stop.is_set():
                    job.changed.wait(beat)
                step, outcome, new = job.step, job.outcome, job.number > count
                count = max(count, job.number)
            if job.stop.is_set():
                break
            if outcome is None:
                yield count, step if new else None
                continue
            if isinstance(outcome, Failed) and raises:
                raise outcome.error
            yield count, outcome.result if isinstance(outcome, Done) else outcome
            return
        yield count + 1, Stopped(text=(job and job.last_word) or _(GONE))

    def stop(self, id_: str, last_word: str = "") -> None:
        """Cancel a job at its next step and forget it. Its followers get `last_word`, or a default message."""
        job = self._get(id_)
        if job is None:
            return
        with self._lock:
            self._kept.pop(id_, None)
        job.last_word = last_word
        job.stop.set()
        with job.changed:
            # Wake the followers, because no further step will.
            job.changed.notify_all()

    def _get(self, id_: str) -> Job | None:
        """Return the job if it is the current visitor's. An id alone is not enough, because links are shared."""
        with self._lock:
            job = self._kept.get(id_)
        visitor = current_visitor()
        return job if job is None or visitor is None or job.person == visitor.person else None

    def is_awaited(self, download: int, *, besides: str = "") -> bool:
        """Check whether an unfinished job other than `besides` waits for this download."""
        return any(download in job.subject.waits_for and job.id != besides for job in self._active())

    def end(self, last_word: str) -> None:
        """Stop all unfinished jobs. Their followers get `last_word`."""
        for job in self._active():
            self.stop(job.id, last_word)

    def close(self) -> None:
        """Stop all jobs and wait for their threads, because a process that exits while torch computes is aborted."""
        for id_ in list(self._kept):
            self.stop(id_)
        deadline = time.monotonic() + CLOSE_SECONDS
        with self._lock:
            threads = list(self._threads)
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _remove_old(self) -> None:
        now = self.clock()
        finished = [job for job in self._kept.values() if job.outcome is not None]
        old = [job for job in finished if now - job.seen > KEPT_SECONDS]
        for job in {*old, *finished[:-MOST_KEPT]}:
            del self._kept[job.id]
