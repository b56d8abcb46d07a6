"""Replicate as a place to draw: the same jobs and sheets as in the studio, run there, the pictures brought here.

A fine-tune of Replicate runs as its pinned version. FLUX LoRAs of other hubs go through Replicate's official runner.
"""

from __future__ import annotations

import io
import json
import mimetypes
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass

from PIL import Image, UnidentifiedImageError

from connectors.errors import DoesNotFit, HubDown, HubTimeout, HubUiError, PreviewError, RateLimited, UsageError
from connectors.http.json_fields import number, text
from connectors.http.session import Endpoint
from connectors.record import Access
from connectors.ref import Ref
from connectors.replicate.inputs import Filled, InputRequest, Inputs, Runnable, fill, runnable, runner, slot
from connectors.replicate.runs import PollInterval, Run, Runs
from hub_ui.generate.comparison import Cell, Comparison
from hub_ui.generate.replicate_prices import Price, of_pictures
from hub_ui.generate.request import (
    Asked,
    GeneratedImage,
    GenerationCancelled,
    GenerationReport,
    GenerationRequest,
    GenerationResult,
    LoraInput,
    Step,
    Told,
)
from hub_ui.generate.settings import check

# Under way at once, once the first picture has shown that the model takes what it is asked.
_AT_ONCE = 4
_FETCHES = 3
_MOST_PIXELS = 64_000_000
_FILMS = (".mp4", ".webm", ".mov")
# What the trainer of HunyuanVideo leaves.
_FILM_INPUTS = ("lora_url", "lora_strength", "replicate_weights")
_UNKNOWN_COVERAGE = "Replicate doesn't say how much of the LoRA takes effect."
_NO_EFFECT = "With and without the LoRA the pictures are the same: it has no effect there."
_WORDS_STAY = "The base alone is not quite the base: this model's trained words act at weight 0, too."


@dataclass(frozen=True, kw_only=True)
class _Model:
    """What runs: `version` None is an official model, run by name. `own`: its weights are the job's first LoRA."""

    name: str
    version: str | None
    what: Runnable
    own: bool

    @property
    def inputs(self) -> Inputs:
        return self.what.inputs

    @property
    def id(self) -> str:
        return str(Ref(hub="replicate", id=self.name, version=self.version))


class ReplicateBackend:
    """`access` tells what stands before the file of another hub's LoRA: what needs a key can't be fetched there."""

    def __init__(
        self, endpoint: Endpoint, *, access: Callable[[Ref], Access] | None = None, pace: PollInterval | None = None
    ) -> None:
        self._runs = Runs(endpoint, pace=pace)
        self._access = access or _open

    def close(self) -> None:
        self._runs.close()

    def estimate(self, job: GenerationRequest, sheet: Comparison) -> Price:
        """Asks only what the model is; nothing is started."""
        check(job, sheet)
        model = self._model(job)
        images = len({_key(filled) for filled in self._filled(job, sheet, model, None)})
        return of_pictures(model.name, model.what, steps=job.steps, images=images)

    def make(
        self, job: GenerationRequest, sheet: Comparison, *, report: Told | None = None, cancelled: Asked | None = None
    ) -> GenerationResult:
        """As Studio.make. Whoever cancels ends the run there, too."""
        tell, asked = report or _nobody, cancelled or _never
        check(job, sheet)
        tell(Step(stage="Asking Replicate", done=0, total=0))
        model = self._model(job)
        filled = self._filled(job, sheet, model, self._control(job, model))
        drawing = _Drawing(runs=self._runs, model=model, tell=tell, cancelled=asked)
        runs = drawing.all({_key(each): each for each in filled})
        tell(Step(stage="Fetching the pictures", done=0, total=0))
        images = {key: self._image(run) for key, run in runs.items()}
        keys = [_key(each) for each in filled]
        return _made(job, sheet, model, filled, tuple(_pictures(keys, images, runs)))

    def _model(self, job: GenerationRequest) -> _Model:
        self._runs.need_key("Drawing")
        first = job.adapters[0] if job.adapters else None
        ref = _chosen(job, first)
        what = runnable(self._runs, ref.id, ref.version)
        # Only official models run by their name; their versions are kept from everyone.
        version = ref.version or (None if what.official else what.newest)
        own = first is not None and first.ref.hub == "replicate" and first.ref.id == ref.id
        found = _Model(name=ref.id, version=version, what=what, own=own)
        _check_model(found)
        return found

    def _filled(self, job: GenerationRequest, sheet: Comparison, model: _Model, control: str | None) -> list[Filled]:
        others = job.adapters[1:] if model.own else job.adapters
        slots = tuple(slot(adapter.ref, self._access(adapter.ref)) for adapter in others)
        return [fill(model.inputs, _wish(job, cell, model, slots, control)) for cell in sheet.cells]

    def _control(self, job: GenerationRequest, model: _Model) -> str | None:
        """The picture's address there. One that the model has no use for stays here; `fill` says so."""
        if job.control is None:
            return None
        if "control_image" not in model.inputs:
            return ""
        kind = mimetypes.guess_type(job.control.name)[0] or "image/png"
        return self._runs.upload(job.control.name, job.control.read_bytes(), kind)

    def _fetched(self, url: str) -> bytes:
        """It is paid for: a line that breaks off is not the end of it."""
        for _ in range(_FETCHES - 1):
            with suppress(HubDown, HubTimeout):
                return self._runs.fetch(url)
        return self._runs.fetch(url)

    def _image(self, run: Run) -> Image.Image:
        """As a plain picture, whatever the model wrote: WebP and JPEG, too, end as PNG here."""
        if not run.output:
            raise PreviewError("Replicate finished without a picture. Try again, or another seed.", hub="replicate")
        try:
            with Image.open(io.BytesIO(self._fetched(run.output[0]))) as opened:
                if opened.width * opened.height > _MOST_PIXELS:
                    raise PreviewError("Replicate's picture is too large to show.", hub="replicate")
                return opened.convert("RGB")
        except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as error:
            raise PreviewError("What Replicate sent is no picture that can be shown here.", hub="replicate") from error


