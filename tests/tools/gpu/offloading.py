"""Every offload level, with LoRAs that are added while layers run, merged, and that change weights as a whole."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch

from hub_ui.generate.lora.load import LoraCache
from hub_ui.generate.lora.manager import AdapterManager
from hub_ui.generate.memory.device import LEVELS, Device, OffloadLevel
from hub_ui.generate.memory.offload import Placement, place, remove_offloading
from hub_ui.generate.memory.plan import levels_of
from tests.hub_ui.generate.building import adapter
from tests.hub_ui.generate.pipelines.frame import draw, load
from tests.hub_ui.generate.pipelines.rows import ALGORITHMS, FLUXES, UNETS, Row
from tests.tools.gpu.card import Card, full_precision
from tests.tools.gpu.results import Budget, Line, judged, left_out

ROWS = (UNETS[0], FLUXES[0], next(row for row in ALGORITHMS if str(row) == "sd1 LoKr"))
# A level moves weights; the kernels stay the same, and so should the numbers, up to the layout that they choose.
TOLERANCE = 1e-3


def lines(card: Card, budget: Budget, rows: Sequence[Row] = ROWS) -> Iterator[Line]:
    # From the CPU to the CPU nothing is won, but the hooks are the same.
    levels = LEVELS if card.kind == "cpu" else levels_of(card.kind)
    for row in rows:
        for level in levels:
            if budget.is_spent():
                yield left_out(f"{row} at {level}", "the time for this section was over")
                continue
            with full_precision():
                yield _line(row, level, card)


def _line(row: Row, level: OffloadLevel, card: Card) -> Line:
    with tempfile.TemporaryDirectory() as name:
        folder = row.base.save(Path(name) / "base")
        whole = load(row.base, folder).to(card.kind)
        before = parameters(whole)
        path = row.make(load(row.base, folder), 1).save(Path(name) / "lora.safetensors")
        wanted = _drawn(whole, row, path, merged=False)
        pipe = load(row.base, folder)
        place(pipe, Device(label=card.label, kind=card.kind, dtype="float32"), Placement(level=level))
        draw(pipe, row.base)  # what runs sets hooks of its own
        own = draw(pipe, row.base)
        troubles = []
        for merged in (False, True):
            apart = float((_drawn(pipe, row, path, merged=merged) - wanted).abs().max())
            if apart > TOLERANCE:
                troubles.append(f"{'merged' if merged else 'hooked'} it differs by {apart:.2g}")
        if not torch.equal(own, draw(pipe, row.base)):
            troubles.append("it does not draw what it drew before")
        # Weights in files are no tensors.
        remove_offloading(pipe)
        if not unchanged(before, parameters(pipe)):
            troubles.append("its weights are not what they were")
    return judged(f"{row} at {level}", "; ".join(troubles) or "restored bit for bit", good=not troubles)


def _drawn(pipe: Any, row: Row, path: Path, *, merged: bool) -> torch.Tensor:
    manager = AdapterManager(pipe, row.base.architecture, LoraCache(2**28))
    manager.set_adapters([adapter(path)])
    try:
        with manager.merge() if merged else nullcontext():
            return draw(pipe, row.base)
    finally:
        manager.disable()


def parameters(pipe: Any) -> dict[tuple[str, str], torch.Tensor]:
    """Copies in the computer's memory, wherever offloading has put the originals."""
    parts = {name: part for name, part in pipe.components.items() if isinstance(part, torch.nn.Module)}
    return {
        (at, name): value.detach().to("cpu", copy=True)
        for at, part in parts.items()
        for name, value in part.named_parameters()
    }


def unchanged(before: dict[tuple[str, str], torch.Tensor], after: dict[tuple[str, str], torch.Tensor]) -> bool:
    return all(torch.equal(value, after[at]) for at, value in before.items())
