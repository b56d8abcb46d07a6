"""Keeps one base model in memory, switches LoRAs on it, and generates one comparison after another."""

import threading
from collections.abc import Hashable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from connectors.errors import DoesNotFit, UsageError
from hub_ui.format import size
from hub_ui.generate import samplers
from hub_ui.generate.base_models import PipelineSpec, base_by_id, check_substitution, choose_base, download
from hub_ui.generate.base_models.load import load_pipeline
from hub_ui.generate.base_models.precision import precise_label
from hub_ui.generate.base_models.table import model_sizes
from hub_ui.generate.batch import Call, OutputChecks, check_compiler
from hub_ui.generate.caches import ImageCache, effect_key
from hub_ui.generate.comparison import Cell, Comparison
from hub_ui.generate.control import ControlImage, choose_control, choose_start
from hub_ui.generate.estimate import (
    Estimate,
    Timing,
    Timings,
    estimate_time,
    guess_timing,
    measure_speed,
    spill_note,
    timing_key,
)
from hub_ui.generate.loaded_pipeline import LoadedPipeline
from hub_ui.generate.lora.load import LoraCache, lora_bytes
from hub_ui.generate.lora.manager import AdapterManager, AdapterSwitch, check_halves
from hub_ui.generate.memory import (
    Device,
    available_memory,
    check_memory,
    choose_device,
    image_too_large,
    is_decoded_in_pieces,
    is_out_of_memory,
    release_memory,
)
from hub_ui.generate.pipeline_arguments import family, unused_notes
from hub_ui.generate.prompt_weights import prompt_notes
from hub_ui.generate.quality import in_quality, quality_notes
from hub_ui.generate.request import NO_CALLBACKS, Callbacks, GenerationRequest, LoraInput, ProgressTracker
from hub_ui.generate.result import GeneratedImage, GenerationReport, GenerationResult
from hub_ui.generate.settings import ResolvedRequest, check_request, resolve_request, size_notes, substitution_notes
from hub_ui.i18n import _

_SECONDS_BETWEEN_TRIES = 0.1
_CACHE_BYTES = 2_000_000_000
_READ_AT_ONCE = 16_000_000


