"""One call of the pipeline for one cell or for several at once, from one seed and the same first noise for each."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from PIL.Image import Image

from connectors.errors import HubUiError, PreviewError
from hub_ui.preview.adapters.hooks import NotPerRow
from hub_ui.preview.adapters.rack import Rack
from hub_ui.preview.arguments import arguments, is_modular, pictures
from hub_ui.preview.drawn import effect
from hub_ui.preview.footprint import out_of_memory
from hub_ui.preview.job import Adapter, Picture
from hub_ui.preview.latents import Previews
from hub_ui.preview.settings import Settings
from hub_ui.preview.sheets import Cell
from hub_ui.preview.sound import Sound
from hub_ui.preview.steps import Course, replaced, stop_if, watched
from hub_ui.preview.texts import Row, Texts

# What pipelines raise for input they can't take: each has its own way to fail.
_PIPELINE_ERRORS = (ValueError, TypeError, KeyError, IndexError, AttributeError, RuntimeError, NotImplementedError)


class TakesNoLists(NotPerRow):
    """A pipeline that fails with several prompts at once."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """Everything that all the batches of a sheet have in common."""

    pipe: Any
    rack: Rack
    adapters: Sequence[Adapter]
    settings: Settings
    course: Course
    texts: Texts
    previews: Previews
    sound: Sound
    control: Image | None = None


def draw(run: Run, cells: Sequence[Cell]) -> tuple[Picture, ...]:
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


def _called(run: Run, cells: Sequence[Cell]) -> list[tuple[Image, ...]]:
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


def _row(run: Run, cell: Cell) -> Row:
    return Row(weights=cell.weights, effect=effect(run.adapters, cell.weights))


def _picture(clip: tuple[Image, ...], seconds: float) -> Picture:
    frames = clip if len(clip) > 1 else ()
    return Picture(image=clip[len(clip) // 2], seconds=seconds, frames=frames)


@contextmanager
def _weighed(run: Run, cells: Sequence[Cell]) -> Iterator[None]:
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
def _watched(run: Run, rows: int) -> Iterator[None]:
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
def _guided(run: Run) -> Iterator[None]:
    """Pipelines of blocks keep the guidance in a part of their own."""
    guider = getattr(run.pipe, "guider", None) if is_modular(run.pipe) else None
    if not hasattr(guider, "guidance_scale"):
        yield
        return
    with replaced(guider, "guidance_scale", run.settings.guidance):
        yield


def _reason(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0][:160] or type(error).__name__
