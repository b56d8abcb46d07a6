"""Counts steps and cancels at the scheduler, which all pipelines have."""

import functools
import time
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from PIL.Image import Image

from hub_ui.generate.request import GenerationCancelled, IsCancelled, OnProgress, Step
from hub_ui.i18n import _


@contextmanager
def watch_steps(pipe: Any, before: Callable[[], None], after: Callable[[int, int, Any], None]) -> Iterator[None]:
    """Calls `before` ahead of each scheduler step, then `after` with its number, their count and the latents.

    Second-order schedulers are called twice for most steps; the length of their timesteps counts these calls.
    """
    scheduler = pipe.scheduler
    original, done = type(scheduler).step, 0

    # Pipelines look at its signature to see what it takes.
    @functools.wraps(original)
    def step(self: Any, *args: Any, **kwargs: Any) -> Any:
        nonlocal done
        before()
        result = original(self, *args, **kwargs)
        # LTX-2 copies the scheduler for its sound; the copy steps itself, and is not counted.
        if self is not scheduler:
            return result
        done += 1
        latents = result[0] if isinstance(result, tuple) else result.prev_sample
        after(done, max(done, len(scheduler.timesteps)), latents)
        return result

    with replace_attribute(scheduler, "step", types.MethodType(step, scheduler)):
        yield


@contextmanager
def replace_attribute(thing: Any, name: str, value: Any) -> Iterator[None]:
    """Sets an attribute of one object for a while. A `forward` that offloading sets when a run ends stays."""
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


@dataclass(frozen=True, kw_only=True, slots=True)
class Callbacks:
    """Functions that follow a generation, and may stop it."""

    on_progress: OnProgress = lambda _step: None
    is_cancelled: IsCancelled = lambda: False

    def report(self, stage: str, done: int = 0, total: int = 0) -> None:
        self.on_progress(Step(stage=stage, done=done, total=total))

    def raise_if_cancelled(self) -> None:
        if self.is_cancelled():
            raise GenerationCancelled(_("Stopped. Nothing was changed."))


NO_CALLBACKS = Callbacks()


@dataclass(kw_only=True, slots=True)
class ProgressTracker:
    """Progress of a comparison over all its batches: `rows` images are still to be generated, with `steps` each."""

    callbacks: Callbacks
    rows: int
    steps: int
    clock: Callable[[], float] = time.perf_counter
    _done: int = 0
    _started: int = 0
    _row_steps: float = 0.0
    _step_time: float = 0.0
    _other_time: float = 0.0
    _last: float = 0.0
    _is_denoised: bool = False

    def start(self) -> None:
        self._is_denoised = False
        self.callbacks.raise_if_cancelled()
        self._last = self.clock()
        self._report(0, 0.0, None)

    def step(self, rows: int, done: int, total: int, preview: Image | None = None) -> None:
        """Reports `done` of `total` calls for a batch of `rows`."""
        now = self.clock()
        # The first step includes the text encoding.
        if done > 1:
            self._step_time += now - self._last
            self._row_steps += rows * self.steps / total
        else:
            self._other_time += now - self._last
            self._started += rows
        self._last, self._is_denoised = now, done >= total
        self._report(rows, self.steps * done / total, preview)

    def finish(self, rows: int) -> None:
        self._done += rows
        self._other_time += self.clock() - self._last
        self.callbacks.raise_if_cancelled()

    @property
    def is_denoised(self) -> bool:
        """Whether the batch has all its steps behind it, and only has to be decoded."""
        return self._is_denoised

    @property
    def step_seconds(self) -> float | None:
        """Seconds for one step of one image; None before two steps."""
        return self._step_time / self._row_steps if self._row_steps else None

    @property
    def rest_seconds(self) -> float:
        """Seconds for one image besides its steps: text encoding and decoding."""
        first = (self.step_seconds or 0.0) * self._started
        return max(0.0, self._other_time - first) / max(1, self._done)

    def _report(self, rows: int, steps: float, preview: Image | None) -> None:
        """Reports a batch of `rows` at that step. Its images advance together, so the steps of all are counted."""
        done, total = self._done * self.steps + rows * steps, self.rows * self.steps
        left = None if self.step_seconds is None else self.step_seconds * max(0.0, total - done)
        name = _("Generating") if self.rows == 1 else _("Generating {n} images").format(n=self.rows)
        self.callbacks.on_progress(Step(stage=name, done=round(done), total=total, preview=preview, seconds_left=left))
