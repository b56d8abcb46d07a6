"""Keep one base model in memory, switch LoRAs on it, and generate one comparison after another."""

import threading
import time
from collections.abc import Hashable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from typing import TypeAlias

from connectors.errors import HubUiError
from hub_ui.base.i18n import _, use_language
from hub_ui.generate import samplers
from hub_ui.generate.base_models import PipelineSpec
from hub_ui.generate.base_models.download import DownloadPlan, Source, fetch
from hub_ui.generate.base_models.files import find_draft, plan_download
from hub_ui.generate.base_models.load import load_pipeline
from hub_ui.generate.batch import OutputChecks, attention_of
from hub_ui.generate.caches import ImageCache, effect_key
from hub_ui.generate.compare.comparison import Cell, Comparison
from hub_ui.generate.control import ControlImage, choose_inputs
from hub_ui.generate.estimate import Estimate, Timing, Timings, estimate_time, spill_note, timing_key
from hub_ui.generate.loaded_pipeline import Call, LoadedPipeline
from hub_ui.generate.lora.load import LoraCache
from hub_ui.generate.lora.manager import AdapterManager
from hub_ui.generate.memory.device import is_out_of_memory
from hub_ui.generate.memory.offload import release_memory
from hub_ui.generate.memory.plan import image_too_large
from hub_ui.generate.pipeline_arguments import unused_notes
from hub_ui.generate.plan import GenerationPlan, choose_spec, make_plan
from hub_ui.generate.prompt_weights import prompt_notes
from hub_ui.generate.request import NO_CALLBACKS, Callbacks, GenerationRequest, ProgressTracker, Step
from hub_ui.generate.result import Coverage, GeneratedImage, GenerationReport, GenerationResult, application_of
from hub_ui.generate.settings import check_request, seed_notes, size_notes
from hub_ui.locales import get_language

_SECONDS_BETWEEN_TRIES = 0.1
_CACHE_BYTES = 2_000_000_000
_READ_AT_ONCE = 16_000_000


