"""The steps of a run, watched at the scheduler, which all pipelines have: the one way to count and to stop in each."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from PIL.Image import Image

from hub_ui.generate.request import Asked, GenerationCancelled, Step, Told


@contextmanager
def watched(pipe: Any, before: Callable[[], None], after: Callable[[int, int, Any], None]) -> Iterator[None]:
    """Calls `before` ahead of each step of the scheduler, and `after` with its number, how many there are, the latents.

    Schedulers of second order are called twice for most steps, and say so by the length of their timesteps.
    """
    scheduler = pipe.scheduler
    step, done = scheduler.step, 0

    # Pipelines look at its signature to see what it takes.
    @functools.wraps(step)
    def told(*args: Any, **kwargs: Any) -> Any:
        nonlocal done
        before()
        result = step(*args, **kwargs)
        done += 1
        after(done, max(done, len(scheduler.timesteps)), _latents(result))
        return result

    with replaced(scheduler, "step", told):
        yield


@contextmanager
def replaced(thing: Any, name: str, value: Any) -> Iterator[None]:
    """Another value for an attribute of one object; what the object itself held before is back after, or nothing.

    Offloading puts its own `forward` in when a run ends, and that one stays.
    """
    own, before = name in vars(thing), vars(thing).get(name)
    setattr(thing, name, value)
    try:
        yield
    finally:
        if vars(thing).get(name) is value:
            if own:
                setattr(thing, name, before)
            else:
                delattr(thing, name)


def stop_if(cancelled: Asked) -> None:
    if cancelled():
        raise GenerationCancelled("Stopped. Nothing was changed.")


def _latents(result: Any) -> Any:
    return result[0] if isinstance(result, tuple) else result.prev_sample


@dataclass(kw_only=True, slots=True)
class ProgressTracker:
    """How far a whole sheet is: told by step, over all the batches it takes.

    `rows` is how many pictures are still to be drawn at the start, `steps` what each of them takes.
    """

    tell: Told
    asked: Asked
    rows: int
    steps: int
    clock: Callable[[], float] = time.perf_counter
    _done: int = 0
    _started: int = 0
    _row_steps: float = 0.0
    _spent: float = 0.0
    _around: float = 0.0
    _last: float = field(default=0.0)

    def start(self) -> None:
        """A batch begins."""
        stop_if(self.asked)
        self._last = self.clock()
        self._tell(self._done * self.steps, None, self._left(0, 0.0))

    def step(self, rows: int, done: int, total: int, preview: Image | None = None) -> None:
        """`done` of `total` calls for a batch of `rows`."""
        now = self.clock()
        # The first one comes with the reading of the text.
        if done > 1:
            self._spent += now - self._last
            self._row_steps += rows * self.steps / total
        else:
            self._around += now - self._last
            self._started += rows
        self._last = now
        part = self.steps * done / total
        self._tell(self._done * self.steps + rows * part, preview, self._left(rows, part))

    def finish(self, rows: int) -> None:
        """A batch is drawn."""
        self._done += rows
        self._around += self.clock() - self._last
        stop_if(self.asked)

    @property
    def step_seconds(self) -> float | None:
        """What one step of one picture takes; None before there were two."""
        return self._spent / self._row_steps if self._row_steps else None

    @property
    def rest_seconds(self) -> float:
        """What one picture takes beside its steps: its text, its decoding."""
        first = (self.step_seconds or 0.0) * self._started
        return max(0.0, self._around - first) / max(1, self._done)

    def _left(self, rows: int, part: float) -> float | None:
        pace = self.step_seconds
        if pace is None:
            return None
        behind = (self.rows - self._done - rows) * self.steps + rows * (self.steps - part)
        return pace * max(0.0, behind)

    def _tell(self, row_steps: float, preview: Image | None, left: float | None) -> None:
        name = "Drawing" if self.rows == 1 else f"Drawing {self.rows} pictures"
        # Pictures of one batch advance together, so a person counts the steps of all of them.
        done, total = round(row_steps), self.rows * self.steps
        self.tell(Step(stage=name, done=done, total=total, preview=preview, seconds_left=left))