class Engine:
    """Generates one comparison at a time; other callers wait, and may cancel."""

    def __init__(self, source: download.Source, timings: Path | None = None, *, speed: float | None = None) -> None:
        """`speed`: operations a second of a device that can't be measured before the first image."""
        self.source = source
        self._timings = Timings(timings)
        self._given_speed = speed
        self._speed: dict[tuple[str, str], float] = {}
        self._lock = threading.Lock()
        self._lora_cache = LoraCache(_CACHE_BYTES)
        self._image_cache = ImageCache()
        self._loaded: LoadedPipeline | None = None

    def generate(
        self, request: GenerationRequest, comparison: Comparison, callbacks: Callbacks = NO_CALLBACKS
    ) -> GenerationResult:
        """Generates every cell from the request's seed. Equal cells and cached images are not generated again."""
        check_request(request, comparison)
        if request.compile:
            check_compiler(choose_device(choose_spec(request)).kind)
        with self._exclusively(request, callbacks):
            loaded = self._load(request, callbacks)
            try:
                # LoRAs come first, so that a file that doesn't fit costs no image.
                callbacks.report(_("Putting the LoRA on"))
                switched = loaded.set_adapters(request.adapters)
                with loaded.device.current():
                    return self._generate(loaded, switched, request, comparison, callbacks)
            except (RuntimeError, MemoryError) as error:
                # Outside of the batches, which may be repeated.
                if not is_out_of_memory(error):
                    raise
                raise image_too_large(loaded.spec, resolve_request(request, loaded.spec), loaded.device) from error

    def load(self, request: GenerationRequest) -> None:
        """Loads the base of a request, so that the first image need not wait for it."""
        callbacks = Callbacks()
        with self._exclusively(request, callbacks):
            self._load(request, callbacks)

    def fetch(self, request: GenerationRequest, callbacks: Callbacks) -> None:
        """Downloads what is missing of the base of a request, and loads nothing."""
        plan = download.plan_download(choose_spec(request), self.source)
        self._fetch(plan, request, callbacks)

    def prepare(self) -> None:
        """The base is loaded with the first request, which says which."""

    def estimate(self, request: GenerationRequest, comparison: Comparison) -> Estimate:
        """Estimates the time without loading the base or waiting for other requests."""
        check_request(request, comparison)
        spec, loaded = choose_spec(request), self._loaded
        if loaded is not None and loaded.requested == spec:
            spec, device, is_loaded = loaded.spec, loaded.device, True
        else:
            device, is_loaded = choose_device(spec), False
        settings = resolve_request(request, spec)
        is_tiled = is_decoded_in_pieces(spec, device, settings) or bool(
            loaded and is_loaded and loaded.ran_out_decoding and not loaded.rises
        )
        keys = {(is_tiled, _image_key(spec, device, settings, request, cell)) for cell in comparison.cells}
        where = device.name, device.dtype
        if where not in self._speed:
            self._speed[where] = self._given_speed or measure_speed(device)
        estimated = estimate_time(
            spec,
            settings,
            device,
            sum(self._image_cache.find(key) is None for key in keys),
            known=self._timings.get(timing_key(spec, settings, device)),
            speed=self._speed[where],
            load=not is_loaded,
        )
        return replace(estimated, sentence=". ".join([estimated.sentence, *base_notes(spec, request)]))

    @property
    def loaded_base(self) -> PipelineSpec | None:
        """The base in memory; None before the first image."""
        loaded = self._loaded
        return None if loaded is None else loaded.spec

    def close(self) -> None:
        """Frees the memory."""
        with self._lock:
            self._unload()
            self._lora_cache.clear()
            self._image_cache.clear()

    def _generate(
        self,
        loaded: LoadedPipeline,
        switched: AdapterSwitch,
        request: GenerationRequest,
        comparison: Comparison,
        callbacks: Callbacks,
    ) -> GenerationResult:
        settings, checks = resolve_request(request, loaded.spec), OutputChecks()
        loaded.decode_in_pieces(settings, checks)
        shift = loaded.spec.flow_shift(settings.width, settings.height)
        with samplers.using(loaded.pipe, settings.sampler, shift) as sampler_note:
            if request.image is None:
                control = choose_control(
                    loaded.pipe, loaded.spec, request, settings, control=switched.control, cache=self.source.cache
                )
            else:
                control = choose_start(loaded.pipe, loaded.spec, request, settings, control=switched.control)
            checks.notes.extend(base_notes(loaded.spec, request))
            prompts = [*(cell.prompt for cell in comparison.cells), request.negative]
            checks.notes.extend(unused_notes(loaded.pipe, settings))
            checks.notes.extend([*([sampler_note] if sampler_note else []), *control.notes])
            checks.notes.extend(prompt_notes(loaded.pipe, settings, prompts))
            images = self._generate_images(loaded, request, comparison, control, settings, checks, callbacks)
            sampler = samplers.own(loaded.pipe)
        # Some bases bring every size to an area of their own.
        width, height = images[0].image.size
        report = GenerationReport(
            base=loaded.spec.label,
            base_id=loaded.spec.id,
            device=loaded.device.label,
            coverage=switched.coverage,
            switch_seconds=switched.seconds,
            seed=settings.seed,
            steps=settings.steps,
            guidance=settings.guidance,
            width=width,
            height=height,
            sampler=sampler,
            base_revision=loaded.revision,
            base_sha256=loaded.sha256,
            precision=loaded.spec.precision,
            notes=(*size_notes(request, settings, (width, height)), *checks.notes),
            control=control.image,
            dtype=loaded.device.dtype,
            rows=max(image.rows for image in images),
            level=loaded.placement.level,
            adapters=_application(images),
        )
        return GenerationResult(request=request, comparison=comparison, images=images, report=report)

    def _generate_images(
        self,
        loaded: LoadedPipeline,
        request: GenerationRequest,
        comparison: Comparison,
        control: ControlImage,
        settings: ResolvedRequest,
        checks: OutputChecks,
        callbacks: Callbacks,
    ) -> tuple[GeneratedImage, ...]:
        def key(cell: Cell) -> Hashable:
            return _image_key(loaded.spec, loaded.device, settings, request, cell)

        # Computed once: a file that is replaced during generation has another key, and was not used.
        keys = {cell: key(cell) for cell in comparison.cells}
        unique = list({key: cell for cell, key in reversed(keys.items())}.values())[::-1]
        images: dict[Hashable, GeneratedImage] = {}
        wanted: list[Call] = []
        for call in loaded.plan(unique, control, settings):
            cached = self._image_cache.get(tuple((loaded.placement.is_tiled, keys[cell]) for cell in call))
            if cached is None:
                wanted.append(call)
            else:
                images |= {keys[cell]: image for cell, image in zip(call, cached, strict=True)}
        progress = ProgressTracker(callbacks=callbacks, rows=sum(map(len, wanted)), steps=settings.run_steps)
        # Closed at once, whatever is raised: it restores parameters, which must not affect the next images.
        with closing(loaded.generate(request, wanted, control, settings, progress, checks)) as coming:
            for call, made in coming:
                self._image_cache.put(tuple((loaded.placement.is_tiled, keys[cell]) for cell in call), made)
                for cell, image in zip(call, made, strict=True):
                    checks.check_image(image.image, cell.label)
                    images[keys[cell]] = image
        if progress.step_seconds is not None:
            timing = Timing(step=progress.step_seconds, rest=progress.rest_seconds)
            self._learn(timing, loaded, settings, checks)
        for cell in comparison.cells:
            base = key(replace(cell, weights=(0.0,) * len(cell.weights)))
            without = images.get(base) or self._image_cache.find((loaded.placement.is_tiled, base))
            checks.check_effect(cell, images[keys[cell]], without)
        return tuple(images[keys[cell]] for cell in comparison.cells)

    def _learn(self, timing: Timing, loaded: LoadedPipeline, settings: ResolvedRequest, checks: OutputChecks) -> None:
        key, device = timing_key(loaded.spec, settings, loaded.device), loaded.device
        expected, speed = self._timings.get(key), self._speed.get((device.name, device.dtype))
        if expected is None and speed is not None:
            expected = guess_timing(loaded.spec, settings, speed)
        note = spill_note(timing.step, expected, device, loaded.placement.level) if expected is not None else None
        if note is not None:
            # Nothing to expect of the next image.
            checks.note(note)
            return
        self._timings.put(key, timing)

    @contextmanager
    def _exclusively(self, request: GenerationRequest, callbacks: Callbacks) -> Iterator[None]:
        if not self._lock.acquire(blocking=False):
            callbacks.report(_("Waiting for another image"))
            _read_ahead(request.adapters, callbacks)
            while not self._lock.acquire(timeout=_SECONDS_BETWEEN_TRIES):
                callbacks.raise_if_cancelled()
        try:
            yield
        finally:
            self._lock.release()

    def _load(self, request: GenerationRequest, callbacks: Callbacks) -> LoadedPipeline:
        """The base that the request's LoRAs need; it stays if it is in memory already."""
        requested = choose_spec(request)
        loras = lora_bytes(request.adapters, requested)
        if self._loaded is not None and self._loaded.requested == requested:
            self._loaded.begin(resolve_request(request, self._loaded.spec), loras)
            return self._loaded
        plan = download.plan_download(requested, self.source)
        spec = plan.spec
        check_memory(spec, *self._room(spec), loras)
        fetched = self._fetch(plan, request, callbacks)
        callbacks.report(f"Loading {precise_label(spec)}")
        callbacks.raise_if_cancelled()
        self._unload()
        device, ram = self._room(spec)
        # Other programs may have taken what was free; beyond what there is, the system would end this one.
        check_memory(spec, device, ram, loras)
        # bitsandbytes quantises on the current GPU.
        with device.current():
            pipe, placement = load_pipeline(spec, fetched, device, loras, resolve_request(request, spec))
        self._loaded = LoadedPipeline(
            requested=requested,
            spec=spec,
            revision=fetched.revision,
            sha256=download.base_sha256(fetched),
            device=device,
            ram=ram,
            pipe=pipe,
            manager=AdapterManager(pipe, spec.architecture, self._lora_cache, device.name),
            placement=placement,
        )
        return self._loaded

    def _room(self, spec: PipelineSpec) -> tuple[Device, int]:
        """The device and the bytes of the computer's memory, with what is free without the current base."""
        device, loaded = choose_device(spec), self._loaded
        if loaded is None:
            return device, available_memory()
        before = loaded.device if loaded.device.name == device.name else device
        return replace(device, free_bytes=before.free_bytes), loaded.ram

    def _fetch(
        self, plan: download.DownloadPlan, request: GenerationRequest, callbacks: Callbacks
    ) -> download.LocalBase:
        download.check_download(plan, request.may_fetch, may_complete=request.may_complete)
        done, total, label = 0, plan.missing, precise_label(plan.spec)

        def on_bytes(count: int) -> None:
            nonlocal done
            callbacks.raise_if_cancelled()
            done += count
            # Restarted downloads count bytes twice: never show more than all of it.
            callbacks.report(f"Fetching {label} ({size(total, precise=True)})", min(done, total), total)

        return download.download(plan, self.source, on_bytes)

    def _unload(self) -> None:
        if self._loaded is not None:
            device = self._loaded.device
            self._loaded.manager.disable()
            self._loaded = None
            release_memory(device)