class Engine:
    """A generator of one comparison at a time. Other callers wait, and may cancel."""

    def __init__(self, source: Source, timings: Path | None = None, *, speed: float | None = None) -> None:
        """Create an engine without loading a base.

        `speed` is in operations per second, for a device that can't be measured before the first image.
        """
        self.source = source
        self._timings = Timings(timings, speed)
        self._lock = threading.Lock()
        self._lora_cache = LoraCache(_CACHE_BYTES)
        self._image_cache = ImageCache()
        self._loaded: LoadedPipeline | None = None

    def generate(
        self, request: GenerationRequest, comparison: Comparison, callbacks: Callbacks = NO_CALLBACKS
    ) -> GenerationResult:
        """Generate every cell from the request's seed, except equal cells and cached images."""
        check_request(request, comparison)
        with self._exclusively(request, callbacks):
            loaded = self._load(request, callbacks)
            try:
                # Apply the LoRAs first, so that a file that does not fit costs no image.
                callbacks.report(_("Putting the LoRA on"))
                start = time.perf_counter()
                coverage = loaded.set_adapters(loaded.plan.adapters)
                seconds = time.perf_counter() - start
                with loaded.plan.device.current():
                    result = self._generate(loaded, coverage, comparison, callbacks)
                return replace(result, report=replace(result.report, switch_seconds=seconds))
            except (RuntimeError, MemoryError) as error:
                # Memory ran out outside of a batch, so there is no batch to retry.
                if not is_out_of_memory(error):
                    raise
                plan = loaded.plan
                raise image_too_large(plan.spec, plan.settings, plan.device) from error

    def load(self, request: GenerationRequest) -> None:
        """Load the base of a request, so that the first image does not wait for it."""
        with self._exclusively(request, NO_CALLBACKS):
            self._load(request, NO_CALLBACKS).read_decoder()

    def fetch(self, request: GenerationRequest, callbacks: Callbacks) -> None:
        """Download the missing files of the base of a request, without loading it."""
        files = plan_download(choose_spec(request), self.source)
        fetch(files, self.source, request, callbacks)
        find_draft(files.spec, self.source, request, callbacks)

    def prepare(self) -> None:
        """Do nothing, because the base is only known with the first request."""

    def estimate(self, request: GenerationRequest, comparison: Comparison) -> Estimate:
        """Estimate the time without loading the base or waiting for other requests."""
        check_request(request, comparison)
        requested, current = choose_spec(request), self._loaded
        loaded = current if current is not None and current.requested == requested else None
        spec, before = loaded.plan.spec if loaded else requested, current.plan if current else None
        plan = make_plan(request, spec, timings=self._timings, before=before)
        if self._timings.measure(plan.device):
            plan = make_plan(request, spec, timings=self._timings, before=before)
        is_tiled = plan.is_tiled or bool(loaded and loaded.ran_out_decoding and not loaded.rises)
        keys = {(is_tiled, _image_key(plan, cell)) for cell in comparison.cells}
        images = sum(self._image_cache.find(key) is None for key in keys)
        estimated = estimate_time(plan.spec, plan.settings, plan.device, images, plan.timing, load=loaded is None)
        return replace(estimated, sentence=". ".join([estimated.sentence, *plan.notes]))

    @property
    def loaded_base(self) -> PipelineSpec | None:
        """The base in memory, or None before the first image."""
        loaded = self._loaded
        return None if loaded is None else loaded.plan.spec

    def close(self) -> None:
        """Unload the base and clear the caches."""
        with self._lock:
            self._unload()
            self._lora_cache.clear()
            self._image_cache.clear()

    def _generate(
        self, loaded: LoadedPipeline, coverage: Sequence[Coverage], comparison: Comparison, callbacks: Callbacks
    ) -> GenerationResult:
        """Generate a comparison on the base with its LoRAs applied.

        The report's `switch_seconds` is 0; `generate` fills it in.
        """
        plan, pipe, checks = loaded.plan, loaded.pipe, OutputChecks()
        request, settings = plan.request, plan.settings
        shift = plan.spec.flow_shift(settings.width, settings.height)
        options = settings.draft.lora.scheduler_options if settings.draft and settings.draft.lora else None
        with loaded.as_planned(checks), samplers.using(pipe, settings.sampler, shift, options) as sampler_note:
            control = choose_inputs(pipe, plan, control=loaded.manager.needs_control_image, cache=self.source.cache)
            checks.notes.extend(plan.notes)
            partial = (lora for lora in coverage[len(request.adapters) :] if not lora.whole)
            checks.notes.extend(f"{lora.title}: {lora.sentence()}" for lora in partial)
            prompts = [*(cell.prompt for cell in comparison.cells), request.negative]
            seeds = (settings.seed if cell.seed is None else cell.seed for cell in comparison.cells)
            checks.notes.extend([*unused_notes(pipe, settings), *seed_notes(seeds)])
            checks.notes.extend([*([sampler_note] if sampler_note else []), *control.notes])
            checks.notes.extend(prompt_notes(pipe, settings, prompts))
            images = self._generate_images(loaded, comparison, control, checks, callbacks)
            sampler, attention = samplers.own(pipe), attention_of(pipe)
        # Some bases resize every image to a fixed area, so read the size from the image.
        (width, height), frames = images[0].image.size, max(1, len(images[0].frames))
        report = GenerationReport(
            base=plan.spec.label,
            base_id=plan.spec.id,
            device=plan.device.label,
            coverage=tuple(coverage[: len(request.adapters)]),
            switch_seconds=0.0,
            seed=settings.seed,
            steps=settings.steps,
            guidance=settings.guidance,
            width=width,
            height=height,
            sampler=sampler,
            base_revision=loaded.revision,
            base_sha256=loaded.sha256,
            precision=plan.spec.precision,
            notes=(*size_notes(request, settings, plan.spec, (width, height), frames), *checks.notes),
            control=control.image,
            dtype=plan.device.dtype,
            rows=max(image.rows for image in images),
            level=loaded.placement.level,
            adapters=application_of(images),
            attention=attention,
            draft=plan.draft.refs if settings.draft and plan.draft else None,
        )
        return GenerationResult(request=request, comparison=comparison, images=images, report=report)

    def _generate_images(
        self,
        loaded: LoadedPipeline,
        comparison: Comparison,
        control: ControlImage,
        checks: OutputChecks,
        callbacks: Callbacks,
    ) -> tuple[GeneratedImage, ...]:
        plan = loaded.plan
        # Compute the keys before generation, so that a control image that is replaced meanwhile gets another key.
        bare = {cell: replace(cell, weights=(0.0,) * len(cell.weights)) for cell in comparison.cells}
        keys = {cell: _image_key(plan, cell) for cell in (*bare, *bare.values())}
        unique = list({keys[cell]: cell for cell in reversed(bare)}.values())[::-1]
        images: dict[Hashable, GeneratedImage] = {}
        missing: list[Call] = []
        for call in loaded.calls(unique, control):
            cached = self._image_cache.get(tuple((loaded.placement.is_tiled, keys[cell]) for cell in call))
            if cached is None:
                missing.append(call)
            else:
                images |= {keys[cell]: image for cell, image in zip(call, cached, strict=True)}
        progress = ProgressTracker(callbacks=callbacks, rows=sum(map(len, missing)), steps=plan.settings.run_steps)
        # Close the generator even after an error, because it restores parameters that would affect the next images.
        with closing(loaded.generate(missing, control, progress, checks)) as batches:
            for call, batch in batches:
                self._image_cache.put(tuple((loaded.placement.is_tiled, keys[cell]) for cell in call), batch)
                for cell, image in zip(call, batch, strict=True):
                    checks.check_image(image.image, cell.label)
                    images[keys[cell]] = image
        for cell in comparison.cells:
            base = keys[bare[cell]]
            without = images.get(base) or self._image_cache.find((loaded.placement.is_tiled, base))
            checks.check_effect(cell, images[keys[cell]], without)
        if progress.step_seconds is not None:
            timing = Timing(step=progress.step_seconds, rest=progress.rest_seconds)
            note = spill_note(timing.step, plan.timing, plan.device, loaded.placement.level)
            if note is None:
                self._timings.put(timing_key(plan.spec, plan.settings, plan.device), timing)
            else:
                # Don't store this timing. Memory spilled into RAM, so it does not predict the next run.
                checks.note(note)
        return tuple(images[keys[cell]] for cell in comparison.cells)

    @contextmanager
    def _exclusively(self, request: GenerationRequest, callbacks: Callbacks) -> Iterator[None]:
        if not self._lock.acquire(blocking=False):
            callbacks.report(_("Waiting for another image"))
            # Use the wait to read the LoRA files into the system's file cache.
            for adapter in request.adapters:
                # An unreadable file is reported when its LoRA is applied.
                with suppress(OSError), adapter.path.open("rb") as file:
                    while file.read(_READ_AT_ONCE):
                        callbacks.raise_if_cancelled()
            while not self._lock.acquire(timeout=_SECONDS_BETWEEN_TRIES):
                callbacks.raise_if_cancelled()
        try:
            yield
        finally:
            self._lock.release()

    def _load(self, request: GenerationRequest, callbacks: Callbacks) -> LoadedPipeline:
        """Return the base that the LoRAs of the request need, loading it unless it is in memory."""
        requested, loaded = choose_spec(request), self._loaded
        before = None if loaded is None else loaded.plan
        if loaded is not None and loaded.requested == requested:
            files = DownloadPlan(spec=loaded.plan.spec)
        else:
            loaded = None
            files = plan_download(requested, self.source)
            make_plan(request, files.spec, timings=self._timings, before=before).check()
        fetched = fetch(files, self.source, request, callbacks)
        # If the base is downloaded, fetch its small decoder as well (about 10 MB), which gives the first image a
        # preview in colour.
        draft = find_draft(files.spec, self.source, request, callbacks, decoder=files.missing > 0)
        if loaded is not None:
            plan = make_plan(request, files.spec, timings=self._timings, before=before, draft=draft)
            plan.check(is_loaded=True)
            loaded.begin(plan)
            return loaded
        callbacks.report(f"Loading {files.label}")
        callbacks.raise_if_cancelled()
        self._unload()
        # Plan again, because other programs may have taken memory. The system would kill this process if memory ran
        # out.
        plan = make_plan(request, files.spec, timings=self._timings, draft=draft)
        plan.check()
        # Select the device, because bitsandbytes quantises on the current GPU.
        with plan.device.current():
            pipe, placement = load_pipeline(plan.spec, fetched, plan.device, plan.placement)
        self._loaded = LoadedPipeline(
            requested=requested,
            plan=plan,
            revision=fetched.revision,
            sha256=fetched.sha256(),
            pipe=pipe,
            manager=AdapterManager(pipe, plan.spec.architecture, self._lora_cache, plan.device.name),
            placement=placement,
        )
        return self._loaded

    def _unload(self) -> None:
        if self._loaded is not None:
            device = self._loaded.plan.device
            self._loaded.manager.disable()
            self._loaded = None
            release_memory(device)


