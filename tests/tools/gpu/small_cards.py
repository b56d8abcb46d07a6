"""Small cards: torch is told to give no more, and the level that the plan chooses has to be enough.

The networks and autoencoders have their real sizes and random weights. Text encoders are left out: what they take is in
the plan by their weights alone, and the stages that take the most are the other two.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from hub_ui.generate.base_models import PipelineSpec, base_by_id
from hub_ui.generate.memory.device import Device, OffloadLevel, available_memory, is_out_of_memory
from hub_ui.generate.memory.offload import Placement, place
from hub_ui.generate.memory.plan import Footprint, footprint, levels_of, peak_memory, usable_memory
from hub_ui.generate.settings import ResolvedRequest
from tests.hub_ui.generate import simulated_cuda
from tests.hub_ui.generate.real_size import without_values
from tests.tools.gpu import networks
from tests.tools.gpu.card import GIGABYTE, Card
from tests.tools.gpu.results import Budget, Line, judged, left_out

SIZES = (8, 12, 16, 24)
# How far the measured peak may be from the planned one.
TOLERANCE = 0.15
# Bytes of a GPU that nothing fills.
_MUCH = 10**12


@dataclass(frozen=True, kw_only=True, slots=True)
class Real:
    """A base's network and autoencoder. `build` makes them on a device, `draw` one image in so many steps on a card,
    decoded. `needs` are the bytes that it is built in.
    """

    spec: PipelineSpec
    dtype: torch.dtype
    size: int
    build: Callable[[str, torch.dtype], Any]
    draw: Callable[[Any, int, Card], object]
    needs: int = 0


def real(id: str, dtype: torch.dtype, size: int, build: Callable[..., Any], needs: int = 0) -> Real:
    def draw(pipe: object, steps: int, card: Card) -> object:
        return networks.call(pipe, card, size=size, steps=steps, decode=True)

    spec = base_by_id(id)
    assert spec is not None
    return Real(spec=spec, dtype=dtype, size=size, build=build, draw=draw, needs=needs)


def lines(card: Card, budget: Budget, bases: Sequence[Real], sizes: Sequence[float] = SIZES) -> Iterator[Line]:
    for base in bases:
        if budget.is_spent():
            yield left_out(f"{base.spec.label} on small cards", "the time for this section was over")
            continue
        if base.needs > max(card.total, available_memory()):
            yield left_out(
                f"{base.spec.label} on small cards", f"{base.needs / GIGABYTE:.0f} GB are needed to build it"
            )
            continue
        small = SmallCard(card=card, base=base)
        # The largest first: the fewest moves.
        for gigabytes in sorted(sizes, reverse=True):
            what = f"{base.spec.label} on {gigabytes:.0f} GB"
            if budget.is_spent():
                yield left_out(what, "the time for this section was over")
            elif gigabytes * GIGABYTE > card.total:
                yield left_out(what, "the device itself is smaller")
            else:
                yield small.line(round(gigabytes * GIGABYTE))
        del small
        card.release()


def footprint_of(pipe: Any, base: Real) -> Footprint:
    """The plan's own figures for activations, with the parts that are there."""
    name = str(base.dtype).removeprefix("torch.")
    settings = ResolvedRequest(negative="", seed=7, steps=2, guidance=0.0, width=base.size, height=base.size)
    planned = footprint(base.spec, name, settings, loras=0)
    there = {name for name, part in pipe.components.items() if isinstance(part, torch.nn.Module)}
    missing = there - planned.parts.keys()
    if missing:
        raise ValueError(f"The plan of {base.spec.label} knows nothing of its {', '.join(sorted(missing))}.")
    return replace(
        planned,
        encoding=0,
        parts={part: size for part, size in planned.parts.items() if part in there},
        largest_layers={part: size for part, size in planned.largest_layers.items() if part in there},
    )


def choose_level(needs: Footprint, memory: int, kind: str) -> tuple[OffloadLevel, int]:
    """The first level that fits by the plan, the last but the disk where none does; and its planned peak."""
    levels = [level for level in levels_of(kind) if level != "disk_offload"]
    peaks = [(level, peak_memory(needs, level)) for level in levels]
    return next(((level, peak) for level, peak in peaks if peak * 1.05 <= usable_memory(memory)), peaks[-1])


def simulated_peak(base: Real, level: OffloadLevel) -> int:
    """The bytes that the same pipeline without values takes on a simulated GPU: what a test can know of a real one."""
    dtype = str(base.dtype).removeprefix("torch.")
    card = Card(kind="cuda", label="simulated GPU", total=_MUCH)
    with without_values(simulated_cuda.Card(memory=_MUCH)) as cuda:
        pipe = base.build("meta", base.dtype)
        place(pipe, Device(label=card.label, kind=card.kind, dtype=dtype), Placement(level=level))
        base.draw(pipe, 2, card)
        return cuda.cards[0].peak


@dataclass(kw_only=True, slots=True)
class SmallCard:
    """A base on cards of falling sizes. Where the device has room for it, it is built there: that is quicker."""

    card: Card
    base: Real
    _pipe: Any = field(init=False)
    _needs: Footprint = field(init=False)
    _level: OffloadLevel | None = None

    def __post_init__(self) -> None:
        self._pipe = self.base.build("cpu" if self.base.needs > self.card.total else self.card.kind, self.base.dtype)
        self._needs = footprint_of(self._pipe, self.base)

    def line(self, memory: int) -> Line:
        """Whether the level that the plan chooses is enough for an image, and its peak what was planned."""
        level, planned = choose_level(self._needs, memory, self.card.kind)
        if level != self._level:
            dtype = str(self.base.dtype).removeprefix("torch.")
            device = Device(label=self.card.label, kind=self.card.kind, dtype=dtype)
            place(self._pipe, device, Placement(level=level))
            self._level = level
        name = level.replace("_", " ")
        what = f"{self.base.spec.label} at {self.base.size} pixels on {memory / GIGABYTE:.0f} GB: {name}"
        try:
            with self.card.limited(memory):
                self.base.draw(self._pipe, 1, self.card)
                peak = self.card.peak(lambda: self.base.draw(self._pipe, 2, self.card))
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            return judged(what, f"memory ran out, {planned / GIGABYTE:.1f} GB planned", good=False)
        known = f"{simulated_peak(self.base, level) / GIGABYTE:.1f} GB simulated, {planned / GIGABYTE:.1f} GB planned"
        if peak is None:
            return Line(what=what, figure=f"{known}, the peak can't be measured here")
        figure = f"{peak / GIGABYTE:.1f} GB measured, {known} ({peak / planned - 1:+.0%})"
        return judged(what, figure, good=abs(peak / planned - 1) <= TOLERANCE)
