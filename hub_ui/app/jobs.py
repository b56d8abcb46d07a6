"""Work that outlives the page: its id, a secret, leads a reload or a second tab to the step where it is."""

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
# A step on a slow computer, or the loading of a base, can't be interrupted.
CLOSE_SECONDS = 30.0
# As `nice` counts: on a hosted page, other visitors' pages come before an image. At home nothing does: at 10, on a
# computer busy with other work, an image takes ten times as long.
HOSTED_PRIORITY = 10
GONE = N_("This is no longer here. Start it again.")
# Takes `on_progress` and `is_cancelled`, and returns the job's result.
Work = Callable[[Callable[[Any], None], Callable[[], bool]], Any]
# Numbers of steps, and what they are.
Steps = Generator[tuple[int, Any], None, None]


@dataclass(frozen=True, kw_only=True)
class Stopped:
    """The last step of a job that was stopped; `text` says what is left of it."""

    text: str


@dataclass(frozen=True, kw_only=True)
class Done:
    result: Any


@dataclass(frozen=True, kw_only=True)
class Failed:
    error: BaseException


@dataclass(frozen=True, kw_only=True)
class JobSubject:
    """What a job is about: `kind` says who shows its steps, such as "generation" or "verify".

    `name` and `refs` tell whether a page is about the same. It started `downloads`, and needs all of `waits_for`.
    """

    kind: str = "generation"
    name: str = ""
    refs: tuple[str, ...] = ()
    downloads: tuple[int, ...] = ()
    waits_for: tuple[int, ...] = ()


@dataclass(kw_only=True, eq=False)
class Job:
    """Its last step and that step's number, how it ended, and what it was started with.

    `person` and `address` say who started it (see hosting/visitor.py), `seen` is when somebody last looked.
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
        """None for what is not done, or failed."""
        return self.outcome.result if isinstance(self.outcome, Done) else None

    @property
    def problem(self) -> str:
        """Why it failed, in a sentence; empty where it did not."""
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
    """Thread-safe. Keeps results for an hour, and at most the last fifty.

    `hosted`: a job ends after a minute in which nobody follows it. At most `most` run or wait, of a visitor `own`, of
    all at one address what so many `people` may have together, which is never more than half of all. `check` raises
    where nothing new may begin.
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
        """Runs `work(on_progress, is_cancelled)` in a thread; returns the id. Raises UsageError while too many run.

        While the same person has one with equal `inputs` under way, it returns the id of that one and starts none.
        """
        self.check()
        visitor = current_visitor()
        job = Job(
            id=secrets.token_urlsafe(24), inputs=inputs, subject=subject, seen=self.clock(),
            person=visitor.person if visitor else "", address=visitor.address if visitor else "",
        )  # fmt: skip
        with self._lock:
            self._prune()
            mine = (job.person, subject.kind, inputs)
            for other in self._active() if inputs is not None else ():
                if (other.person, other.subject.kind, other.inputs) == mine:
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
        """The work with its progress and at the end a Done or a Failed, in a thread of its own."""

        def is_cancelled() -> bool:
            return job.stop.is_set() or (self.hosted and self.clock() - job.seen > ABANDONED_SECONDS)

        def put(step: Any) -> None:
            job.put(step, self.clock())

        # An image on the CPU takes all of it for seconds, and the page shall answer meanwhile. Elsewhere a priority is
        # of the whole process.
        if self.hosted and sys.platform == "linux":
            with suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), HOSTED_PRIORITY)
        try:
            put(Done(result=work(put, is_cancelled)))
        # Raised again for who follows, where it is shown or logged.
        except BaseException as error:
            put(Failed(error=error))

    def all(self, kind: str) -> list[Job]:
        """Those that are kept and this person's, the last one first."""
        ids = [job.id for job in list(self._kept.values()) if job.subject.kind == kind]
        return [found for id_ in reversed(ids) if (found := self.find(id_)) is not None]

    def running(self, kind: str = "") -> int:
        """How many are not done yet, of one kind or all."""
        return sum(job.subject.kind == kind or not kind for job in self._active())

    def _active(self) -> list[Job]:
        return [job for job in list(self._kept.values()) if job.outcome is None]

    def check_room(self) -> None:
        """Raises UsageError where the present visitor, their network address, or all have enough under way."""
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
        """A copy of the job as it is now; None for an id that is not kept, or another person's. It counts as a look."""
        with self._lock:
            self._prune()
        job = self._get(id_)
        if job is None:
            return None
        with job.changed:
            if job.outcome is None:
                job.seen = self.clock()
            return copy(job)

    def follow(self, id_: str, *, after: int = 0, beat: float, raises: bool = True) -> Steps:
        """Yields (number, step) for what is newer than the step `after`: at last what the work returned, or Stopped.

        None is a step after `beat` quiet seconds. A failure is raised, or where `raises` is False the last step.
        """
        # Found now, not at the first step: a job that is stopped until then still has its last word.
        return self._steps(self._get(id_), after, beat, raises)

    def _steps(self, job: Job | None, count: int, beat: float, raises: bool) -> Steps:
        while job is not None and not job.stop.is_set():
            if job.outcome is None:
                job.seen = self.clock()
            with job.changed:
                # A stop that came before this is told to nobody who waits afterwards.
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
        """Ends it between two steps, and forgets it. Its followers get `last_word`, or that it is gone."""
        job = self._get(id_)
        if job is None:
            return
        with self._lock:
            self._kept.pop(id_, None)
        job.last_word = last_word
        job.stop.set()
        with job.changed:
            # Followers wait for a next step that does not come.
            job.changed.notify_all()

    def _get(self, id_: str) -> Job | None:
        """An address with the id may be handed on: a visitor gets their own jobs alone."""
        with self._lock:
            job = self._kept.get(id_)
        visitor = current_visitor()
        return job if job is None or visitor is None or job.person == visitor.person else None

    def is_awaited(self, download: int, *, besides: str = "") -> bool:
        """Whether a job, `besides` this one, still waits for it."""
        return any(download in job.subject.waits_for and job.id != besides for job in self._active())

    def end(self, last_word: str) -> None:
        """Ends what still runs, between two steps. Its followers get `last_word`."""
        for job in self._active():
            self.stop(job.id, last_word)

    def close(self) -> None:
        """Ends all and waits for them: a process that exits while torch computes is aborted."""
        for id_ in list(self._kept):
            self.stop(id_)
        until = time.monotonic() + CLOSE_SECONDS
        with self._lock:
            threads = list(self._threads)
        for thread in threads:
            thread.join(max(0.0, until - time.monotonic()))

    def _prune(self) -> None:
        now = self.clock()
        ended = [job for job in self._kept.values() if job.outcome is not None]
        old = [job for job in ended if now - job.seen > KEPT_SECONDS]
        for job in {*old, *ended[:-MOST_KEPT]}:
            del self._kept[job.id]