@dataclass(frozen=True, kw_only=True)
class _Drawing:
    """The runs of one sheet. None is left running there when one fails or somebody stops."""

    runs: Runs
    model: _Model
    tell: Told
    cancelled: Asked

    def all(self, wanted: Mapping[str, Filled]) -> dict[str, Run]:
        """The first alone: if the model refuses or fails, the others cost nothing."""
        keys, done = list(wanted), dict[str, Run]()
        for group in (keys[:1], *(keys[at : at + _AT_ONCE] for at in range(1, len(keys), _AT_ONCE))):
            done |= self._group(group, wanted, done, len(keys))
        return done

    def _group(
        self, group: Sequence[str], wanted: Mapping[str, Filled], done: Mapping[str, Run], total: int
    ) -> dict[str, Run]:
        under_way = dict[str, Run]()
        with ExitStack() as undo:
            undo.callback(lambda: self._end(under_way.values()))
            for key in group:
                if self.cancelled():
                    raise _stopped()
                under_way[key] = self._started(wanted[key])
            for number_, key in enumerate(group, len(done) + 1):
                under_way[key] = self._followed(under_way[key], number_, total, stale=key != group[0])
                _check_run(under_way[key])
            undo.pop_all()
        return under_way

    def _started(self, filled: Filled) -> Run:
        try:
            return self.runs.predict(self.model.name, self.model.version, filled.values, is_cancelled=self.cancelled)
        except RateLimited:
            if self.cancelled():
                raise _stopped() from None
            raise

    def _followed(self, run: Run, number_: int, total: int, *, stale: bool) -> Run:
        def told(now: Run) -> None:
            self.tell(_step(now, number_, total))

        return self.runs.follow(run, on_progress=told, is_cancelled=self.cancelled, stale=stale)

    def _end(self, runs: Iterable[Run]) -> None:
        for run in runs:
            if not run.over:
                # The first failure is what is told. One that can't be cancelled ends by itself.
                with suppress(HubUiError):
                    self.runs.cancel(run)


def _check_run(run: Run) -> None:
    if run.status in ("canceled", "aborted"):
        raise _stopped()
    if run.status == "failed":
        raise PreviewError(f"Replicate could not draw it: {_why(run)}", hub="replicate")


def _chosen(job: GenerationRequest, first: LoraInput | None) -> Ref:
    """The model: as named by the job's base, else the first LoRA itself, else the official runner of its base model."""
    if job.base is not None and job.base.startswith("replicate:"):
        return Ref.parse(job.base)
    if first is None:
        raise UsageError("There is no LoRA to draw with. Choose one.")
    if first.ref.hub == "replicate":
        if not first.ref.pinned:
            raise UsageError(f"{first.ref} names no version. Choose one, so that the same bytes run each time.")
        return first.ref
    for adapter in job.adapters[1:]:
        runner(adapter.architecture, adapter.base_model)
    return Ref(hub="replicate", id=runner(first.architecture, first.base_model))


def _check_model(model: _Model) -> None:
    """What would cost money and end without a picture."""
    page = f"https://replicate.com/{model.name}"
    if not model.inputs.known:
        raise PreviewError(f"Replicate doesn't say what {model.name} takes. Run it on its page: {page}")
    filmed = all(name in model.inputs for name in _FILM_INPUTS)
    if filmed or any(url.partition("?")[0].lower().endswith(_FILMS) for url in model.what.example):
        raise PreviewError(
            f"{model.name} makes films, which can't be shown from Replicate yet. Run it on its page: {page}"
        )
    if model.own and model.inputs.takes_loras and "replicate_weights" not in model.inputs:
        raise DoesNotFit(f"{model.name} runs other people's LoRAs and is none itself. Choose a LoRA to run on it.")