def _image_key(plan: GenerationPlan, cell: Cell) -> Hashable:
    """Return a key of all the inputs that an image depends on."""
    request, spec, device = plan.request, plan.spec, plan.device
    base = spec.id, spec.source, spec.revision, spec.precision, device.kind, device.dtype
    loras = effect_key(request.adapters, cell.weights)
    # Without LoRAs the control image has no effect, unless the base edits images.
    path = request.control if loras or plan.family.edits else None
    control = (str(path), path.stat().st_mtime_ns, request.control_kind) if path and path.exists() else None
    start = (str(request.image), request.image.stat().st_mtime_ns) if request.image and request.image.exists() else None
    return *base, plan.settings, cell.prompt, cell.seed, loras, control, start


# The events that an engine in another process sends. All of them can be pickled.
Event: TypeAlias = Step | GenerationResult | HubUiError


class EventStream:
    """A generation in its own thread as a stream of events: steps, then the result or one of our errors.

    `language` is the code of the language of the steps and notes.
    """

    def __init__(self, engine: Engine, request: GenerationRequest, comparison: Comparison, *, language: str) -> None:
        self._events: SimpleQueue[Event | None] = SimpleQueue()
        self._cancelled = threading.Event()

        def work() -> None:
            try:
                with use_language(get_language(language)):
                    callbacks = Callbacks(on_progress=self._events.put, is_cancelled=self._cancelled.is_set)
                    self._events.put(engine.generate(request, comparison, callbacks))
            except HubUiError as error:
                self._events.put(error)

        self._pool = ThreadPoolExecutor(1)
        self._future = self._pool.submit(work)
        self._future.add_done_callback(lambda _done: self._events.put(None))

    def next(self) -> Event | None:
        """Wait for the next event. Return None after the last, or raise an unexpected error of the generation."""
        event = self._events.get()
        if event is None:
            self._future.result()
        return event

    def close(self, *, wait: bool) -> None:
        """Cancel the generation, which ends at its next step."""
        self._cancelled.set()
        self._pool.shutdown(wait=wait)
