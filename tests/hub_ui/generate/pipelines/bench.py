"""Both sides of a comparison: diffusers alone, or the files' meaning worked out by hand; and the product's manager."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from hub_ui.generate.lora.load import LoraCache
from hub_ui.generate.lora.manager import AdapterManager
from tests.hub_ui.generate.building import adapter
from tests.hub_ui.generate.pipelines.frame import PROMPT, Base, File, by_hand, draw, load, plain
from tests.hub_ui.generate.pipelines.rows import Row

Weights = tuple[float, float]
# Off, half, whole, and two at once of which one works backwards.
WEIGHTS: tuple[Weights, ...] = ((0.0, 0.0), (0.5, 0.0), (1.0, 0.0), (0.7, -0.4))
TOLERANCE = 1e-4


@dataclass(kw_only=True)
class Tiny:
    """A base in two copies: one that the product works on, one that it never sees. `drawn` is without any LoRA."""

    base: Base
    ours: Any
    theirs: Any
    drawn: torch.Tensor
    folder: Path


@dataclass(kw_only=True)
class Bench:
    """Loads each tiny pipeline once for all tests."""

    folder: Path
    cache: LoraCache
    loaded: dict[str, Tiny] = field(default_factory=dict)

    def tiny(self, base: Base) -> Tiny:
        if base.name not in self.loaded:
            folder = base.save(self.folder / f"base_{len(self.loaded)}")
            ours, theirs = load(base, folder), load(base, folder)
            draw(ours, base)  # transformers hooks itself up at a first use
            self.loaded[base.name] = Tiny(base=base, ours=ours, theirs=theirs, drawn=draw(theirs, base), folder=folder)
        return self.loaded[base.name]


def written(row: Row, tiny: Tiny, folder: Path) -> tuple[list[File], list[Path]]:
    """Two files of the row."""
    files = [row.make(tiny.theirs, seed) for seed in (1, 2)]
    return files, [file.save(folder / f"{i}.safetensors") for i, file in enumerate(files)]


def by_diffusers(tiny: Tiny, paths: Sequence[Path]) -> Mapping[Weights, torch.Tensor]:
    """At weight 0 it must be the base, whatever diffusers draws then."""
    rows = [row if row[1] else row[:1] for row in WEIGHTS[1:]]
    return _with_base(tiny, plain(tiny.theirs, tiny.base, paths, rows))


def by_arithmetic(tiny: Tiny, files: Sequence[File]) -> Mapping[Weights, torch.Tensor]:
    return _with_base(tiny, by_hand(tiny.theirs, tiny.base, files, WEIGHTS[1:]))


def _with_base(tiny: Tiny, made: Sequence[torch.Tensor]) -> Mapping[Weights, torch.Tensor]:
    return dict(zip(WEIGHTS, (tiny.drawn, *made), strict=True))


def by_manager(tiny: Tiny, paths: Sequence[Path], cache: LoraCache) -> Mapping[Weights, torch.Tensor]:
    manager = AdapterManager(tiny.ours, tiny.base.architecture, cache)
    before = snapshot(tiny.ours)
    made = {}
    try:
        for row in WEIGHTS:
            covered = manager.set_adapters(
                [adapter(path, weight=weight) for path, weight in zip(paths, row, strict=True)]
            )
            assert all(coverage.whole for coverage in covered), covered[0].sentence()
            made[row] = draw(tiny.ours, tiny.base)
        return made
    finally:
        manager.disable()
        assert same_networks(before, snapshot(tiny.ours)), "the base is not what it was"


@contextmanager
def with_adapters(tiny: Tiny, paths: Sequence[Path], cache: LoraCache) -> Iterator[AdapterManager]:
    """All tensors of all files take effect, or it fails."""
    manager = AdapterManager(tiny.ours, tiny.base.architecture, cache)
    try:
        covered = manager.set_adapters([adapter(path) for path in paths])
        assert [coverage.sentence() for coverage in covered if not coverage.whole] == []
        yield manager
    finally:
        manager.disable()


def two(tiny: Tiny) -> torch.Tensor:
    """A batch of two images from the same noise: its texts, and tensors of one row, once for each."""
    call = {"prompt": PROMPT, **tiny.base.call}
    doubled: dict[str, Any] = {"generator": [torch.Generator().manual_seed(0) for _ in range(2)]}
    doubled |= {key: [call[key]] * 2 for key in ("prompt", "negative_prompt") if isinstance(call.get(key), str)}
    doubled |= {key: torch.cat([value] * 2) for key, value in call.items() if isinstance(value, torch.Tensor)}
    return draw(tiny.ours, tiny.base, **doubled)


def snapshot(pipe: Any) -> dict[tuple[str, str], torch.Tensor]:
    """Every parameter; and every module that does more than its class says, by a tensor of no size."""
    parts = {name: part for name, part in pipe.components.items() if isinstance(part, torch.nn.Module)}
    values = {
        (at, name): value.detach().clone() for at, part in parts.items() for name, value in part.named_parameters()
    }
    hooked = {
        (at, f"{name} has hooks"): torch.empty(0)
        for at, part in parts.items()
        for name, module in part.named_modules()
        if module._forward_hooks or module._forward_pre_hooks or "forward" in vars(module)
    }
    return {**values, **hooked}


def same_networks(ones: Mapping[tuple[str, str], torch.Tensor], others: Mapping[tuple[str, str], torch.Tensor]) -> bool:
    """Bit for bit."""
    return ones.keys() == others.keys() and all(torch.equal(value, others[at]) for at, value in ones.items())


def distance(one: torch.Tensor, other: torch.Tensor) -> float:
    return float((one.reshape(other.shape) - other).abs().max())


def apart(ones: Mapping[Weights, torch.Tensor], others: Mapping[Weights, torch.Tensor]) -> dict[Weights, float]:
    """Where two series differ by more than rounding."""
    distances = {row: (ones[row] - others[row]).abs().max().item() for row in WEIGHTS}
    return {row: distance for row, distance in distances.items() if not distance <= TOLERANCE}
