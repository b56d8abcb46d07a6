"""One base model in memory, LoRAs switched on it, sheets of pictures made one after the other."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL.Image import Image

from connectors.errors import DoesNotFit, UsageError
from hub_ui.generate import base_models, estimate, memory, samplers
from hub_ui.generate.base_models import PipelineSpec, download, load
from hub_ui.generate.base_models.download import Plan, Source
from hub_ui.generate.callbacks import ProgressTracker, stop_if
from hub_ui.generate.checks import OutputChecks
from hub_ui.generate.comparison import Cell, Comparison
from hub_ui.generate.control_image import ControlImage, steer
from hub_ui.generate.estimate import Estimate, Timing, Timings
from hub_ui.generate.image_cache import ImageCache, effect
from hub_ui.generate.loaded_pipeline import LoadedPipeline
from hub_ui.generate.lora.cache import Cache
from hub_ui.generate.lora.manager import AdapterManager, AdapterSwitch
from hub_ui.generate.memory import Device, pick, release
from hub_ui.generate.pipeline_arguments import family, ignored, unread
from hub_ui.generate.request import (
    Asked,
    GeneratedImage,
    GenerationReport,
    GenerationRequest,
    GenerationResult,
    Step,
    Told,
)
from hub_ui.generate.settings import ResolvedRequest, check, resized, settings
from hub_ui.terminal import size

_SECONDS_BETWEEN_TRIES = 0.1
_CACHE_BYTES = 2_000_000_000


class Engine:
    """One sheet is made at a time; who comes meanwhile waits, and may give up waiting."""

    def __init__(self, source: Source, timings: Path | None = None) -> None:
        self._source = source
        self._timings = Timings(timings)
        self._speed: dict[tuple[str, str], float] = {}
        self._lock = threading.Lock()
        self._cache = Cache(_CACHE_BYTES)
        self._drawn = ImageCache()
        self._stage: LoadedPipeline | None = None

    def make(
        self, job: GenerationRequest, sheet: Comparison, *, report: Told | None = None, cancelled: Asked | None = None
    ) -> GenerationResult:
        """Every cell of the sheet, from the job's seed. Equal cells, and those drawn before, are drawn once."""
        tell, asked = report or _nobody, cancelled or _never
        check(job, sheet)
        with self._alone(tell, asked):
            stage = self._ready(job, tell, asked)
            with _memory_told(stage, job):
                # First the LoRAs: a file that doesn't fit must not cost a picture.
                tell(Step(stage="Putting the LoRA on", done=0, total=0))
                switched = stage.put_on(job.adapters)
                return self._made(stage, switched, job, sheet, tell, asked)

    def estimate(self, job: GenerationRequest, sheet: Comparison) -> Estimate:
        """How long it would take, without loading the base or waiting for anyone."""
        check(job, sheet)
        choice, stage = _choice(job), self._stage
        here = stage is not None and stage.asked == choice
        if stage is not None and here:
            choice = stage.choice
        device, chosen = (stage.device if stage is not None and here else pick(choice)), settings(job, choice)
        keys = {_key(choice, device, chosen, job, cell) for cell in sheet.cells}
        return estimate.estimate(
            choice,
            chosen,
            device,
            sum(self._drawn.get(key) is None for key in keys),
            known=self._timings.get(estimate.key(choice, chosen, device)),
            speed=self._speed_of(device),
            load=not here,
        )

    def close(self) -> None:
        """Gives the memory back."""
        with self._lock:
            self._drop()
            self._cache.clear()
            self._drawn.clear()

    def _speed_of(self, device: Device) -> float:
        named = device.kind, device.dtype
        if named not in self._speed:
            self._speed[named] = estimate.measure(device)
        return self._speed[named]

    def _made(
        self,
        stage: LoadedPipeline,
        switched: AdapterSwitch,
        job: GenerationRequest,
        sheet: Comparison,
        tell: Told,
        asked: Asked,
    ) -> GenerationResult:
        chosen = settings(job, stage.choice)
        sound = OutputChecks()
        with samplers.using(stage.pipe, chosen.sampler) as note:
            steering = steer(stage.pipe, stage.choice, job, chosen, control=switched.control, cache=self._source.cache)
            said = [*resized(job, chosen), *ignored(stage.pipe, chosen), *([note] if note else []), *steering.notes]
            said += unread(stage.pipe, [*(cell.prompt for cell in sheet.cells), job.negative])
            sound.notes.extend(said)
            pictures = self._pictures(stage, job, sheet, steering, chosen, sound, tell, asked)
            sampler = samplers.own(stage.pipe)
        report = _report(stage, switched, chosen, sampler, tuple(sound.notes), steering.picture)
        return GenerationResult(job=job, sheet=sheet, pictures=pictures, report=report)

    def _pictures(
        self,
        stage: LoadedPipeline,
        job: GenerationRequest,
        sheet: Comparison,
        steering: ControlImage,
        chosen: ResolvedRequest,
        sound: OutputChecks,
        tell: Told,
        asked: Asked,
    ) -> tuple[GeneratedImage, ...]:
        def key(cell: Cell) -> Any:
            return _key(stage.choice, stage.device, chosen, job, cell)

        # Asked for once: a file that is replaced meanwhile has another key, and was not drawn with.
        keys = {cell: key(cell) for cell in sheet.cells}
        found = {key: picture for key in keys.values() if (picture := self._drawn.get(key)) is not None}
        wanted = {key: cell for cell, key in keys.items() if key not in found}
        course = ProgressTracker(tell=tell, asked=asked, rows=len(wanted), steps=chosen.steps)
        # Closed at once, whatever is raised: what it has to put back must not meet the next one's pictures.
        with closing(stage.draw(job, list(wanted.values()), steering, chosen, course, sound)) as coming:
            for cell, picture in coming:
                sound.look(picture.image, cell.label)
                self._drawn.put(keys[cell], picture)
                found[keys[cell]] = picture
        self._learn(stage, chosen, course)
        for cell in sheet.cells:
            base = replace(cell, weights=(0.0,) * len(cell.weights))
            sound.compare(cell, found[keys[cell]], self._drawn.get(key(base)))
        return tuple(found[keys[cell]] for cell in sheet.cells)

    def _learn(self, stage: LoadedPipeline, chosen: ResolvedRequest, course: ProgressTracker) -> None:
        if course.step_seconds is not None:
            timing = Timing(step=course.step_seconds, rest=course.rest_seconds)
            self._timings.put(estimate.key(stage.choice, chosen, stage.device), timing)

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

    def _ready(self, job: GenerationRequest, tell: Told, asked: Asked) -> LoadedPipeline:
        """The base the job's LoRAs need, kept if it is the one in memory."""
        wanted = _choice(job)
        if self._stage is not None and self._stage.asked == wanted:
            return self._stage
        plan = download.plan(wanted, self._source)
        # What the base in memory takes now will be free.
        memory.check(plan.choice, pick(plan.choice), memory.need(self._stage.choice) if self._stage else 0)
        download.check(plan, job.may_fetch)
        fetched = download.fetch(plan, self._source, _fetching(plan, tell, asked))
        choice = plan.choice
        tell(Step(stage=f"Loading {choice.label}", done=0, total=0))
        stop_if(asked)
        self._drop()
        device = pick(choice)
        pipe = load.load_pipeline(choice, fetched, device)
        rack = AdapterManager(pipe, choice.architecture, self._cache)
        level = memory.first(choice, device)
        self._stage = LoadedPipeline(
            asked=wanted, choice=choice, revision=fetched.revision, device=device, pipe=pipe, rack=rack, level=level
        )
        return self._stage

    def _drop(self) -> None:
        if self._stage is not None:
            device = self._stage.device
            self._stage.rack.close()
            self._stage = None
            release(device)


