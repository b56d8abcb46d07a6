"""Convert a request to the inputs of a model on Replicate, with notes on settings that the model does not support."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

from connectors.claims import read_tables
from connectors.errors import AccessError, DoesNotFit, DownloadsDisabled, Gated, KeyRequired, Paid, UsageError
from connectors.http.json_fields import Table, number, table, tables, text, texts
from connectors.record import Access
from connectors.ref import LOCAL, Ref
from connectors.replicate.runs import Runs

_WIDTH_STEP = 16
# In millions of pixels. With an aspect ratio, a model makes images of about one or a quarter megapixel.
_QUARTER_MEGAPIXEL, _MEGAPIXEL = 0.4, (0.9, 1.2)
_SCHEDULERS = read_tables("replicate.toml")["schedulers"]
# The inputs of runners for a LoRA, and for a second one.
_SLOTS, _SECOND_SLOTS = ("lora_weights", "hf_lora", "lora_url"), ("extra_lora", "extra_lora_weights")
_SCALES, _SECOND_SCALES = ("lora_scale", "lora_strength"), ("extra_lora_scale",)
_LISTS = (("hf_loras", "lora_scales"), ("loras", "lora_scales"), ("lora_urls", "lora_scales"))
_GUIDANCE = ("guidance_scale", "guidance")
_STEPS = ("num_inference_steps", "steps")


@dataclass(frozen=True, kw_only=True, slots=True)
class Input:
    """One input of a model. `choices` are the allowed values, if they are limited; `least` and `most` are inclusive."""

    kind: str = "string"
    least: float | None = None
    most: float | None = None
    choices: tuple[str, ...] = ()
    default: object = None


# The inputs of one version of a model, by name.
Inputs = Mapping[str, Input]


def takes_loras(inputs: Inputs) -> bool:
    """Return whether a model has an input for a LoRA."""
    return _first(inputs, (*_SLOTS, *(slots for slots, _ in _LISTS))) is not None


def _first(inputs: Inputs, names: Sequence[str]) -> str | None:
    return next((name for name in names if name in inputs), None)


def _offers(inputs: Inputs, name: str, choice: str) -> bool:
    return name in inputs and choice in inputs[name].choices


@dataclass(frozen=True, kw_only=True, slots=True)
class InputRequest:
    """The settings of an image, independent of the model. A value of None means the model's default.

    `slots` are the URLs of LoRAs to load. `scales` has the weight of each LoRA. If `own` is set, the model has trained
    weights, which have the first of the scales but no slot. `control` is the URL of an image.
    """

    prompt: str
    own: bool
    scales: tuple[float, ...]
    slots: tuple[str, ...] = ()
    negative: str = ""
    seed: int | None = None
    steps: int | None = None
    guidance: float | None = None
    width: int | None = None
    height: int | None = None
    sampler: str | None = None
    schnell: bool = False
    control: str | None = None


def inputs_of(version: Table) -> Inputs:
    """Read the inputs from a version's openapi_schema, and resolve the references to schemas of choices."""
    schemas = table(table(table(version.get("openapi_schema")).get("components")).get("schemas"))
    inputs = {}
    for name, value in table(table(schemas.get("Input")).get("properties")).items():
        schema: Table = table(value)
        for part in (schema, *tables(schema.get("allOf"))):
            schema = {**table(schemas.get((text(part.get("$ref")) or "").rpartition("/")[2])), **schema}
        inputs[name] = Input(
            kind=text(schema.get("type")) or "string",
            least=number(schema.get("minimum")),
            most=number(schema.get("maximum")),
            choices=texts(schema.get("enum")) if schema.get("enum") else (),
            default=schema.get("default"),
        )
    return inputs


@dataclass(frozen=True, kw_only=True)
class Filled:
    """The input of a prediction (`values`), and sentences about settings that the model does not support (`notes`)."""

    inputs: Inputs
    values: dict[str, object] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def put(self, name: str | None, value: object, otherwise: str | None = None) -> None:
        """Set an input, clamped to its limits. `otherwise` is the note if the model has no such input."""
        if name is None or name not in self.inputs:
            if otherwise:
                self.notes.append(otherwise)
            return
        target = self.inputs[name]
        if isinstance(value, int | float) and not isinstance(value, bool):
            least = -math.inf if target.least is None else target.least
            most = math.inf if target.most is None else target.most
            requested, value = value, min(max(value, least), most)
            if value != requested:
                limits = f"{least:g} to {most:g}"
                if target.least is None or target.most is None:
                    limits = f"at most {most:g}" if target.least is None else f"at least {least:g}"
                self.notes.append(f"This model takes {limits} for {name}: {requested:g} became {value:g}.")
            value = round(value) if target.kind == "integer" else float(value)
        self.values[name] = value


