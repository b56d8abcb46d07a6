"""Estimate the time of a comparison.

An estimate comes from earlier timings, or else from the base's size and the device's speed.
"""

import json
import math
import os
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from hub_ui.base.i18n import _, ngettext
from hub_ui.generate.base_models import PipelineSpec
from hub_ui.generate.memory.device import Device, OffloadLevel
from hub_ui.generate.memory.plan import latent_frames, network_parameters
from hub_ui.generate.pipeline_arguments import family
from hub_ui.generate.settings import ResolvedRequest

# The name of the file in the user's folder.
TIMINGS = "timings.json"
# Estimates above this time on a CPU carry a warning.
_TOO_LONG_SECONDS = 1800
_MOST_KEPT = 500
# Operations per weight and 16 x 16 pixels, by the start of the pipeline's name. Networks with coarser grids need fewer.
_OPERATIONS = {"StableDiffusion": 0.7, "Kolors": 0.7, "": 1.2}
# The throughput of networks relative to large matrix products.
_EFFICIENCY = 0.4
_LOADED_A_SECOND = 1e9
# A step that takes this many times as long as expected has spilled, because no estimate is that wrong.
_SPILLS_FROM = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """The expected time. `images` counts the missing images; `measured` is true if an earlier run was timed."""

    seconds: float
    images: int
    measured: bool
    sentence: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Timing:
    """Seconds for one image: `step` for each step, `rest` for everything outside of the steps."""

    step: float
    rest: float
    is_guess: bool = False


UNKNOWN = Timing(step=math.inf, rest=math.inf, is_guess=True)


class Timings:
    """Timings in a small JSON file. A damaged file counts as empty.

    `speed` is in operations per second, for a device that can't be measured before the first image.
    """

    def __init__(self, path: Path | None, speed: float | None = None) -> None:
        self._path = path
        self._given_speed = speed
        self._speeds: dict[tuple[str, str], float] = {}
        self._known: dict[str, Timing] = {}
        with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
            data = json.loads(path.read_text(encoding="utf-8")) if path is not None else {}
            self._known = {
                str(key): Timing(step=float(entry["step"]), rest=float(entry["rest"])) for key, entry in data.items()
            }

    def get(self, key: str) -> Timing | None:
        return self._known.get(key)

    def measure(self, device: Device) -> bool:
        """Measure the speed of a device, from which timings are guessed. Return False if it is known."""
        key = device.name, device.dtype
        if key in self._speeds:
            return False
        self._speeds[key] = self._given_speed or measure_speed(device)
        return True

    def expect(
        self, spec: PipelineSpec, settings: ResolvedRequest, device: Device, in_full: ResolvedRequest | None = None
    ) -> Timing:
        """Return the stored timing of such an image, or else a guess.

        A draft is guessed from the timing of the image `in_full`, other images from the speed of the device. Return
        UNKNOWN if that speed has not been measured.
        """
        stored, speed = self.get(timing_key(spec, settings, device)), self._speeds.get((device.name, device.dtype))
        full_timing = self.expect(spec, in_full, device) if settings.draft and in_full is not None else None
        if stored is not None or full_timing is None or in_full is None:
            return stored or (UNKNOWN if speed is None else guess_timing(spec, settings, speed))
        pipeline = family(spec.pipeline)
        share = settings.width * settings.height / (in_full.width * in_full.height)
        runs = pipeline.runs(settings.guidance) / pipeline.runs(in_full.guidance)
        return Timing(step=full_timing.step * share * runs, rest=full_timing.rest * share, is_guess=True)

    def put(self, key: str, timing: Timing) -> None:
        """Store a timing. If the file can't be written, the timing lasts until the program ends."""
        self._known.pop(key, None)
        self._known[key] = timing
        while len(self._known) > _MOST_KEPT:
            del self._known[next(iter(self._known))]
        if self._path is None:
            return
        data = {key: {"step": round(kept.step, 5), "rest": round(kept.rest, 5)} for key, kept in self._known.items()}
        with suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            # Replace the file atomically, so that another program never reads half of it.
            new = self._path.with_name(f"{self._path.name}.{os.getpid()}.new")
            new.write_text(json.dumps(data, indent=1), encoding="utf-8")
            new.replace(self._path)


