"""All the cells of a sheet, in batches as large as memory allows, with a second try where it did not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from hub_ui.preview.adapters.hooks import NotPerRow
from hub_ui.preview.arguments import family
from hub_ui.preview.draw import Run, draw
from hub_ui.preview.footprint import out_of_memory
from hub_ui.preview.job import Picture
from hub_ui.preview.sheets import Cell


@dataclass(kw_only=True, slots=True)
class Rounds:
    """`size` is how many pictures go at once; `shrink` makes the footprint smaller, or says why it can't.

    `shrink` is called once: what does not fit then is told.
    """

    run: Run
    size: int
    shrink: Callable[[BaseException], None]
    _shrunk: bool = field(default=False)

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
        """None when it has to be tried again, with a smaller size."""
        try:
            return draw(self.run, batch)
        except NotPerRow:
            if len(batch) == 1:
                raise
            self.size = 1
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
            self._smaller(error)
        return None

    def _smaller(self, error: BaseException) -> None:
        self.shrink(error) if not self._shrunk else None
        self._shrunk, self.size = True, 1

    def _next(self, waiting: Sequence[Cell]) -> list[Cell]:
        """As many as fit, of one prompt where prompts can't be mixed."""
        kind = family(self.run.pipe)
        if not kind.lists or not self.run.rack.per_row:
            return [waiting[0]]
        fitting = [cell for cell in waiting if kind.padded or cell.prompt == waiting[0].prompt]
        return fitting[: self.size]