def _application(images: Sequence[GeneratedImage]) -> str:
    """How LoRAs were applied in all of them together."""
    return " and ".join(how for how in ("merged", "hooked") if any(how in image.adapters for image in images))


def _read_ahead(adapters: Sequence[LoraInput], callbacks: Callbacks) -> None:
    """Reads files into the system's cache: the time is there, while another image is generated."""
    for adapter in adapters:
        # What can't be read is said when the LoRA is put on.
        with suppress(OSError), adapter.path.open("rb") as file:
            while file.read(_READ_AT_ONCE):
                callbacks.raise_if_cancelled()


def _image_key(
    spec: PipelineSpec, device: Device, settings: ResolvedRequest, request: GenerationRequest, cell: Cell
) -> Hashable:
    """Everything an image depends on."""
    base = spec.id, spec.source, spec.revision, spec.precision, device.kind, device.dtype
    loras = effect_key(request.adapters, cell.weights)
    # The base alone looks at no control image, unless it is one that changes images.
    path = request.control if loras or family(spec.pipeline).edits else None
    control = (str(path), path.stat().st_mtime_ns, request.control_kind) if path and path.exists() else None
    start = (str(request.image), request.image.stat().st_mtime_ns) if request.image and request.image.exists() else None
    return *base, settings, cell.prompt, cell.seed, loras, control, start


