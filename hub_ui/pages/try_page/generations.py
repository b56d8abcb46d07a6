"""Generations outlive their page: after a reload, the id, a secret of the browser, leads back to its generation."""

import contextvars
import os
import secrets
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from connectors.errors import UsageError
from hub_ui.generate.comparison import ComparisonKind
from hub_ui.hosting.visitor import current_visitor
from hub_ui.i18n import _
from hub_ui.pages.events import Done, Failed, run_work

MOST_RUNNING = 12
MOST_KEPT = 50
KEPT_SECONDS = 3600.0
ABANDONED_SECONDS = 60.0
# A step on a slow computer, or the loading of a base, can't be interrupted.
CLOSE_SECONDS = 30.0
# As `nice` counts: 0 is the page's, 19 the least.
PRIORITY = 10
# A Result for the page, or what another asker makes of it.
Work = Callable[[Callable[[Any], None], Callable[[], bool]], Any]


@dataclass(frozen=True, kw_only=True)
class Stopped:
    """The last step of a generation that was stopped; `text` says what is left of it."""

    text: str


@dataclass(frozen=True, kw_only=True)
class GenerationSubject:
    """The comparison and its LoRAs. It started `downloads`, and needs all of `waits_for`."""

    kind: ComparisonKind
    refs: tuple[str, ...]
    downloads: tuple[int, ...] = ()
    waits_for: tuple[int, ...] = ()


@dataclass(kw_only=True, eq=False)
class _Generation:
    """`page` is the session that started it with `inputs`, `person` and `address` who asked (see hosting/visitor.py).

    `seen` is when somebody last looked, `step` the last of `count` steps.
    """

    id: str
    page: str
    person: str
    address: str
    inputs: object
    subject: GenerationSubject
    seen: float
    step: Any = None
    count: int = 0
    outcome: Done[Any] | Failed | None = None
    last_word: str = ""
    stop: threading.Event = field(default_factory=threading.Event)
    changed: threading.Condition = field(default_factory=threading.Condition)


