"""One call of the pipeline for one cell or for several at once, from one seed and the same first noise for each."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from PIL.Image import Image

from connectors.errors import HubUiError, PreviewError
from hub_ui.generate.callbacks import ProgressTracker, replaced, stop_if, watched
from hub_ui.generate.checks import OutputChecks
from hub_ui.generate.comparison import Cell
from hub_ui.generate.image_cache import effect
from hub_ui.generate.lora.hooks import NotPerRow
from hub_ui.generate.lora.manager import AdapterManager
from hub_ui.generate.memory import out_of_memory
from hub_ui.generate.pipeline_arguments import arguments, family, is_modular, pictures
from hub_ui.generate.previews import LatentPreviews
from hub_ui.generate.prompt_cache import PromptCache, Row
from hub_ui.generate.request import GeneratedImage, LoraInput
from hub_ui.generate.settings import ResolvedRequest

# What pipelines raise for input they can't take: each has its own way to fail.
_PIPELINE_ERRORS = (ValueError, TypeError, KeyError, IndexError, AttributeError, RuntimeError, NotImplementedError)


class TakesNoLists(NotPerRow):
    """A pipeline that fails with several prompts at once."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchContext:
    """Everything that all the batches of a sheet have in common."""

    pipe: Any
    rack: AdapterManager
    adapters: Sequence[LoraInput]
    settings: ResolvedRequest
    course: ProgressTracker
    texts: PromptCache
    previews: LatentPreviews
    sound: OutputChecks
    control: Image | None = None


def draw(run: BatchContext, cells: Sequence[Cell]) -> tuple[GeneratedImage, ...]:
    """The pictures of these cells, in one go.

    Raises NotPerRow where these LoRAs can't have another weight in each row, and what torch raises when memory is out.
    """
    import torch

    start = time.perf_counter()
    run.course.start()
    with ExitStack() as around:
        around.enter_context(_weighed(run, cells))
        around.enter_context(run.texts.shared(run.pipe, run.rack, [_row(run, cell) for cell in cells]))
        around.enter_context(_watched(run, len(cells)))
        around.enter_context(run.sound.decoding(run.pipe))
        around.enter_context(_guided(run))
        around.enter_context(torch.inference_mode())
        clips = _called(run, cells)
    run.course.finish(len(cells))
    run.previews.learn(clips[-1][len(clips[-1]) // 2])
    seconds = (time.perf_counter() - start) / len(cells)
    return tuple(_picture(clip, seconds) for clip in clips)


def _called(run: BatchContext, cells: Sequence[Cell]) -> list[tuple[Image, ...]]:
    import torch

    # The seed's noise is drawn on the CPU, so that it is the same on every device, and in every row.
    noise = [torch.Generator("cpu").manual_seed(run.settings.seed) for _ in cells]
    call = arguments(run.pipe, run.settings, [cell.prompt for cell in cells], run.control)
    try:
        return pictures(run.pipe(**call, generator=noise if len(noise) > 1 else noise[0]))
    except (NotPerRow, HubUiError):
        raise
    except _PIPELINE_ERRORS as error:
        if out_of_memory(error):
            raise
        if len(cells) > 1:
            raise TakesNoLists(f"This base draws one picture at a time ({_reason(error)}).") from error
        raise PreviewError(
            f"This base model can't draw this ({_reason(error)}). Try another size, fewer changes, or another base."
        ) from error


def _row(run: BatchContext, cell: Cell) -> Row:
    return Row(weights=cell.weights, effect=effect(run.adapters, cell.weights))


def _picture(clip: tuple[Image, ...], seconds: float) -> GeneratedImage:
    frames = clip if len(clip) > 1 else ()
    return GeneratedImage(image=clip[len(clip) // 2], seconds=seconds, frames=frames)


@contextmanager
def _weighed(run: BatchContext, cells: Sequence[Cell]) -> Iterator[None]:
    """The LoRAs of each row at its own weights; merged into the base, where that pays, for a single setting."""
    weights = [cell.weights for cell in cells]
    if len(set(weights)) > 1:
        with run.rack.rows(weights):
            yield
        return
    run.rack.weigh(weights[0])
    with run.rack.merged(run.settings.steps):
        yield


@contextmanager
def _watched(run: BatchContext, rows: int) -> Iterator[None]:
    def before() -> None:
        stop_if(run.course.asked)

    def after(done: int, total: int, latents: Any) -> None:
        run.sound.check(latents)
        last = done == total
        preview = run.previews.of(latents, run.settings, last=last)
        run.course.step(rows, done, total, preview)
        stop_if(run.course.asked)

    with watched(run.pipe, before, after):
        yield


@contextmanager
def _guided(run: BatchContext) -> Iterator[None]:
    """Pipelines of blocks keep the guidance in a part of their own."""
    guider = getattr(run.pipe, "guider", None) if is_modular(run.pipe) else None
    if not hasattr(guider, "guidance_scale"):
        yield
        return
    with replaced(guider, "guidance_scale", run.settings.guidance):
        yield


def _reason(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0][:160] or type(error).__name__


@dataclass(kw_only=True, slots=True)
class Batches:
    """`size` is how many pictures go at once. `refused`: the base does not take several at once.

    `shrink` makes the footprint smaller after a batch of so many did not fit, if it can be. What does not fit then
    either is told as `too_large`.
    """

    run: BatchContext
    size: int
    shrink: Callable[[int], bool]
    too_large: PreviewError
    refused: bool = False
    _shrunk: bool = False

    def draw(self, cells: Sequence[Cell]) -> Iterator[tuple[Cell, GeneratedImage]]:
        waiting = list(cells)
        while waiting:
            batch = self._next(waiting)
            pictures = self._tried(batch)
            if pictures is None:
                continue
            yield from zip(batch, pictures, strict=True)
            waiting = [cell for cell in waiting if cell not in batch]

    def _tried(self, batch: Sequence[Cell]) -> tuple[GeneratedImage, ...] | None:
        """None when it has to be tried again, one by one."""
        short = False
        try:
            return draw(self.run, batch)
        except NotPerRow:
            if len(batch) == 1:
                raise
            self.refused = True
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
            short = True
        # Here nothing holds the error any more, nor it what filled the memory.
        if short:
            self._make_room(len(batch))
        self.size = 1
        return None

    def _make_room(self, size: int) -> None:
        if self._shrunk or not self.shrink(size):
            raise self.too_large
        self._shrunk = True

    def _next(self, waiting: Sequence[Cell]) -> list[Cell]:
        """As many as fit, of one prompt where prompts can't be mixed."""
        kind = family(type(self.run.pipe).__name__)
        if not kind.lists or (kind.edits and self.run.control is not None) or not self.run.rack.per_row:
            return [waiting[0]]
        fitting = [cell for cell in waiting if kind.padded or cell.prompt == waiting[0].prompt]
        return fitting[: self.size]
