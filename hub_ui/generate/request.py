"""Requests for images, and their progress.

And what follows a generation: its steps, counted at the scheduler, which all pipelines have, and how it is stopped.
"""

import functools
import time
import types
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from PIL.Image import Image

from connectors.errors import PreviewError, UsageError
from connectors.ref import Ref
from hub_ui.base.i18n import _
from hub_ui.generate.base_models.table import Quality

Value = TypeVar("Value")

DEFAULT_STRENGTH = 0.6


class GenerationCancelled(PreviewError):
    """The user stopped it between two steps."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LoraInput:
    """A LoRA file on this disk. `weight` 0 is the base alone, 1 the full effect; others are allowed.

    `sha256` may be None if unknown. `follows`: the other half of the LoRA before it, with the same weight.
    `text_encoder_scale` times the weight is that of the text encoders ("clip weight"); `block_weights` are those of
    lora/blocks.py, empty for 1 everywhere.
    """

    ref: Ref
    path: Path
    title: str
    weight: float = 1.0
    trigger_words: tuple[str, ...] = ()
    architecture: str | None = None
    base_model: str | None = None
    sha256: str | None = None
    follows: bool = False
    text_encoder_scale: float = 1.0
    block_weights: tuple[float, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class GenerationRequest:
    """None means the base's default. `base` is a base model id, a repo, a folder, or a .safetensors or .gguf file.

    `sampler` is a name of generate/samplers.py. `control` is an image; `control_kind` is the conversion ("canny",
    "depth", "pose"), or "ready" for a finished control image. `image` is one to start from, and `strength` how much
    of it is drawn anew: above 0, and 1 for all of it. `frames` is the length of a clip. `emphasis`: prompts are read as
    prompt_weights.py does, not as plain text. `compile`: the network runs compiled where it can (batch.py).
    `may_fetch` allows the download of a missing base, which can be tens of gigabytes; without `may_complete`, not even
    little is fetched. `quality` chooses the precision of the base; `precision` is that of an image to make again, which
    the base gets where this device can run it. `draft`: images are made the quick way of the base (table.py); None is
    for Generation to choose, by the time that they take in full.
    """

    adapters: tuple[LoraInput, ...]
    prompt: str
    negative: str = ""
    seed: int = 0
    steps: int | None = None
    guidance: float | None = None
    width: int | None = None
    height: int | None = None
    base: str | None = None
    use_trigger_words: bool = True
    emphasis: bool = True
    sampler: str | None = None
    control: Path | None = None
    control_kind: str = "canny"
    image: Path | None = None
    strength: float = DEFAULT_STRENGTH
    frames: int | None = None
    compile: bool = False
    may_fetch: bool = False
    may_complete: bool = True
    quality: Quality = "balanced"
    precision: str | None = None
    draft: bool | None = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """`done` of `total` (0: unknown). `preview` is a small image, `seconds_left` an estimate for the whole request."""

    stage: str
    done: int
    total: int
    preview: Image | None = None
    seconds_left: float | None = None


OnProgress = Callable[[Step], None]
IsCancelled = Callable[[], bool]


def spread_weights(
    weights: Sequence[Value | None], count: int, names: tuple[str, str] = ("weight", "weights")
) -> Sequence[Value | None]:
    """A weight for each of `count` LoRAs, None where none is given. `names` are what one and several are called."""
    if not weights:
        return [None] * count
    if len(weights) == 1:
        return [weights[0]] * count
    if len(weights) != count:
        one, several = names
        text = _("LoRAs: {count}, {several}: {n}. Give no {one}, one for all, or one for each.")
        raise UsageError(text.format(count=count, several=several, n=len(weights), one=one))
    return list(weights)


def add_other_halves(
    given: Sequence[LoraInput],
    other_half: Callable[[Ref], Ref | None],
    adapter: Callable[[Ref, float | None], LoraInput],
) -> tuple[LoraInput, ...]:
    """Inserts the other file of each two-file LoRA after it, with the same weights, unless it is given already."""
    whole: list[LoraInput] = []
    for one in given:
        whole.append(one)
        half = other_half(one.ref)
        if half is not None and half not in [other.ref for other in given]:
            whole.append(
                replace(
                    adapter(half, one.weight),
                    follows=True,
                    text_encoder_scale=one.text_encoder_scale,
                    block_weights=one.block_weights,
                )
            )
    return tuple(whole)


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
    """Progress of a comparison over all its batches: `rows` images are still to be generated, with `steps` each.
    `is_denoised`: the batch has all its steps behind it, and only has to be decoded.
    """

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
    is_denoised: bool = False

    def start(self) -> None:
        self.is_denoised = False
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
        self._last, self.is_denoised = now, done >= total
        self._report(rows, self.steps * done / total, preview)

    def finish(self, rows: int) -> None:
        self._done += rows
        self._other_time += self.clock() - self._last
        self.callbacks.raise_if_cancelled()

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
