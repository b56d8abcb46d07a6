"""Images generated on Replicate, and their prices.

Fine-tunes of Replicate run as pinned versions, FLUX LoRAs of other hubs on Replicate's official runner. Most models
cost the seconds of their hardware (replicate.com/pricing, 2025, which runs FLUX fine-tunes on H100s). The API doesn't
name the hardware, so an estimate is a range. Official models have a price per image: the lower ends here are those of
FLUX.1 [dev] and [schnell] (replicate.com/black-forest-labs, 2026), and the upper ends are our own allowance.
"""

import io
import json
import mimetypes
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from PIL.Image import Image

from connectors.errors import DoesNotFit, HubDown, HubTimeout, HubUiError, PreviewError, RateLimited, UsageError
from connectors.http.json_fields import number, text
from connectors.http.retry import RetryPolicy
from connectors.http.session import Endpoint
from connectors.record import Access
from connectors.ref import Ref
from connectors.replicate.inputs import Filled, InputRequest, Runnable, fill, runnable, runner, slot, takes_loras
from connectors.replicate.runs import Run, Runs
from hub_ui.base.i18n import _
from hub_ui.base.image_files import TooLarge, open_image, plain
from hub_ui.generate.base_models import base_by_id, check_substitution
from hub_ui.generate.compare.comparison import Comparison
from hub_ui.generate.prompt_weights import without_weights
from hub_ui.generate.request import NO_CALLBACKS, Callbacks, GenerationCancelled, GenerationRequest
from hub_ui.generate.result import GeneratedImage, GenerationReport, GenerationResult
from hub_ui.generate.settings import check_request, substitution_notes

# Dollars per second.
_T4, _A40, _A100, _H100 = 0.000225, 0.000725, 0.001400, 0.001525
# The base, and dollars per image, lowest and highest.
_OFFICIAL: Mapping[str, tuple[str, float, float]] = {
    "black-forest-labs/flux-dev-lora": ("flux.1-dev", 0.025, 0.04),
    "black-forest-labs/flux-schnell-lora": ("flux.1-schnell", 0.003, 0.02),
}
# By the inputs of a trainer: the hardware of its fine-tunes.
_RUN_ON: tuple[tuple[frozenset[str], tuple[float, float]], ...] = (
    (frozenset({"replicate_weights", "extra_lora"}), (_A100, _H100)),
    (frozenset({"replicate_weights", "scheduler"}), (_A40, _A100)),
)
_ANY = (_T4, _H100)
# A training of 1500 steps took 1675 seconds, including captions.
_TRAINING_START, _TRAINING_STEP = 100.0, 1.05
_TRAINING_SPREAD = (0.7, 1.3)


@dataclass(frozen=True, kw_only=True, slots=True)
class Price:
    """For one image: `seconds`, and dollars from `low` to `high`. None where the time is unknown."""

    seconds: float | None
    low: float | None
    high: float | None
    images: int = 1
    notes: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        if self.low is None or self.high is None:
            text = _("Replicate doesn't say how long this takes. A second costs {cost}")
            price = text.format(cost=format_range(*_ANY, digits=4))
        else:
            is_timed = self.seconds is not None and self.seconds >= 1
            text = _("about {n} s and {cost} an image") if is_timed else _("about {cost} an image")
            price = text.format(n=f"{self.seconds or 0:.0f}", cost=format_range(self.low, self.high))
            if self.images != 1:
                whole = format_range(self.low * self.images, self.high * self.images)
                price = _("{price}, {n} images: {cost}").format(price=price, n=self.images, cost=whole)
        return ". ".join([price, *self.notes])


def image_price(name: str, model: Runnable, *, steps: int | None, images: int) -> Price:
    seconds = model.seconds_for(steps)
    if name in _OFFICIAL:
        _base, low, high = _OFFICIAL[name]
        return Price(seconds=seconds, low=low, high=high, images=images)
    if seconds is None:
        return Price(seconds=None, low=None, high=None, images=images)
    hardware = next((found for names, found in _RUN_ON if names <= model.inputs.keys()), _ANY)
    low, high = (seconds * cost for cost in hardware)
    return Price(seconds=seconds, low=low, high=high, images=images)


def training_price(steps: int) -> Price:
    seconds = _TRAINING_START + _TRAINING_STEP * steps
    low, high = (seconds * share * _H100 for share in _TRAINING_SPREAD)
    return Price(seconds=seconds, low=low, high=high)


