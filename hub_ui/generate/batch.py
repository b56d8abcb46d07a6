"""One call of the pipeline for one or several cells, all from one seed and the same initial noise."""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any

from PIL.Image import Image

from connectors.errors import HubUiError, PreviewError
from hub_ui.generate.callbacks import ProgressTracker, replace_attribute, watch_steps
from hub_ui.generate.checks import OutputChecks
from hub_ui.generate.comparison import Cell
from hub_ui.generate.image_cache import effect_key
from hub_ui.generate.lora.hooks import NotPerRow
from hub_ui.generate.lora.manager import AdapterManager
from hub_ui.generate.memory import is_out_of_memory
from hub_ui.generate.pipeline_arguments import call_arguments, family, guiders, output_images
from hub_ui.generate.previews import LatentPreviews
from hub_ui.generate.prompt_cache import PromptCache, PromptRow
from hub_ui.generate.prompt_embeddings import chunk_count, encode_prompts, reads_emphasis
from hub_ui.generate.prompt_weights import without_weights
from hub_ui.generate.request import LoraInput
from hub_ui.generate.result import GeneratedImage
from hub_ui.generate.settings import ResolvedRequest

# What pipelines raise for unsupported input; they have no common error.
_PIPELINE_ERRORS = (ValueError, TypeError, KeyError, IndexError, AttributeError, RuntimeError, NotImplementedError)


class TakesNoLists(NotPerRow):
    """A pipeline that fails with several prompts at once."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchContext:
    """What all batches of a comparison have in common."""

    pipe: Any
    manager: AdapterManager
    adapters: Sequence[LoraInput]
    settings: ResolvedRequest
    progress: ProgressTracker
    prompt_cache: PromptCache
    previews: LatentPreviews
    checks: OutputChecks
    control: Image | None = None
    start: Image | None = None


def choose_batch(context: BatchContext, waiting: Sequence[Cell], size: int) -> Sequence[Cell]:
    """Up to `size` of the waiting cells; of one prompt where prompts can't be mixed, and of as many chunks."""
    kind = family(type(context.pipe).__name__)
    if not kind.lists or (kind.edits and context.control is not None) or not context.manager.supports_row_weights:
        return waiting[:1]
    first, *others = waiting
    chunks = chunk_count(context.pipe, context.settings, first.prompt)
    return [
        first,
        *(
            cell
            for cell in others
            if cell.prompt == first.prompt
            or (kind.padded and chunk_count(context.pipe, context.settings, cell.prompt) == chunks)
        ),
    ][:size]


def generate_batch(context: BatchContext, cells: Sequence[Cell]) -> list[GeneratedImage]:
    """Raises NotPerRow where LoRAs can't have different weights in one batch, and torch's errors when memory is out."""
    import torch

    start = time.perf_counter()
    context.progress.start()
    rows = [PromptRow(weights=cell.weights, effect=effect_key(context.adapters, cell.weights)) for cell in cells]
    with ExitStack() as stack:
        # A call that ends with an error leaves the network that ran last on the device.
        stack.callback(getattr(context.pipe, "maybe_free_model_hooks", lambda: None))
        stack.enter_context(_set_weights(context, cells))
        stack.enter_context(context.prompt_cache.share(context.pipe, context.manager, rows))
        stack.enter_context(_follow_steps(context, len(cells)))
        stack.enter_context(context.checks.watch_decoding(context.pipe))
        for guider in guiders(context.pipe):
            stack.enter_context(replace_attribute(guider, "guidance_scale", context.settings.guidance))
        stack.enter_context(torch.inference_mode())
        videos = _call(context, cells)
    context.progress.finish(len(cells))
    middles = [frames[len(frames) // 2] for frames in videos]
    context.previews.learn(middles[-1])
    seconds = (time.perf_counter() - start) / len(cells)
    return [
        GeneratedImage(image=middle, seconds=seconds, frames=frames if len(frames) > 1 else ())
        for middle, frames in zip(middles, videos, strict=True)
    ]


def _call(context: BatchContext, cells: Sequence[Cell]) -> list[tuple[Image, ...]]:
    import torch

    # The noise is sampled on the CPU, so that it is the same on every device and in every row.
    noise = [torch.Generator("cpu").manual_seed(context.settings.seed) for _ in cells]
    try:
        call = _arguments(context, [cell.prompt for cell in cells])
        return output_images(context.pipe(**call, generator=noise if len(noise) > 1 else noise[0]))
    except (NotPerRow, HubUiError):
        raise
    except _PIPELINE_ERRORS as error:
        if is_out_of_memory(error):
            raise
        reason = (str(error).splitlines() or [""])[0][:160] or type(error).__name__
        if len(cells) > 1:
            raise TakesNoLists(f"This base generates one image at a time ({reason}).") from error
        raise PreviewError(
            f"This base model can't generate this ({reason}). Try another size, fewer changes, or another base."
        ) from error


def _arguments(context: BatchContext, prompts: Sequence[str]) -> dict[str, Any]:
    """The prompts of a batch have equally many chunks."""
    pipe, settings = context.pipe, context.settings
    if settings.emphasis and not reads_emphasis(pipe):
        prompts = [without_weights(prompt) for prompt in prompts]
        settings = replace(settings, negative=without_weights(settings.negative))
    call = call_arguments(pipe, settings, prompts, context.control, context.start)
    if chunks := chunk_count(pipe, settings, prompts[0]):
        call = {name: value for name, value in call.items() if name not in ("prompt", "negative_prompt")}
        call |= encode_prompts(pipe, prompts, settings.negative, chunks)
    return call


@contextmanager
def _set_weights(context: BatchContext, cells: Sequence[Cell]) -> Iterator[None]:
    """The LoRAs of each row at its own weights; merged into the base where that is faster, for a single setting."""
    weights = [cell.weights for cell in cells]
    if len(set(weights)) > 1:
        with context.manager.row_weights(weights):
            yield
        return
    context.manager.set_weights(weights[0])
    with context.manager.merge(context.settings.steps):
        yield


@contextmanager
def _follow_steps(context: BatchContext, rows: int) -> Iterator[None]:
    callbacks = context.progress.callbacks

    def after(done: int, total: int, latents: Any) -> None:
        # The scheduler counts those too that an image to start from saves.
        total = max(done, total * context.settings.run_steps // context.settings.steps)
        context.checks.check_latents(latents)
        preview = context.previews.preview(latents, context.settings, last=done == total)
        context.progress.step(rows, done, total, preview)
        callbacks.raise_if_cancelled()

    # Of a run that was stopped.
    context.checks.forget_latents()
    context.previews.forget_latents()
    with watch_steps(context.pipe, callbacks.raise_if_cancelled, after):
        yield
        context.checks.finish_latents()
