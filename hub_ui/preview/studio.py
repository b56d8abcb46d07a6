"""One base model in memory, LoRAs switched on it, pictures made one after the other."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connectors.errors import UsageError
from hub_ui.preview import bases, loading
from hub_ui.preview.adapters.rack import Rack, Switched
from hub_ui.preview.bases import BaseChoice
from hub_ui.preview.device import Device, pick, release
from hub_ui.preview.job import Job, One, Pair, Picture, Report, Step
from hub_ui.preview.loading import Source
from hub_ui.preview.prompt import as_used
from hub_ui.preview.render import Settings, draw, stop_if

_SECONDS_BETWEEN_TRIES = 0.1
# What latents of all the pipelines here can be cut into.
_GRID = 16
_LONGEST_SIDE = 4096
_MOST_STEPS = 500

Told = Callable[[Step], None]
Asked = Callable[[], bool]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Stage:
    """A base in memory, and where."""

    choice: BaseChoice
    device: Device
    pipe: Any
    rack: Rack


class Studio:
    """One picture is made at a time; who comes meanwhile waits, and may give up waiting."""

    def __init__(self, *, hf_endpoint: str, hf_token: str | None, cache: Path | None = None) -> None:
        self._source = Source(endpoint=hf_endpoint, token=hf_token, cache=cache)
        self._lock = threading.Lock()
        self._stage: _Stage | None = None
        self._plain: tuple[tuple[str, Settings], Picture] | None = None

    def make_pair(self, job: Job, *, report: Told | None = None, cancelled: Asked | None = None) -> Pair:
        """The same prompt, seed and numbers twice; the LoRAs take part in the second picture only."""
        tell, asked = report or _nobody, cancelled or _never
        with self._alone(tell, asked):
            stage = self._ready(job, tell, asked)
            # First the LoRAs: a file that doesn't fit must not cost a picture.
            switched = self._switched(stage, job, tell)
            settings = _settings(job, stage.choice)
            without = self._without(stage, settings, tell, asked)
            stage.rack.switch(job.adapters)
            with_loras = _drawn(stage, settings, "Drawing with the LoRA", tell, asked)
        return Pair(without=without, with_loras=with_loras, report=_report(stage, switched, settings))

    def make_one(self, job: Job, *, report: Told | None = None, cancelled: Asked | None = None) -> One:
        """One picture, with the LoRAs of the job; the base alone for a job without any."""
        tell, asked = report or _nobody, cancelled or _never
        with self._alone(tell, asked):
            stage = self._ready(job, tell, asked)
            switched = self._switched(stage, job, tell)
            settings = _settings(job, stage.choice)
            picture = _drawn(stage, settings, "Drawing", tell, asked)
        return One(picture=picture, report=_report(stage, switched, settings))

    def close(self) -> None:
        """Gives the memory back."""
        with self._lock:
            self._drop()

    @contextmanager
    def _alone(self, tell: Told, asked: Asked) -> Iterator[None]:
        if not self._lock.acquire(blocking=False):
            tell(Step(stage="Waiting for another picture", done=0, total=0))
            while not self._lock.acquire(timeout=_SECONDS_BETWEEN_TRIES):
                stop_if(asked)
        try:
            yield
        finally:
            self._lock.release()

    def _ready(self, job: Job, tell: Told, asked: Asked) -> _Stage:
        """The base the job's LoRAs need, kept if it is the one in memory."""
        _check(job)
        choice = _choice(job)
        if self._stage is not None and self._stage.choice == choice:
            return self._stage
        folder = loading.folder_of(choice, self._source, _fetching(choice, tell, asked))
        tell(Step(stage=f"Loading {choice.label}", done=0, total=0))
        stop_if(asked)
        self._drop()
        device = pick(choice)
        pipe = loading.pipeline(choice, folder, device)
        self._stage = _Stage(choice=choice, device=device, pipe=pipe, rack=Rack(pipe))
        return self._stage

    def _drop(self) -> None:
        if self._stage is not None:
            device = self._stage.device
            self._stage = self._plain = None
            release(device)

    @staticmethod
    def _switched(stage: _Stage, job: Job, tell: Told) -> Switched:
        tell(Step(stage="Putting the LoRA on", done=0, total=0))
        return stage.rack.switch(job.adapters)

    def _without(self, stage: _Stage, settings: Settings, tell: Told, asked: Asked) -> Picture:
        """The base's own picture; the last one is kept, since most people go on to change a weight."""
        key = (stage.choice.id, settings)
        if self._plain is not None and self._plain[0] == key:
            return self._plain[1]
        stage.rack.without()
        picture = _drawn(stage, settings, "Drawing without", tell, asked)
        self._plain = key, picture
        return picture