def timing_key(spec: PipelineSpec, settings: ResolvedRequest, device: Device) -> str:
    frames = f"x{settings.frames}" if settings.frames else ""
    base = spec.id if spec.precision == "full" else f"{spec.id} {spec.precision}"
    base = f"{base} draft" if settings.draft else base
    return f"{base} {settings.width}x{settings.height}{frames} {device.label}"


def estimate_time(
    spec: PipelineSpec, settings: ResolvedRequest, device: Device, images: int, timing: Timing, *, load: bool
) -> Estimate:
    """Return the estimate for that many images. `load` adds the time to load the base."""
    seconds = images * (settings.run_steps * timing.step + timing.rest)
    if load and images:
        seconds += sum(2 * model.parameters for model in spec.parts.values()) / _LOADED_A_SECOND
    time_ = ngettext("{time} for {n} image on this {device}", "{time} for {n} images on this {device}", images).format(
        time=format_duration(seconds), n=images, device=device.label
    )
    if not images:
        sentence = _("instant, from the cache")
    elif device.kind == "cpu" and seconds > _TOO_LONG_SECONDS:
        sentence = _("about {time}: this base is not meant for a CPU").format(time=time_)
    elif not timing.is_guess:
        sentence = _("about {time}").format(time=time_)
    else:
        sentence = _("roughly {time}, a guess until the first run").format(time=time_)
    return Estimate(seconds=seconds, images=images, measured=not timing.is_guess, sentence=sentence)


def spill_note(step: float, expected: Timing, device: Device, level: OffloadLevel) -> str | None:
    """Return a note if a step was so slow that the GPU's memory probably spilled into RAM.

    `step` is in seconds. Some drivers use RAM instead of raising an error, so only the time shows it. Levels that copy
    weights in each step are left out, because their steps are slow anyway.
    """
    is_likely = device.traits.spills_on == sys.platform and level in ("whole", "model_offload")
    if not is_likely or step < _SPILLS_FROM * expected.step:
        return None
    return (
        f"Each step took {step:.1f} s, {step / expected.step:.0f} times as long as expected: the GPU's memory was "
        "probably full, and Windows went on in the computer's, which is slow. Close other programs or choose a "
        "smaller image. Or forbid it, so that less is kept on the GPU: NVIDIA Control Panel, Manage 3D settings, "
        "CUDA - Sysmem Fallback Policy, Prefer No Sysmem Fallback."
    )


def guess_timing(spec: PipelineSpec, settings: ResolvedRequest, speed: float) -> Timing:
    """Return the timing of an image from the speed of the device, in operations per second."""
    squares = settings.width * settings.height / 256 * latent_frames(settings.frames)
    factor = next(value for name, value in _OPERATIONS.items() if spec.pipeline.startswith(name))
    runs = family(spec.pipeline).runs(settings.guidance)
    step = runs * factor * network_parameters(spec) * squares / (speed * _EFFICIENCY)
    return Timing(step=step, rest=2 * step, is_guess=True)


def measure_speed(device: Device) -> float:
    """Return operations per second, from matrix products of a few hundredths of a second."""
    import torch

    side = 1024 if device.kind == "cpu" else 4096
    matrix = torch.ones(side, side, dtype=getattr(torch, device.dtype), device=device.name)
    best = math.inf
    for _attempt in range(3):
        start = time.perf_counter()
        (matrix @ matrix)[0, 0].item()
        best = min(best, time.perf_counter() - start)
    return 2 * side**3 / best


def format_duration(seconds: float) -> str:
    """Return a rounded duration such as "41 s", "3 min" or "2 h"."""
    if seconds < 1:
        return _("a second")
    if seconds < 90:
        return _("{n} s").format(n=round(seconds))
    if seconds < 5400:
        return _("{n} min").format(n=round(seconds / 60))
    return _("{n} h").format(n=f"{round(seconds / 1800) / 2:g}")
