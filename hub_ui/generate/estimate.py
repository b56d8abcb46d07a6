"""Estimates the time of a comparison from earlier timings, or else from the base's size and the device's speed."""

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

# The file's name in the user's folder.
TIMINGS = "timings.json"
# Above this on a CPU, users are warned.
_TOO_LONG_SECONDS = 1800
_MOST_KEPT = 500
# Operations for each weight and each 16 x 16 pixel square: networks with coarser grids need fewer.
_OPERATIONS = {"StableDiffusion": 0.7, "Kolors": 0.7, "": 1.2}
# The networks' throughput relative to large matrix products.
_EFFICIENCY = 0.4
_LOADED_A_SECOND = 1e9
# So many times the expected time of a step is more than an estimate can be wrong by.
_SPILLS_FROM = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """`images` are those still to be generated. `measured`: there is a timing of this base here, at this size."""

    seconds: float
    images: int
    measured: bool
    sentence: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Timing:
    """Seconds for one image: each step, and everything else."""

    step: float
    rest: float
    is_guess: bool = False


UNKNOWN = Timing(step=math.inf, rest=math.inf, is_guess=True)


class Timings:
    """Timings in a small JSON file. A damaged file counts as empty. `speed`: operations a second of a device that can't
    be measured before the first image.
    """

    def __init__(self, path: Path | None, speed: float | None = None) -> None:
        self._path = path
        self._given_speed = speed
        self._speeds: dict[tuple[str, str], float] = {}
        self._known: dict[str, Timing] = {}
        with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
            data = json.loads(path.read_text(encoding="utf-8")) if path is not None else {}
            self._known = {
                str(key): Timing(step=float(one["step"]), rest=float(one["rest"])) for key, one in data.items()
            }

    def get(self, key: str) -> Timing | None:
        return self._known.get(key)

    def measure(self, device: Device) -> bool:
        """The speed of a device, so that something is expected of every image there. False: it is known already."""
        where = device.name, device.dtype
        if where in self._speeds:
            return False
        self._speeds[where] = self._given_speed or measure_speed(device)
        return True

    def expect(
        self, spec: PipelineSpec, settings: ResolvedRequest, device: Device, in_full: ResolvedRequest | None = None
    ) -> Timing:
        """What is known of such an image, or guessed: a draft by what is expected `in_full`, others by the device's
        speed where that is known.
        """
        known, speed = self.get(timing_key(spec, settings, device)), self._speeds.get((device.name, device.dtype))
        whole = self.expect(spec, in_full, device) if settings.draft and in_full is not None else None
        if known is not None or whole is None or in_full is None:
            return known or (UNKNOWN if speed is None else guess_timing(spec, settings, speed))
        pipeline = family(spec.pipeline)
        share = settings.width * settings.height / (in_full.width * in_full.height)
        runs = pipeline.runs(settings.guidance) / pipeline.runs(in_full.guidance)
        return Timing(step=whole.step * share * runs, rest=whole.rest * share, is_guess=True)

    def put(self, key: str, timing: Timing) -> None:
        """If the file can't be written, the timing lasts as long as the program."""
        self._known.pop(key, None)
        self._known[key] = timing
        while len(self._known) > _MOST_KEPT:
            del self._known[next(iter(self._known))]
        if self._path is None:
            return
        data = {key: {"step": round(one.step, 5), "rest": round(one.rest, 5)} for key, one in self._known.items()}
        with suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            # Atomic, so that another program never reads half of it.
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
    """`load`: the base is not in memory yet."""
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
    """Where a driver goes on in the computer's memory instead of raising, only the time of a step, in seconds, tells.

    Where each step copies all weights, it takes as long as that does.
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
    """The timing without any measurement on this device."""
    squares = settings.width * settings.height / 256 * latent_frames(settings.frames)
    factor = next(value for name, value in _OPERATIONS.items() if spec.pipeline.startswith(name))
    runs = family(spec.pipeline).runs(settings.guidance)
    step = runs * factor * network_parameters(spec) * squares / (speed * _EFFICIENCY)
    return Timing(step=step, rest=2 * step, is_guess=True)


def measure_speed(device: Device) -> float:
    """Operations a second, measured by a matrix product of a few hundredths of a second."""
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
    """ "41 s", "3 min", "2 h" """
    if seconds < 1:
        return _("a second")
    if seconds < 90:
        return _("{n} s").format(n=round(seconds))
    if seconds < 5400:
        return _("{n} min").format(n=round(seconds / 60))
    return _("{n} h").format(n=f"{round(seconds / 1800) / 2:g}")