def _choice(job: Job) -> BaseChoice:
    """One base that all the LoRAs fit."""
    if not job.adapters:
        if job.base is None:
            raise UsageError("There is neither a LoRA nor a base model to draw with. Choose one.")
        return bases.choose(None, None, job.base)
    first = job.adapters[0]
    choice = bases.choose(first.architecture, first.base_model, job.base)
    for adapter in job.adapters[1:]:
        bases.fitting(choice, adapter.architecture)
    return choice


def _check(job: Job) -> None:
    """What no pipeline could draw, or not within a lifetime."""
    if not all(math.isfinite(adapter.weight) for adapter in job.adapters):
        raise UsageError("A weight must be a number, such as 0.8.")
    if not 0 <= job.seed < 2**63:
        raise UsageError("A seed is a whole number from 0 up.")
    if job.steps is not None and not 1 <= job.steps <= _MOST_STEPS:
        raise UsageError(f"Choose between 1 and {_MOST_STEPS} steps.")
    if max(job.width or 1, job.height or 1) > _LONGEST_SIDE or min(job.width or 1, job.height or 1) < 1:
        raise UsageError(f"A picture's sides go up to {_LONGEST_SIDE} pixels.")


def _settings(job: Job, choice: BaseChoice) -> Settings:
    return Settings(
        prompt=as_used(job),
        negative=job.negative,
        seed=job.seed,
        steps=job.steps if job.steps is not None else choice.steps,
        guidance=job.guidance if job.guidance is not None else choice.guidance,
        width=_on_grid(job.width or choice.width),
        height=_on_grid(job.height or choice.height),
    )


def _on_grid(side: int) -> int:
    return max(_GRID, side - side % _GRID)


def _drawn(stage: _Stage, settings: Settings, name: str, tell: Told, asked: Asked) -> Picture:
    def on_step(done: int) -> None:
        tell(Step(stage=name, done=done, total=settings.steps))

    tell(Step(stage=name, done=0, total=settings.steps))
    return draw(stage.pipe, settings, on_step=on_step, cancelled=asked)


def _report(stage: _Stage, switched: Switched, settings: Settings) -> Report:
    return Report(
        base=stage.choice.label,
        device=stage.device.label,
        applied=switched.applied.applied,
        total=switched.applied.total,
        unmatched=switched.applied.unmatched,
        switch_seconds=switched.seconds,
        seed=settings.seed,
        prompt=settings.prompt,
        steps=settings.steps,
        guidance=settings.guidance,
        base_id=stage.choice.id,
    )


def _fetching(choice: BaseChoice, tell: Told, asked: Asked) -> Callable[[int], None]:
    done, total = 0, round(choice.gigabytes * 1e9)

    def on_bytes(count: int) -> None:
        nonlocal done
        stop_if(asked)
        done += count
        # The total is our own estimate: never show more than all of it.
        tell(Step(stage=f"Fetching {choice.label} ({choice.gigabytes:g} GB)", done=min(done, total), total=total))

    return on_bytes


def _nobody(_step: Step) -> None:
    """Nobody wants to know."""


def _never() -> bool:
    return False
