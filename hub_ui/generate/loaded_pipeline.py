"""A base in memory with its LoRAs: pipeline, batches, and memory."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from hub_ui.generate import memory
from hub_ui.generate.base_models import PipelineSpec
from hub_ui.generate.batch import BatchContext, choose_batch, generate_batch
from hub_ui.generate.callbacks import ProgressTracker
from hub_ui.generate.checks import OutputChecks
from hub_ui.generate.comparison import Cell
from hub_ui.generate.control import ControlImage
from hub_ui.generate.lora.hooks import NotPerRow
from hub_ui.generate.lora.manager import AdapterManager, AdapterSwitch
from hub_ui.generate.memory import (
    Device,
    OffloadLevel,
    apply_level,
    batch_size,
    image_too_large,
    is_out_of_memory,
    next_level,
    release_memory,
)
from hub_ui.generate.previews import LatentPreviews
from hub_ui.generate.prompt_cache import PromptCache
from hub_ui.generate.request import GenerationRequest, LoraInput
from hub_ui.generate.result import GeneratedImage
from hub_ui.generate.settings import ResolvedRequest

# Called with each cell and its image.
Images = Generator[tuple[Cell, GeneratedImage], None, None]


@dataclass(kw_only=True, slots=True)
class LoadedPipeline:
    """`spec` is `requested` as its own files describe it. `batches` is false after a failure that wasn't of memory."""

    requested: PipelineSpec
    spec: PipelineSpec
    revision: str | None
    device: Device
    pipe: Any
    manager: AdapterManager
    level: OffloadLevel
    batches: bool = True
    prompt_cache: PromptCache = field(default_factory=PromptCache)
    previews: LatentPreviews = field(default_factory=LatentPreviews)

    def set_adapters(self, adapters: Sequence[LoraInput]) -> AdapterSwitch:
        """Sets no weights yet: each batch brings its own, and is repeated with less memory where memory runs out."""
        return self.manager.set_adapters([replace(adapter, weight=0.0) for adapter in adapters])

    def generate(
        self,
        request: GenerationRequest,
        cells: Sequence[Cell],
        control: ControlImage,
        settings: ResolvedRequest,
        progress: ProgressTracker,
        checks: OutputChecks,
    ) -> Images:
        """Yields the cells with their images. The request's LoRAs are on."""
        context = BatchContext(
            pipe=control.pipe,
            manager=self.manager,
            adapters=request.adapters,
            settings=settings,
            progress=progress,
            prompt_cache=self.prompt_cache,
            previews=self.previews,
            checks=checks,
            control=control.image,
            start=control.start,
        )
        plain = [cell for cell in cells if self.manager.needs_control_image and not any(cell.weights)]
        if plain:
            # With the base's own narrow input, as without a control LoRA.
            self.manager.disable()
            without_loras = {replace(cell, weights=()): cell for cell in plain}
            try:
                plain_context = replace(context, pipe=self.pipe, adapters=(), control=None)
                for cell, image in self._generate(plain_context, list(without_loras)):
                    yield without_loras[cell], image
            finally:
                self.set_adapters(request.adapters)
        yield from self._generate(context, [cell for cell in cells if cell not in plain])

    def _generate(self, context: BatchContext, cells: Sequence[Cell]) -> Images:
        """Uses batches as large as memory allows; a batch that did not fit is repeated with less memory."""
        size, has_less_memory = 1, False
        if self.batches:
            free = memory.free_memory(self.device.kind)
            size = batch_size(context.settings, self.device, self.level, free)
        waiting = list(cells)
        while waiting:
            batch, is_full = choose_batch(context, waiting, size), False
            try:
                images = generate_batch(context, batch)
            except NotPerRow:
                if len(batch) == 1:
                    raise
                self.batches, size = False, 1
                continue
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                is_full = True
            if is_full:
                # Outside of the handler, because the error keeps the memory alive.
                if has_less_memory or not self._use_less_memory(context, len(batch)):
                    raise image_too_large(self.spec, context.settings, self.device)
                has_less_memory, size = True, 1
                continue
            yield from zip(batch, images, strict=True)
            waiting = [cell for cell in waiting if cell not in batch]

    def _use_less_memory(self, context: BatchContext, size: int) -> bool:
        """Called after a batch of that size did not fit; returns whether a retry makes sense."""
        release_memory(self.device)
        lower = next_level(self.level, self.device)
        if lower is None and size == 1:
            return False
        if lower is not None:
            apply_level(self.pipe, self.device, lower)
            self.level = lower
        # Merging them may have run out of memory; then they are off.
        self.set_adapters(context.adapters)
        context.checks.note("Memory ran out once. It was generated one by one then, with less of it.")
        return True