def format_range(low: float, high: float, *, digits: int | None = None) -> str:
    """ "$0.02 to $0.04" """
    first, last = format_dollars(low, digits), format_dollars(high, digits)
    return first if first == last else _("{low} to {high}").format(low=first, high=last)


def format_dollars(amount: float, digits: int | None = None) -> str:
    """Rounded to the cent, below two cents to a tenth of a cent."""
    places = digits if digits is not None else 2 if amount >= 0.02 else 3
    return f"${max(amount, 10**-places):.{places}f}"


# Started together once the first image has succeeded.
_AT_ONCE = 4
_DOWNLOADS = 3
_MOST_PIXELS = 64_000_000
_VIDEOS = (".mp4", ".webm", ".mov")
# The inputs of HunyuanVideo's trainer.
_VIDEO_INPUTS = ("lora_url", "lora_strength", "replicate_weights")


@dataclass(frozen=True, kw_only=True)
class _Model:
    """What runs: `version` None is an official model. `own`: its weights are the request's first LoRA."""

    name: str
    version: str | None
    what: Runnable
    own: bool


class ReplicateBackend:
    """`access` guards files of another hub's LoRA: Replicate can't fetch those that need a key."""

    # Replicate's models are loaded there.
    loaded_base = None

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        access: Callable[[Ref], Access] | None = None,
        most_seconds: float = 3.0,
        retry: RetryPolicy | None = None,
    ) -> None:
        self._runs = Runs(endpoint, most_seconds=most_seconds, retry=retry)
        self._access: Callable[[Ref], Access] = access or (lambda _ref: "open")

    def prepare(self) -> None:
        """Replicate is asked with the first request alone."""

    def close(self) -> None:
        self._runs.close()

    def estimate(self, request: GenerationRequest, comparison: Comparison) -> Price:
        """Reads only the model's facts; nothing is started."""
        _check_request(request, comparison)
        model = self._find_model(request)
        inputs = self._fill_inputs(request, comparison, model, None)
        images = len(set(map(_key, inputs)))
        price = image_price(model.name, model.what, steps=request.steps, images=images)
        return replace(price, notes=_remarks(request, model.name))

    def generate(
        self, request: GenerationRequest, comparison: Comparison, callbacks: Callbacks = NO_CALLBACKS
    ) -> GenerationResult:
        """As Engine.generate. Cancelling also ends the runs on Replicate."""
        _check_request(request, comparison)
        callbacks.report(_("Asking Replicate"))
        model = self._find_model(request)
        # A control image that the model ignores is not sent; `fill` says so.
        control = None if request.control is None else ""
        if request.control is not None and "control_image" in model.what.inputs:
            kind = mimetypes.guess_type(request.control.name)[0] or "image/png"
            control = self._runs.upload(request.control.name, request.control.read_bytes(), kind)
        inputs = self._fill_inputs(request, comparison, model, control)
        keys = [_key(each) for each in inputs]
        runs = self._run_all(model, dict(zip(keys, inputs, strict=True)), callbacks)
        callbacks.report(_("Fetching the images"))
        images = {key: self._download_image(run) for key, run in runs.items()}
        # Of equal cells, the first has the time of the run.
        pictures = tuple(
            GeneratedImage(image=images[key], seconds=(runs[key].seconds or 0.0) if key not in keys[:i] else 0.0)
            for i, key in enumerate(keys)
        )
        notes = tuple(_notes(request, comparison, model, inputs, pictures))
        report = _report(request, model, inputs[0].values, pictures[0].image, notes)
        return GenerationResult(request=request, comparison=comparison, images=pictures, report=report)

    def _find_model(self, request: GenerationRequest) -> _Model:
        self._runs.need_key("Generating")
        ref = _choose_model(request)
        if spec := base_by_id(_OFFICIAL.get(ref.id, (None,))[0]):
            for lora in request.adapters:
                check_substitution(spec, lora.base_model)
        what = runnable(self._runs, ref.id, ref.version)
        page = f"https://replicate.com/{ref.id}"
        # Requests that would cost money without giving an image.
        if not what.inputs:
            message = _("Replicate doesn't say what {id} takes. Run it on its page: {page}")
            raise PreviewError(message.format(id=ref.id, page=page))
        examples = (url.partition("?")[0].lower() for url in what.example)
        if all(name in what.inputs for name in _VIDEO_INPUTS) or any(url.endswith(_VIDEOS) for url in examples):
            message = _("{id} makes videos, which can't be shown from Replicate yet. Run it on its page: {page}")
            raise PreviewError(message.format(id=ref.id, page=page))
        first = request.adapters[0].ref if request.adapters else None
        own = first is not None and (first.hub, first.id) == ("replicate", ref.id)
        if own and takes_loras(what.inputs) and "replicate_weights" not in what.inputs:
            message = _("{id} runs other people's LoRAs and is none itself. Choose a LoRA to run on it.")
            raise DoesNotFit(message.format(id=ref.id))
        # Only official models run by name; their versions are not public.
        version = ref.version or (None if what.official else what.newest)
        return _Model(name=ref.id, version=version, what=what, own=own)

    def _fill_inputs(
        self, request: GenerationRequest, comparison: Comparison, model: _Model, control: str | None
    ) -> list[Filled]:
        loras = request.adapters[1:] if model.own else request.adapters
        slots = tuple(slot(lora.ref, self._access(lora.ref)) for lora in loras)
        schnell = "flux.1-schnell" in (request.base, *(lora.base_model for lora in request.adapters))
        wishes = (
            InputRequest(
                prompt=without_weights(cell.prompt) if request.emphasis else cell.prompt,
                own=model.own,
                scales=cell.weights,
                slots=slots,
                negative=request.negative,
                seed=request.seed if cell.seed is None else cell.seed,
                steps=request.steps,
                guidance=request.guidance,
                width=request.width,
                height=request.height,
                sampler=request.sampler,
                schnell=schnell,
                control=control,
            )
            for cell in comparison.cells
        )
        return [fill(model.what.inputs, wish) for wish in wishes]

    def _run_all(self, model: _Model, inputs: Mapping[str, Filled], callbacks: Callbacks) -> dict[str, Run]:
        """Runs the first alone: if the model refuses or fails, the others cost nothing. All are cancelled when one
        fails or the user cancels.
        """
        keys, done = list(inputs), dict[str, Run]()
        for group in (keys[:1], *(keys[at : at + _AT_ONCE] for at in range(1, len(keys), _AT_ONCE))):
            started = dict[str, Run]()
            try:
                for key in group:
                    started[key] = self._start(model, inputs[key], callbacks)
                for place, key in enumerate(group, len(done) + 1):
                    which = f", image {place} of {len(keys)}" if len(keys) > 1 else ""
                    started[key] = self._follow(started[key], which, callbacks, stale=key != group[0])
            finally:
                # A run is unfinished only after a failure, which is raised in place of errors of the cancelling.
                for run in started.values():
                    with suppress(HubUiError):
                        if not run.over:
                            self._runs.cancel(run)
            done |= started
        return done

    def _start(self, model: _Model, inputs: Filled, callbacks: Callbacks) -> Run:
        is_cancelled = callbacks.is_cancelled
        if is_cancelled():
            raise _cancellation()
        try:
            return self._runs.predict(model.name, model.version, inputs.values, is_cancelled=is_cancelled)
        except RateLimited:
            if is_cancelled():
                raise _cancellation() from None
            raise

    def _follow(self, run: Run, which: str, callbacks: Callbacks, *, stale: bool) -> Run:
        """`which` names one image of several in messages."""

        def report(now: Run) -> None:
            if now.status == "starting":
                callbacks.report(f"Waiting for a machine on Replicate{which}")
            elif now.progress is None:
                callbacks.report(f"Generating on Replicate{which}")
            else:
                callbacks.report(f"Generating on Replicate{which}", round(now.progress * 100), 100)

        run = self._runs.follow(run, on_progress=report, is_cancelled=callbacks.is_cancelled, stale=stale)
        if run.status in ("canceled", "aborted"):
            raise _cancellation()
        if run.status == "failed":
            raise PreviewError(_("Replicate could not generate it: {run}").format(run=_reason(run)), hub="replicate")
        return run

    def _download_image(self, run: Run) -> Image:
        """Converts the image to plain pixels, whatever its format."""
        if not run.output:
            raise PreviewError(_("Replicate finished without an image. Try again, or another seed."), hub="replicate")
        try:
            with open_image(io.BytesIO(self._download(run.output[0])), _MOST_PIXELS) as image:
                return plain(image)
        except TooLarge as error:
            raise PreviewError(_("Replicate's image is too large to show."), hub="replicate") from error
        except ValueError as error:
            raise PreviewError(_("What Replicate sent is no image that can be shown here."), hub="replicate") from error

    def _download(self, url: str) -> bytes:
        """Retries a broken connection: the image is paid for."""
        for _attempt in range(_DOWNLOADS - 1):
            with suppress(HubDown, HubTimeout):
                return self._runs.fetch(url)
        return self._runs.fetch(url)