def _wish(
    job: GenerationRequest, cell: Cell, model: _Model, slots: tuple[str, ...], control: str | None
) -> InputRequest:
    schnell = job.base == "flux.1-schnell" or any(a.base_model == "flux.1-schnell" for a in job.adapters)
    return InputRequest(
        prompt=cell.prompt,
        own=model.own,
        scales=cell.weights,
        slots=slots,
        negative=job.negative,
        seed=job.seed,
        steps=job.steps,
        guidance=job.guidance,
        width=job.width,
        height=job.height,
        sampler=job.sampler,
        schnell=schnell,
        control=control,
    )


def _key(filled: Filled) -> str:
    """Cells that ask for the same are drawn once."""
    return json.dumps(filled.values, sort_keys=True, default=str)


def _pictures(
    keys: Sequence[str], images: Mapping[str, Image.Image], runs: Mapping[str, Run]
) -> Iterator[GeneratedImage]:
    seen = set[str]()
    for key in keys:
        yield GeneratedImage(image=images[key], seconds=0.0 if key in seen else runs[key].seconds or 0.0)
        seen.add(key)


def _made(
    job: GenerationRequest,
    sheet: Comparison,
    model: _Model,
    filled: Sequence[Filled],
    pictures: tuple[GeneratedImage, ...],
) -> GenerationResult:
    used = _Used(inputs=model.inputs, values=filled[0].values)
    first = pictures[0].image
    report = GenerationReport(
        base=f"{model.name} {model.version[:8]}" if model.version else model.name,
        base_id=model.id,
        base_revision=model.version,
        device="Replicate",
        place="replicate",
        coverage=(),
        switch_seconds=0.0,
        seed=job.seed,
        steps=round(used.number("num_inference_steps", "steps")),
        guidance=used.number("guidance_scale", "guidance"),
        width=first.width,
        height=first.height,
        sampler=used.text("scheduler"),
        notes=tuple(_notes(job, sheet, model, filled, pictures)),
    )
    return GenerationResult(job=job, sheet=sheet, pictures=pictures, report=report)


@dataclass(frozen=True, kw_only=True)
class _Used:
    """What a run was made with: as asked, else the model's own default."""

    inputs: Inputs
    values: Mapping[str, object]

    def number(self, *names: str) -> float:
        found = (number(self._value(name)) for name in names)
        return next((value for value in found if value is not None), 0.0)

    def text(self, name: str) -> str:
        return text(self._value(name)) or ""

    def _value(self, name: str) -> object:
        default = self.inputs.known[name].default if name in self.inputs else None
        return self.values.get(name, default)


def _notes(
    job: GenerationRequest,
    sheet: Comparison,
    model: _Model,
    filled: Sequence[Filled],
    pictures: Sequence[GeneratedImage],
) -> Iterator[str]:
    if job.base is not None and not job.base.startswith("replicate:"):
        yield f"On Replicate the base is {model.name}'s own, not {job.base}."
    yield from dict.fromkeys(note for each in filled for note in each.notes)
    if any(any(cell.weights) for cell in sheet.cells):
        yield _UNKNOWN_COVERAGE
    if _same(sheet, pictures):
        yield _NO_EFFECT
    # The SDXL trainer learns words beside the LoRA, which `lora_scale` does not reach.
    if model.own and "refine" in model.inputs and any(not any(cell.weights) for cell in sheet.cells):
        yield _WORDS_STAY


def _same(sheet: Comparison, pictures: Sequence[GeneratedImage]) -> bool:
    """Whether some picture with a LoRA is, pixel for pixel, the one without under the same prompt."""
    plain = {
        cell.prompt: picture.image.tobytes()
        for cell, picture in zip(sheet.cells, pictures, strict=True)
        if not any(cell.weights)
    }
    return any(
        any(cell.weights) and plain.get(cell.prompt) == picture.image.tobytes()
        for cell, picture in zip(sheet.cells, pictures, strict=True)
    )


def _step(run: Run, number_: int, total: int) -> Step:
    which = f", picture {number_} of {total}" if total > 1 else ""
    if run.status == "starting":
        return Step(stage=f"Waiting for a machine on Replicate{which}", done=0, total=0)
    if run.progress is None:
        return Step(stage=f"Drawing on Replicate{which}", done=0, total=0)
    return Step(stage=f"Drawing on Replicate{which}", done=round(run.progress * 100), total=100)


def _why(run: Run) -> str:
    said = " ".join((run.error or "").split())[:400]
    if "nsfw" in said.lower():
        return "its safety checker refused the picture. Change the prompt or the seed."
    if not said:
        said = "it doesn't say why"
    return f"{said.rstrip('.')}. Its page there tells more: https://replicate.com/p/{run.id}"


def _stopped() -> GenerationCancelled:
    return GenerationCancelled("Stopped. What had begun on Replicate was cancelled there.", hub="replicate")


def _open(_ref: Ref) -> Access:
    return "open"


def _nobody(_step: Step) -> None:
    """Nobody wants to know."""


def _never() -> bool:
    return False
