"""A base in memory with its LoRAs, and how it is drawn with: which pipeline, which batches, how much memory."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from hub_ui.preview import footprint, memory
from hub_ui.preview.adapters.rack import Rack, Switched
from hub_ui.preview.bases import BaseChoice
from hub_ui.preview.device import Device, release
from hub_ui.preview.draw import Run
from hub_ui.preview.footprint import Level
from hub_ui.preview.job import Adapter, Job, Picture
from hub_ui.preview.latents import Previews
from hub_ui.preview.rounds import Rounds
from hub_ui.preview.settings import Settings
from hub_ui.preview.sheets import Cell
from hub_ui.preview.sound import Sound
from hub_ui.preview.steering import Steering
from hub_ui.preview.steps import Course
from hub_ui.preview.texts import Texts

# Each cell and its picture, as it is done.
Drawing = Generator[tuple[Cell, Picture], None, None]


@dataclass(kw_only=True, slots=True)
class Stage:
    """`choice` is `asked` as its own files say it is. The rest was learnt while drawing.

    `batches`: whether several pictures at once have never failed for another reason than memory.
    """

    asked: BaseChoice
    choice: BaseChoice
    revision: str | None
    device: Device
    pipe: Any
    rack: Rack
    level: Level
    batches: bool = True
    texts: Texts = field(default_factory=Texts)
    previews: Previews = field(default_factory=Previews)

    def put_on(self, adapters: Sequence[Adapter]) -> Switched:
        """Without any weight yet: each batch brings its own, and is tried again with less where memory runs out."""
        return self.rack.switch([replace(adapter, weight=0.0) for adapter in adapters])

    def draw(
        self, job: Job, cells: Sequence[Cell], steering: Steering, chosen: Settings, course: Course, sound: Sound
    ) -> Drawing:
        """The cells and their pictures, as they are done. The job's LoRAs are on."""
        run = Run(
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

    def _without(self, run: Run, cells: Sequence[Cell]) -> Drawing:
        """The base with its own narrow input, as it is drawn with when no control LoRA is about."""
        self.rack.off()
        plain = replace(run, pipe=self.pipe, adapters=(), control=None)
        bare = {replace(cell, weights=()): cell for cell in cells}
        try:
            for cell, picture in self._rounds(plain, list(bare)):
                yield bare[cell], picture
        finally:
            self.put_on(run.adapters)

    def _rounds(self, run: Run, cells: Sequence[Cell]) -> Drawing:
        rounds = Rounds(
            run=run,
            size=self._size(run.settings),
            shrink=self._shrinker(run),
            too_large=footprint.too_large(self.choice, run.settings, self.device),
        )
        yield from rounds.draw(cells)
        self.batches = self.batches and not rounds.refused

    def _size(self, chosen: Settings) -> int:
        if not self.batches:
            return 1
        return footprint.batch(chosen, self.device, self.level, memory.free(self.device.kind))

    def _shrinker(self, run: Run) -> Callable[[int], bool]:
        def shrink(size: int) -> bool:
            release(self.device)
            lower = footprint.below(self.level, self.device)
            if lower is None and size == 1:
                return False
            if lower is not None:
                footprint.apply(self.pipe, self.device, lower)
                self.level = lower
            # Merging them may have been what had no room; then they are off.
            self.put_on(run.adapters)
            run.sound.say("Memory ran out once. It was drawn one by one then, with less of it.")
            return True

        return shrink