def choose_spec(request: GenerationRequest) -> PipelineSpec:
    """One base that fits all the LoRAs, in the precision that the request's quality means here."""
    if not request.adapters:
        if request.base is None:
            raise UsageError(_("There is neither a LoRA nor a base model to generate with. Choose one."))
        return in_quality(choose_base(None, None, request.base), request)
    first = request.adapters[0]
    spec = choose_base(first.architecture, first.base_model, request.base)
    for adapter in request.adapters[1:]:
        if adapter.architecture not in (None, spec.architecture):
            raise DoesNotFit(
                _(
                    "“{title}” is for {architecture} and “{title2}” for {architecture2}: LoRAs of different "
                    "architectures can't be used together. Leave one of them out."
                ).format(
                    title=first.title,
                    architecture=spec.architecture,
                    title2=adapter.title,
                    architecture2=adapter.architecture,
                )
            )
        check_substitution(spec, adapter.base_model)
    if base_by_id(spec.id) is not None:
        check_halves(request.adapters, spec.architecture, model_sizes(spec))
    return in_quality(spec, request)


def base_notes(spec: PipelineSpec, request: GenerationRequest) -> tuple[str, ...]:
    """What there is to say on a request's base."""
    return (*substitution_notes(spec, request), *quality_notes(spec, request))