class Generations:
    """Thread-safe. Keeps results for an hour, and at most the last fifty."""

    concurrency_id = "generations"

    def __init__(
        self,
        *,
        hosted: bool = False,
        most: int = MOST_RUNNING,
        own: int = MOST_RUNNING,
        people: int = 1,
        is_read: Callable[[str], bool] = lambda _page: True,
        check: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`hosted`: a generation ends after a minute without anybody who follows it and reads their stream (`is_read`).

        At most `most` run or wait, of a visitor `own`, of all at one address what so many `people` may have together,
        which is never more than half of all. `check` raises where nothing new may begin.
        """
        self._check = check
        self._hosted = hosted
        self._most, self._own, self._is_read = most, own, is_read
        self._at_address = max(own, min(own * people, most // 2))
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[str, _Generation] = {}
        self._threads: list[threading.Thread] = []

    def start(self, subject: GenerationSubject, work: Work, *, page: str = "", inputs: object = None) -> str:
        """Runs `work(on_progress, is_cancelled)` in a thread; returns the id. Raises UsageError while too many run.

        While the same page has one with equal `inputs` under way, it returns the id of that one and starts none.
        """
        self._check()
        visitor = current_visitor()
        made = _Generation(
            id=secrets.token_urlsafe(24), page=page, inputs=inputs, subject=subject, seen=self._clock(),
            person=visitor.person if visitor else "", address=visitor.address if visitor else "",
        )  # fmt: skip

        def put(step: Any) -> None:
            with made.changed:
                if isinstance(step, Done | Failed):
                    made.outcome, made.seen = step, self._clock()
                else:
                    made.step = step
                made.count += 1
                made.changed.notify_all()

        def is_cancelled() -> bool:
            abandoned = self._hosted and self._clock() - made.seen > ABANDONED_SECONDS
            return made.stop.is_set() or abandoned

        with self._lock:
            self._prune()
            same = self._find_same(page, inputs)
            if same is not None:
                return same.id
            self.check_room()
            self._kept[made.id] = made
        run = contextvars.copy_context().run
        thread = threading.Thread(target=run, args=(run_behind_the_page, work, put, is_cancelled), daemon=True)
        with self._lock:
            self._threads = [other for other in self._threads if other.is_alive()]
            self._threads.append(thread)
            thread.start()
        return made.id

    def _find_same(self, page: str, inputs: object) -> _Generation | None:
        unfinished = (made for made in self._kept.values() if made.outcome is None and inputs is not None)
        return next((made for made in unfinished if (made.page, made.inputs) == (page, inputs)), None)

    def running(self) -> int:
        """How many are not done yet."""
        return len(self._unfinished())

    def _unfinished(self) -> list[_Generation]:
        return [made for made in list(self._kept.values()) if made.outcome is None]

    def check_room(self) -> None:
        """Raises UsageError where the present visitor, their network address, or all have enough under way."""
        unfinished, visitor = self._unfinished(), current_visitor()
        if visitor is not None and sum(made.person == visitor.person for made in unfinished) >= self._own:
            raise UsageError(_("Your last images are not made yet. Wait for them, or stop them."))
        address = visitor.address if visitor is not None else ""
        if address and sum(made.address == address for made in unfinished) >= self._at_address:
            raise UsageError(_("Others at your network address wait for their images. Try again in a few minutes."))
        if len(unfinished) >= self._most:
            text = _("{most_running} others wait for their images here. Try again in a few minutes.")
            raise UsageError(text.format(most_running=self._most))

    def find(self, id_: str) -> GenerationSubject | None:
        """The subject; None for an id that is not kept."""
        with self._lock:
            self._prune()
            found = self._kept.get(id_)
            return found.subject if found is not None else None

    def follow(self, id_: str, *, beat: float, page: str = "") -> Generator[Any, None, None]:
        """Yields steps from the last one on, None after `beat` quiet seconds, then what the work returned, or Stopped.

        Raises failures once. It counts as a look while somebody reads the stream of the session `page`.
        """
        with self._lock:
            made = self._kept.get(id_)
        count = 0
        while made is not None and not made.stop.is_set():
            now = self._clock()
            made.seen = now if not page or self._is_read(page) else made.seen
            with made.changed:
                # A stop that came before this is told to nobody who waits afterwards.
                if made.count == count and made.outcome is None and not made.stop.is_set():
                    made.changed.wait(beat)
                step, outcome, new = made.step, made.outcome, made.count != count
                count = made.count
            if made.stop.is_set():
                break
            if isinstance(outcome, Failed):
                self._forget(id_)
                raise outcome.error
            if outcome is not None:
                yield outcome.result
                return
            yield step if new else None
        if made is not None:
            yield Stopped(text=made.last_word)

    def stop(self, id_: str, last_word: str = "") -> None:
        """Ends it between two steps, and forgets it. Its followers get `last_word`."""
        made = self._forget(id_)
        if made is None:
            return
        made.last_word = last_word
        made.stop.set()
        with made.changed:
            # Followers wait for a next step that does not come.
            made.changed.notify_all()

    def is_awaited(self, download: int, *, besides: str = "") -> bool:
        """Whether a generation, `besides` this one, still waits for it."""
        kept = list(self._kept.values())
        return any(made.outcome is None and download in made.subject.waits_for and made.id != besides for made in kept)

    def end(self, last_word: str) -> None:
        """Ends what still runs, between two steps. Its followers get `last_word`."""
        for id_, made in list(self._kept.items()):
            if made.outcome is None:
                self.stop(id_, last_word)

    def close(self) -> None:
        """Ends all and waits for them: a process that exits while torch computes is aborted."""
        for id_ in list(self._kept):
            self.stop(id_)
        until = time.monotonic() + CLOSE_SECONDS
        with self._lock:
            threads = list(self._threads)
        for thread in threads:
            thread.join(max(0.0, until - time.monotonic()))

    def _forget(self, id_: str) -> _Generation | None:
        with self._lock:
            return self._kept.pop(id_, None)

    def _prune(self) -> None:
        now = self._clock()
        ended = [made for made in self._kept.values() if made.outcome is not None]
        old = [made for made in ended if now - made.seen > KEPT_SECONDS]
        for made in {*old, *ended[:-MOST_KEPT]}:
            del self._kept[made.id]


def run_behind_the_page(work: Work, put: Callable[[Any], None], is_cancelled: Callable[[], bool]) -> None:
    """In a thread of its own. An image on the CPU takes all of it for seconds, and the page shall answer meanwhile."""
    # Elsewhere a priority is of the whole process.
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), PRIORITY)
    run_work(work, put, is_cancelled)