@contextmanager
def _memory_told(stage: LoadedPipeline, job: GenerationRequest) -> Iterator[None]:
    """Beside the drawing itself, which is tried twice."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not memory.out_of_memory(error):
            raise
        raise memory.too_large(stage.choice, settings(job, stage.choice), stage.device) from error


def _key(choice: PipelineSpec, device: Device, chosen: ResolvedRequest, job: GenerationRequest, cell: Cell) -> Any:
    """Everything a picture depends on."""
    base = choice.id, choice.source, choice.revision, device.kind, device.dtype
    loras = effect(job.adapters, cell.weights)
    # The base alone looks at no control picture, unless it is one that changes pictures.
    steered = job.control if loras or family(choice.pipeline).edits else None
    picture = (str(steered), steered.stat().st_mtime_ns, job.control_kind) if steered and steered.exists() else None
    return *base, chosen, cell.prompt, loras, picture


def _choice(job: GenerationRequest) -> PipelineSpec:
    """One base that all the LoRAs fit."""
    if not job.adapters:
        if job.base is None:
            raise UsageError("There is neither a LoRA nor a base model to draw with. Choose one.")
        return base_models.choose(None, None, job.base)
    first = job.adapters[0]
    choice = base_models.choose(first.architecture, first.base_model, job.base)
    for adapter in job.adapters[1:]:
        if adapter.architecture not in (None, choice.architecture):
            raise DoesNotFit(
                f"“{first.title}” is for {choice.architecture} and “{adapter.title}” for {adapter.architecture}: LoRAs "
                "of different architectures can't be used together. Leave one of them out."
            )
    return choice


def _report(
    stage: LoadedPipeline,
    switched: AdapterSwitch,
    chosen: ResolvedRequest,
    sampler: str,
    notes: tuple[str, ...],
    control: Image | None,
) -> GenerationReport:
    return GenerationReport(
        base=stage.choice.label,
        base_id=stage.choice.id,
        device=stage.device.label,
        coverage=switched.coverage,
        switch_seconds=switched.seconds,
        seed=chosen.seed,
        steps=chosen.steps,
        guidance=chosen.guidance,
        width=chosen.width,
        height=chosen.height,
        sampler=sampler,
        base_revision=stage.revision,
        notes=notes,
        control=control,
    )


def _fetching(plan: Plan, tell: Told, asked: Asked) -> Callable[[int], None]:
    done, total = 0, plan.missing
    stage = f"Fetching {plan.choice.label} ({size(total)})"

    def on_bytes(count: int) -> None:
        nonlocal done
        stop_if(asked)
        done += count
        # What a download starts over with counts twice: never show more than all of it.
        tell(Step(stage=stage, done=min(done, total), total=total))

    return on_bytes


def _nobody(_step: Step) -> None:
    """Nobody wants to know."""


def _never() -> bool:
    return False
