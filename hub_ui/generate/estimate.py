"""How long a sheet will take: as it took before, or roughly, by the size of the base and the speed of the device."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hub_ui.generate.base_models import PipelineSpec, repo_layout
from hub_ui.generate.memory import Device
from hub_ui.generate.settings import ResolvedRequest

_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
# More than this on a CPU, and a person should hear that it is not worth waiting for.
_TOO_LONG_SECONDS = 1800
_MOST_KEPT = 500
# Operations for each weight and each square of 16 by 16 pixels: networks that go down to coarser grids need fewer.
_OPERATIONS = {"StableDiffusion": 0.7, "Kolors": 0.7, "": 1.2}
# Of a repo's bytes, those of the network that is run in every step; the others read the text.
_SHARE_OF_NETWORK = 0.7
# What networks reach of what large matrices reach.
_EFFICIENCY = 0.4
_LOADED_A_SECOND = 1e9
# Their guidance is an input, not a second run.
_GUIDED_IN_ONE_RUN = ("Flux", "HunyuanVideo")


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """`images` are those still to be drawn. `measured`: the same base was drawn with here before, at this size."""

    seconds: float
    images: int
    measured: bool
    sentence: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Timing:
    """Of one picture: each step, and all the rest of it."""

    step: float
    rest: float


class Timings:
    """What was measured, kept in a small file. One that is damaged counts as empty."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._known = _read(path) if path is not None else {}

    def get(self, key: str) -> Timing | None:
        return self._known.get(key)

    def put(self, key: str, timing: Timing) -> None:
        self._known.pop(key, None)
        self._known[key] = timing
        while len(self._known) > _MOST_KEPT:
            del self._known[next(iter(self._known))]
        if self._path is not None:
            _write(self._path, self._known)


def key(choice: PipelineSpec, chosen: ResolvedRequest, device: Device) -> str:
    frames = f"x{chosen.frames}" if chosen.frames else ""
    return f"{choice.id} {chosen.width}x{chosen.height}{frames} {device.label}"


def estimate(
    choice: PipelineSpec,
    chosen: ResolvedRequest,
    device: Device,
    images: int,
    *,
    known: Timing | None,
    speed: float,
    load: bool,
) -> Estimate:
    """`speed` is the device's, in operations a second; `load`: the base has to be brought into memory first."""
    timing = known or rough(choice, chosen, speed)
    loading = _loading(choice) if load and images else 0.0
    seconds = images * (chosen.steps * timing.step + timing.rest) + loading
    return Estimate(
        seconds=seconds,
        images=images,
        measured=known is not None,
        sentence=_sentence(seconds, images, device, known is not None),
    )


def _loading(choice: PipelineSpec) -> float:
    counted = repo_layout.in_base(Path(choice.source))
    return (2 * counted or choice.gigabytes * 1e9) / _LOADED_A_SECOND


def rough(choice: PipelineSpec, chosen: ResolvedRequest, speed: float) -> Timing:
    """Before anything was drawn with this base here."""
    squares = chosen.width * chosen.height / 256 * max(1, math.ceil(chosen.frames / 4))
    factor = next(value for name, value in _OPERATIONS.items() if choice.pipeline.startswith(name))
    runs = 2 if chosen.guidance > 1 and not choice.pipeline.startswith(_GUIDED_IN_ONE_RUN) else 1
    step = runs * factor * _weights(choice) * squares / (speed * _EFFICIENCY)
    return Timing(step=step, rest=2 * step)


def measure(device: Device) -> float:
    """Operations a second, by a product of two matrices that takes a few hundredths of a second."""
    import torch

    side = 1024 if device.kind == "cpu" else 4096
    matrix = torch.ones(side, side, dtype=getattr(torch, device.dtype), device=device.kind)
    best = math.inf
    for _ in range(3):
        start = time.perf_counter()
        (matrix @ matrix)[0, 0].item()
        best = min(best, time.perf_counter() - start)
    return 2 * side**3 / best


def words(seconds: float) -> str:
    """ "41 s", "3 min", "2 h" """
    if seconds < 1:
        return "a second"
    if seconds < 90:
        return f"{round(seconds)} s"
    if seconds < 5400:
        return f"{round(seconds / 60)} min"
    return f"{round(seconds / 1800) / 2:g} h"


def _sentence(seconds: float, images: int, device: Device, measured: bool) -> str:
    if not images:
        return "at once: all of it was drawn before"
    count = _NUMBERS[images] if images < len(_NUMBERS) else str(images)
    what = f"for {count} image{'s' if images > 1 else ''} on this {device.label}"
    if device.kind == "cpu" and seconds > _TOO_LONG_SECONDS:
        return f"about {words(seconds)} {what}: this base is not meant for a CPU"
    if measured:
        return f"about {words(seconds)} {what}"
    return f"roughly {words(seconds)} {what}; the first run will tell"


def _weights(choice: PipelineSpec) -> float:
    """How many numbers the network has: counted in the files, if they lie in a folder, else by the size of the repo."""
    return repo_layout.in_network(Path(choice.source)) or choice.gigabytes * 1e9 / 2 * _SHARE_OF_NETWORK


def _read(path: Path) -> dict[str, Timing]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return {str(name): Timing(step=float(one["step"]), rest=float(one["rest"])) for name, one in data.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _write(path: Path, known: Mapping[str, Timing]) -> None:
    """In one go, so that another program never reads half of it. Where it can't be written, it is not kept."""
    data: dict[str, Any] = {
        name: {"step": round(one.step, 5), "rest": round(one.rest, 5)} for name, one in known.items()
    }
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(f"{path.name}.{os.getpid()}.new")
        new.write_text(json.dumps(data, indent=1), encoding="utf-8")
        new.replace(path)