def fill(inputs: Inputs, request: InputRequest) -> Filled:
    filled = Filled(inputs=inputs)
    put = filled.put
    put("prompt", request.prompt, "This model takes no prompt.")
    if request.negative:
        put("negative_prompt", request.negative, "This model takes no negative prompt; it was left out.")
    if request.seed is not None:
        put("seed", request.seed, "This model takes no seed: its images differ by chance, too.")
    schnell = request.schnell and _offers(inputs, "model", "schnell")
    if schnell:
        put("model", "schnell")
    if request.steps is not None or schnell:
        put(_first(inputs, _STEPS), request.steps or 4, "This model doesn't let one choose the steps.")
    if request.guidance is not None:
        put(_first(inputs, _GUIDANCE), request.guidance, "This model doesn't let one choose the guidance.")
    _put_size(filled, request)
    if request.sampler is not None:
        names = (request.sampler, _SCHEDULERS.get(request.sampler.lower(), ""))
        scheduler = next((name for name in names if _offers(inputs, "scheduler", name)), None)
        if scheduler is None:
            filled.notes.append(f"This model doesn't have the sampler “{request.sampler}”; it used its own.")
        else:
            put("scheduler", scheduler)
    _put_loras(filled, request)
    if request.control is not None:
        put("control_image", request.control, "This model takes no control image; it was left out.")
    # Switch off `go_fast`, because it ignores the seed and makes LoRAs stronger by half.
    put("num_outputs", 1)
    put("go_fast", False)
    if _offers(inputs, "output_format", "png"):
        put("output_format", "png")
    return filled


def _put_size(filled: Filled, request: InputRequest) -> None:
    """Set the width and height, or the nearest aspect ratio if the model has no such inputs."""
    if request.width is None and request.height is None:
        return
    sides = (request.width or request.height or 0, request.height or request.width or 0)
    width, height = (max(_WIDTH_STEP, side - side % _WIDTH_STEP) for side in sides)
    inputs = filled.inputs
    shapes = inputs["aspect_ratio"].choices if "aspect_ratio" in inputs else ()
    parts = {shape: [number(part) or 0.0 for part in shape.split(":")] for shape in shapes if shape.count(":") == 1}
    ratios = {shape: across / down for shape, (across, down) in parts.items() if across > 0 and down > 0}
    if "width" in inputs and "height" in inputs and ("custom" in shapes or "aspect_ratio" not in inputs):
        if "custom" in shapes:
            filled.put("aspect_ratio", "custom")
        filled.put("width", width)
        filled.put("height", height)
    elif _offers(inputs, "image_size", f"{width}x{height}"):
        filled.put("image_size", f"{width}x{height}")
    elif ratios:
        shape = min(ratios, key=lambda shape: abs(math.log(ratios[shape] * height / width)))
        filled.put("aspect_ratio", shape)
        if width * height < _QUARTER_MEGAPIXEL * 1e6 and _offers(inputs, "megapixels", "0.25"):
            filled.put("megapixels", "0.25")
        if not (_MEGAPIXEL[0] <= width * height / 1e6 <= _MEGAPIXEL[1] and width / height == ratios[shape]):
            filled.notes.append(f"This model knows shapes, not sizes: {width} × {height} became {shape}.")
    else:
        filled.notes.append("This model doesn't let one choose the image's size.")


def _put_loras(filled: Filled, request: InputRequest) -> None:
    inputs = filled.inputs
    for slots, scales in () if request.own else _LISTS:
        if slots in inputs and inputs[slots].kind == "array":
            filled.values.update({slots: list(request.slots), scales: list(request.scales)})
            return
    # The inputs for LoRAs and their weights. The model's own LoRA is first and has no input.
    places: list[tuple[str | None, str | None]] = []
    first = None if request.own else _first(inputs, _SLOTS)
    if request.own or first is not None:
        places.append((first, _first(inputs, _SCALES)))
        if second := _first(inputs, _SECOND_SLOTS):
            places.append((second, _first(inputs, _SECOND_SCALES)))
    if len(request.scales) > len(places):
        most = ("no LoRA", "one LoRA", "2 LoRAs")[len(places)]
        raise UsageError(f"This model on Replicate takes {most} at a time, not {len(request.scales)}. Take fewer.")
    addresses = (None, *request.slots) if request.own else request.slots
    for (slot, scale), address, weight in zip(places, addresses, request.scales, strict=False):
        if slot is not None and address is not None:
            filled.put(slot, address)
        filled.put(scale, weight, "This model doesn't let one choose how strongly its LoRA acts: it is always whole.")


