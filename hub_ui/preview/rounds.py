"""All the cells of a sheet, in batches as large as memory allows, with a second try where it did not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from connectors.errors import PreviewError
from hub_ui.preview.adapters.hooks import NotPerRow
from hub_ui.preview.arguments import family
from hub_ui.preview.draw import Run, draw
from hub_ui.preview.footprint import out_of_memory
from hub_ui.preview.job import Picture
from hub_ui.preview.sheets import Cell


@dataclass(kw_only=True, slots=True)
class Rounds:
    """`size` is how many pictures go at once. `refused`: the base does not take several at once.

    `shrink` makes the footprint smaller after a batch of so many did not fit, if it can be. What does not fit then
    either is told as `too_large`.
    """

    run: Run
    size: int
    shrink: Callable[[int], bool]
    too_large: PreviewError
    refused: bool = False
    _shrunk: bool = False

    def draw(self, cells: Sequence[Cell]) -> Iterator[tuple[Cell, Picture]]:
        waiting = list(cells)
        while waiting:
            batch = self._next(waiting)
            pictures = self._tried(batch)
            if pictures is None:
                continue
            yield from zip(batch, pictures, strict=True)
            waiting = [cell for cell in waiting if cell not in batch]

    def _tried(self, batch: Sequence[Cell]) -> tuple[Picture, ...] | None:
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
