"""A base in memory with its LoRAs, and how it is drawn with: which pipeline, which batches, how much memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from hub_ui.preview import footprint
from hub_ui.preview.adapters.rack import Rack
from hub_ui.preview.bases import BaseChoice
from hub_ui.preview.device import Device, release
from hub_ui.preview.draw import Run
from hub_ui.preview.footprint import Level
from hub_ui.preview.job import Job, Picture
from hub_ui.preview.latents import Previews
from hub_ui.preview.rounds import Rounds
from hub_ui.preview.settings import Settings
from hub_ui.preview.sheets import Cell
from hub_ui.preview.sound import Sound
from hub_ui.preview.steps import Course
from hub_ui.preview.texts import Texts


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

    def draw(
        self, job: Job, cells: Sequence[Cell], chosen: Settings, course: Course, sound: Sound
    ) -> Iterator[tuple[Cell, Picture]]:
        run = Run(
            pipe=self.pipe,
            rack=self.rack,
            adapters=job.adapters,
            settings=chosen,
            course=course,
            texts=self.texts,
            previews=self.previews,
            sound=sound,
        )
        rounds = Rounds(
            run=run,
            size=self._size(chosen),
            shrink=self._shrinker(sound),
            too_large=footprint.too_large(self.choice, chosen, self.device),
        )
        yield from rounds.draw(cells)
        self.batches = self.batches and not rounds.refused

    def _size(self, chosen: Settings) -> int:
        if not self.batches:
            return 1
        return footprint.batch(chosen, self.device, self.level, footprint.free(self.device))

    def _shrinker(self, sound: Sound) -> Callable[[int], bool]:
        def shrink(size: int) -> bool:
            release(self.device)
            lower = footprint.below(self.level, self.device)
            if lower is None and size == 1:
                return False
            if lower is not None:
                footprint.apply(self.pipe, self.device, lower)
                self.level = lower
            sound.say("Memory ran out once. It was drawn one by one then, with less of it.")
            return True

        return shrink
