"""A clock that tests move, and a library whose pulls do as they are told."""

import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from connectors.ref import Ref
from hub_ui.library.download.partial_file import Progress, PullCancelled
from hub_ui.library.download.queue import Clock, Queue, Report
from hub_ui.library.lockfile import Entry
from tests.hub_ui.library.building import entry

A, B, C, D = (Ref.parse(f"civitai:{number}@1#1") for number in (1, 2, 3, 4))
HF = Ref.parse(f"huggingface:ada/ink@{'a' * 40}#ink.safetensors")
MOST_SECONDS = 30.0
T = TypeVar("T")


class Moved(Clock):
    """Stands still until `advance`."""

    def __init__(self) -> None:
        self.time = 1_000_000.0
        self._waiting: set[threading.Condition] = set()

    def now(self) -> float:
        return self.time

    def wait(self, condition: threading.Condition, seconds: float) -> None:
        self._waiting.add(condition)
        condition.wait(MOST_SECONDS)

    def advance(self, seconds: float) -> None:
        self.time += seconds
        for condition in tuple(self._waiting):
            with condition:
                condition.notify_all()


class Pulls:
    """Each pull reports what is in `steps`, waits while `held`, and ends with the next of its ref's `outcomes`."""

    def __init__(self) -> None:
        self.asked: list[Ref] = []
        self.dropped: list[Ref] = []
        self.outcomes: dict[Ref, deque[BaseException | None]] = defaultdict(deque)
        self.steps: dict[Ref, deque[Progress]] = defaultdict(deque)
        self.held = threading.Event()
        self.running = self.most = 0
        self._lock = threading.Lock()
        self._go = threading.Condition()
        self._may: set[Ref] = set()

    def __call__(self, ref: Ref, report: Report, cancelled: Callable[[], bool]) -> Entry:
        with self._lock:
            self.asked.append(ref)
            self.running += 1
            self.most = max(self.most, self.running)
        try:
            return self._pulled(ref, report, cancelled)
        finally:
            with self._lock:
                self.running -= 1

    def _pulled(self, ref: Ref, report: Report, cancelled: Callable[[], bool]) -> Entry:
        while True:
            while self.steps[ref]:
                report(self.steps[ref][0])
                # A test takes a step that is gone for one that was reported.
                self.steps[ref].popleft()
            if cancelled():
                raise PullCancelled("Stopped.")
            if not self.held.is_set() or ref in self._may:
                break
            time.sleep(0.002)
        outcome = self.outcomes[ref].popleft() if self.outcomes[ref] else None
        if outcome is not None:
            raise outcome
        return entry(ref=ref, size=100)

    def let(self, *refs: Ref) -> None:
        self._may.update(refs)

    def forget(self, ref: Ref) -> None:
        self.dropped.append(ref)


def at(done: int, total: int | None = 100) -> Progress:
    return Progress(done=done, total=total)


def eventually(true: Callable[[], T], seconds: float = MOST_SECONDS) -> T:
    """What is true in the end."""
    until = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < until, "it never came true"
        time.sleep(0.002)
    return found


@contextmanager
def queue(folder: Path, pulls: Pulls, **options: Any) -> Iterator[Queue]:
    """Started, and stopped in the end."""
    made = Queue(folder / "queue.sqlite", pulls, **{"forget": pulls.forget, "jitter": lambda: 1.0, **options})
    made.start()
    try:
        yield made
    finally:
        pulls.held.clear()
        made.stop()