def _check_request(request: GenerationRequest, comparison: Comparison) -> None:
    check_request(request, comparison)
    if any(lora.text_encoder_scale != 1 or lora.block_weights for lora in request.adapters):
        raise UsageError(_("Replicate puts a LoRA on as a whole. Leave clip weights and block weights out."))
    if request.image is not None:
        raise UsageError(_("Images are started from on this computer only. Leave the image out, or generate here."))


def _cancellation() -> GenerationCancelled:
    return GenerationCancelled("Stopped. What had begun on Replicate was cancelled there.", hub="replicate")


def _reason(run: Run) -> str:
    reason = " ".join((run.error or "").split())[:400]
    if "nsfw" in reason.lower():
        return "its safety checker refused the image. Change the prompt or the seed."
    reason = reason or "it doesn't say why"
    return f"{reason.rstrip('.')}. Its page there tells more: https://replicate.com/p/{run.id}"


def _key(inputs: Filled) -> str:
    """Equal cells share one run."""
    return json.dumps(inputs.values, sort_keys=True, default=str)


def _choose_model(request: GenerationRequest) -> Ref:
    """The request's base, else the first LoRA itself, else the official runner of its base model."""
    if request.base is not None and request.base.startswith("replicate:"):
        return Ref.parse(request.base)
    if not request.adapters:
        raise UsageError(_("There is no LoRA to generate with. Choose one."))
    first = request.adapters[0]
    if first.ref.hub == "replicate":
        if not first.ref.is_pinned:
            message = _("{ref} names no version. Choose one, so that the same bytes run each time.")
            raise UsageError(message.format(ref=first.ref))
        return first.ref
    for adapter in request.adapters[1:]:
        runner(adapter.architecture, adapter.base_model)
    return Ref(hub="replicate", id=runner(first.architecture, first.base_model))