@dataclass(frozen=True, kw_only=True, slots=True)
class Runnable:
    """A model that can be run. `newest` is the hash of its latest version; `official` models are run by name.

    `seconds` and `steps` are those of the model's example, and `example` has the URLs of the example's output.
    """

    inputs: Inputs
    newest: str | None = None
    official: bool = False
    seconds: float | None = None
    steps: float | None = None
    example: tuple[str, ...] = ()

    def seconds_for(self, steps: int | None) -> float | None:
        """Estimate the seconds of a run from the model's example. Return None if the example has no time."""
        if self.seconds is None or self.seconds <= 0:
            return None
        return self.seconds * steps / self.steps if steps and self.steps and self.steps > 0 else self.seconds


def runnable(runs: Runs, name: str, version: str | None) -> Runnable:
    """Fetch a model. A version that is not the latest costs a second request."""
    model = runs.model(name)
    latest = table(model.get("latest_version"))
    other = version is not None and version != text(latest.get("id"))
    return runnable_of(model, runs.version(name, version) if version is not None and other else latest)


def runnable_of(model: Table, version: Table) -> Runnable:
    example = table(model.get("default_example"))
    return Runnable(
        inputs=inputs_of(version),
        newest=text(table(model.get("latest_version")).get("id")),
        official=model.get("is_official") is True,
        seconds=number(table(example.get("metrics")).get("predict_time")),
        steps=number(table(example.get("input")).get("num_inference_steps")),
        example=texts(example.get("output")),
    )


# The official runners for LoRAs are run by name, because Replicate does not publish their versions.
_RUNNER, _SCHNELL_RUNNER = "black-forest-labs/flux-dev-lora", "black-forest-labs/flux-schnell-lora"
# A key is sent to its hub only, so Replicate can't download a file that needs one.
_NEEDS_KEY = "Replicate would need your key for it: try it here instead."
_NOT_FREE = "This file has to be bought or waited for, so Replicate can't fetch it. Try it here once you have it."
_REFUSALS: Mapping[Access, tuple[type[AccessError], str]] = {
    "login": (KeyRequired, f"This file is for signed-in people. {_NEEDS_KEY}"),
    "gated": (Gated, f"The author grants access one by one. {_NEEDS_KEY}"),
    "paid": (Paid, _NOT_FREE),
}
_NO_DOWNLOAD = (DownloadsDisabled, "This file can't be downloaded, so Replicate can't fetch it either.")
_OTHER_INPUTS = ("flux.1-kontext", "flux.1-fill", "flux.1-canny", "flux.1-depth")


def runner(architecture: str | None, base_model: str | None) -> str:
    """Return the official runner for a LoRA of another hub. Raise DoesNotFit if there is none."""
    if architecture == "flux1" and base_model not in _OTHER_INPUTS:
        return _SCHNELL_RUNNER if base_model == "flux.1-schnell" else _RUNNER
    if base_model in _OTHER_INPUTS:
        raise DoesNotFit(
            "This LoRA needs an image to work on, which Replicate's runner for LoRAs does not take. Try it here."
        )
    raise DoesNotFit(
        "On Replicate run LoRAs for FLUX.1, and models that were trained there. This one is for "
        f"{base_model or architecture or 'an unknown base model'}: try it here."
    )


def slot(ref: Ref, access: Access = "open") -> str:
    """Return the URL of a pinned ref's file for a runner.

    Raises AccessError for a file that needs a key, because Replicate would receive the key. Runners match URLs with
    patterns (replicate/cog-flux, weights.py), which misread some of them. They take `civitai.com/models/ID` for the
    version ID, so this returns CivitAI's download URL; they don't know civitai.red. They take
    `huggingface.co/OWNER/NAME/FILE` for a file in the top folder on `main`, so this returns the URL at the commit.
    """
    if ref.hub == LOCAL:
        raise UsageError(f"“{ref.id}” is a file of this computer, which Replicate can't fetch. Try it here instead.")
    if not ref.is_pinned:
        raise UsageError(f"{ref} names no version. Choose one, so that the same file runs there.")
    if access != "open":
        error, message = _REFUSALS.get(access, _NO_DOWNLOAD)
        raise error(message)
    if ref.hub == "civitai":
        chosen = f"&fileId={ref.file}" if ref.file else ""
        return f"https://civitai.com/api/download/models/{ref.version}?type=Model&format=SafeTensor{chosen}"
    if ref.hub == "replicate":
        return f"https://replicate.com/{ref.id}/versions/{ref.version}"
    if not ref.file or not ref.file.endswith(".safetensors"):
        raise UsageError(f"{ref} names no .safetensors file. Choose one of its files.")
    return f"https://huggingface.co/{ref.id}/resolve/{ref.version}/{quote(ref.file)}"
