"""A base in memory with its LoRAs, and how it is drawn with: which pipeline, which batches, how much memory."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from hub_ui.generate import memory
from hub_ui.generate import memory as generate_memory
from hub_ui.generate.base_models import PipelineSpec
from hub_ui.generate.batch import BatchContext, Batches
from hub_ui.generate.callbacks import ProgressTracker
from hub_ui.generate.checks import OutputChecks
from hub_ui.generate.comparison import Cell
from hub_ui.generate.control_image import ControlImage
from hub_ui.generate.lora.manager import AdapterManager, AdapterSwitch
from hub_ui.generate.memory import Device, OffloadLevel, release
from hub_ui.generate.previews import LatentPreviews
from hub_ui.generate.prompt_cache import PromptCache
from hub_ui.generate.request import GeneratedImage, GenerationRequest, LoraInput
from hub_ui.generate.settings import ResolvedRequest

# Each cell and its picture, as it is done.
Drawing = Generator[tuple[Cell, GeneratedImage], None, None]


@dataclass(kw_only=True, slots=True)
class LoadedPipeline:
    """`choice` is `asked` as its own files say it is. The rest was learnt while drawing.

    `batches`: whether several pictures at once have never failed for another reason than memory.
    """

    asked: PipelineSpec
    choice: PipelineSpec
    revision: str | None
    device: Device
    pipe: Any
    rack: AdapterManager
    level: OffloadLevel
    batches: bool = True
    texts: PromptCache = field(default_factory=PromptCache)
    previews: LatentPreviews = field(default_factory=LatentPreviews)

    def put_on(self, adapters: Sequence[LoraInput]) -> AdapterSwitch:
        """Without any weight yet: each batch brings its own, and is tried again with less where memory runs out."""
        return self.rack.switch([replace(adapter, weight=0.0) for adapter in adapters])

    def draw(
        self,
        job: GenerationRequest,
        cells: Sequence[Cell],
        steering: ControlImage,
        chosen: ResolvedRequest,
        course: ProgressTracker,
        sound: OutputChecks,
    ) -> Drawing:
        """The cells and their pictures, as they are done. The job's LoRAs are on."""
        run = BatchContext(
            pipe=steering.pipe,
            rack=self.rack,
            adapters=job.adapters,
            settings=chosen,
            course=course,
            texts=self.texts,
            previews=self.previews,
            sound=sound,
            control=steering.picture,
        )
        alone = [cell for cell in cells if self.rack.control and not any(cell.weights)]
        if alone:
            yield from self._without(run, alone)
        yield from self._rounds(run, [cell for cell in cells if cell not in alone])

    def _without(self, run: BatchContext, cells: Sequence[Cell]) -> Drawing:
        """The base with its own narrow input, as it is drawn with when no control LoRA is about."""
        self.rack.off()
        plain = replace(run, pipe=self.pipe, adapters=(), control=None)
        bare = {replace(cell, weights=()): cell for cell in cells}
        try:
            for cell, picture in self._rounds(plain, list(bare)):
                yield bare[cell], picture
        finally:
            self.put_on(run.adapters)

    def _rounds(self, run: BatchContext, cells: Sequence[Cell]) -> Drawing:
        rounds = Batches(
            run=run,
            size=self._size(run.settings),
            shrink=self._shrinker(run),
            too_large=generate_memory.too_large(self.choice, run.settings, self.device),
        )
        yield from rounds.draw(cells)
        self.batches = self.batches and not rounds.refused

    def _size(self, chosen: ResolvedRequest) -> int:
        if not self.batches:
            return 1
        return generate_memory.batch(chosen, self.device, self.level, memory.free(self.device.kind))

    def _shrinker(self, run: BatchContext) -> Callable[[int], bool]:
        def shrink(size: int) -> bool:
            release(self.device)
            lower = generate_memory.below(self.level, self.device)
            if lower is None and size == 1:
                return False
            if lower is not None:
                generate_memory.apply(self.pipe, self.device, lower)
                self.level = lower
            # Merging them may have been what had no room; then they are off.
            self.put_on(run.adapters)
            run.sound.say("Memory ran out once. It was drawn one by one then, with less of it.")
            return True

        return shrink