def _remarks(request: GenerationRequest, model: str) -> tuple[str, ...]:
    """On LoRAs that were made for another base than the runner's."""
    spec = base_by_id(_OFFICIAL.get(model, (None,))[0])
    return substitution_notes(spec, request) if spec else ()


def _report(
    request: GenerationRequest, model: _Model, values: Mapping[str, object], image: Image, notes: tuple[str, ...]
) -> GenerationReport:
    """Steps and other settings are the requested ones, else the model's defaults."""
    defaults = {name: known.default for name, known in model.what.inputs.items()}
    used = {**defaults, **values}

    def first(*names: str) -> float:
        found = (number(used.get(name)) for name in names)
        return next((value for value in found if value is not None), 0.0)

    return GenerationReport(
        base=f"{model.name} {model.version[:8]}" if model.version else model.name,
        base_id=str(Ref(hub="replicate", id=model.name, version=model.version)),
        base_revision=model.version,
        device="Replicate",
        place="replicate",
        coverage=(),
        switch_seconds=0.0,
        seed=request.seed,
        steps=round(first("num_inference_steps", "steps")),
        guidance=first("guidance_scale", "guidance"),
        width=image.width,
        height=image.height,
        sampler=text(used.get("scheduler")) or "",
        notes=notes,
    )


def _notes(
    request: GenerationRequest,
    comparison: Comparison,
    model: _Model,
    inputs: Sequence[Filled],
    images: Sequence[GeneratedImage],
) -> Iterator[str]:
    if request.base is not None and not request.base.startswith("replicate:"):
        yield f"On Replicate the base is {model.name}'s own, not {request.base}."
    yield from _remarks(request, model.name)
    yield from dict.fromkeys(note for each in inputs for note in each.notes)
    pairs = [(cell, image.image.tobytes()) for cell, image in zip(comparison.cells, images, strict=True)]
    base_alone = {cell.prompt: pixels for cell, pixels in pairs if not any(cell.weights)}
    with_loras = [(cell.prompt, pixels) for cell, pixels in pairs if any(cell.weights)]
    if with_loras:
        yield "Replicate doesn't say how much of the LoRA takes effect."
    if any(base_alone.get(prompt) == pixels for prompt, pixels in with_loras):
        yield "With and without the LoRA the images are the same: it has no effect there."
    # The SDXL trainer learns words beside the LoRA, which `lora_scale` does not reach.
    if model.own and "refine" in model.what.inputs and base_alone:
        yield "The base alone is not quite the base: this model's trained words act at weight 0, too."
