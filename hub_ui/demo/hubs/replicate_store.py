"""Replicate's models and versions, the validation of inputs by schema, and predictions and trainings as they run."""

import hashlib
import io
import json
import re
import secrets
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import RLock
from typing import Any

from hub_ui.demo.hubs.answers import Delivery, draw_picture
from hub_ui.demo.hubs.folder import Access, Content, DataFolder, Json, generate_safetensors, in_memory, model_tar

TRAINER = "ostris/flux-dev-lora-trainer"
_OFFICIAL = Path(__file__).with_name("replicate_official.json")
# The LoRA URLs that a runner can download.
_LOADED = (
    re.compile(r"(https?://)?huggingface\.co/[^/]+/[^/]+(/[^/]+\.safetensors)?/?"),
    re.compile(r"(https?://)?civitai\.com/models/\d+(/[^/?]+)?/?"),
    re.compile(r"https?://civitai\.com/api/download/models/.*"),
    re.compile(r"https?://.*\.safetensors(\?.*)?"),
    re.compile(r"(https?://replicate\.com/)?[^/:]+/[^/]+(/(versions/)?[^/]+)?/?"),
    re.compile(r"https?://replicate\.delivery/.*\.tar"),
    re.compile(r"data:.*", re.DOTALL),
)


def official() -> dict[str, Json]:
    """The trainer of FLUX LoRAs and the two runners, as Replicate describes them."""
    models: dict[str, Json] = json.loads(_OFFICIAL.read_bytes())
    return models


def loads(address: object) -> bool:
    """Whether a runner can download a LoRA from this URL. It rejects the mature domain civitai.red."""
    return isinstance(address, str) and any(form.fullmatch(address) for form in _LOADED)


def fine_tune_version(version_id: str, made: str, trainer: Mapping[str, Any]) -> Json:
    """The version that a training creates. It has the trainer's inputs but cannot train."""
    kept = {name: value for name, value in schemas_of(trainer).items() if not name.startswith("Training")}
    return {
        "id": version_id,
        "created_at": made,
        "cog_version": trainer.get("cog_version"),
        "openapi_schema": {**(trainer.get("openapi_schema") or {}), "components": {"schemas": kept}},
    }


@dataclass(frozen=True, kw_only=True)
class ReplicateStore:
    """`models` by `owner/name`; `unlisted` are in no list. `versions` are of both, by model and id."""

    models: dict[str, Json]
    versions: dict[str, dict[str, Json]]
    predictions: Mapping[str, Json]
    trainings: Mapping[str, Json]
    collections: Mapping[str, Json]
    weights: dict[str, Content]
    access: Access
    ghosts: frozenset[str]
    unlisted: Mapping[str, Json]

    def version(self, model: str, version_id: str) -> Json | None:
        return self.versions.get(model, {}).get(version_id)

    def model(self, name: str) -> Json | None:
        return self.models.get(name) or self.unlisted.get(name)

    def model_of(self, version_id: str) -> str | None:
        return next((model for model, versions in self.versions.items() if version_id in versions), None)

    def add_version(self, name: str, version: Json, weights: Content) -> None:
        """Adds the latest version of a model."""
        self.models[name] = {**self.models[name], "latest_version": version}
        self.versions.setdefault(name, {})[str(version["id"])] = version
        self.weights[f"{name}:{version['id']}"] = weights


def load_replicate(folder: DataFolder) -> ReplicateStore:
    unlisted = official()
    recorded = [model for model in folder.objects("replicate_model_*.json") if "owner" in model]
    versions: dict[str, dict[str, Json]] = {}
    for model in [*recorded, *unlisted.values()]:
        if version := model.get("latest_version"):
            versions.setdefault(full_name(model), {})[str(version["id"])] = version
    for version in folder.objects("replicate_version_*.json"):
        versions.setdefault(str(version.pop("model", None)), {})[str(version["id"])] = version
    return ReplicateStore(
        # Later recordings of a model replace earlier ones; the versions of all remain available.
        models={full_name(model): model for model in recorded},
        versions=versions,
        predictions=_by_id(folder.objects("replicate_prediction_*.json")),
        trainings=_by_id(folder.objects("replicate_training*.json")),
        collections={str(data["slug"]): data for data in folder.objects("replicate_collection_*.json")},
        weights={name: folder.hub_file(spec).content for name, spec in folder.files.get("replicate", {}).items()},
        access=folder.access,
        ghosts=folder.ghosts("replicate"),
        unlisted=unlisted,
    )


def full_name(model: Mapping[str, Any]) -> str:
    return f"{model['owner']}/{model['name']}"


def _by_id(runs: Iterable[Json]) -> dict[str, Json]:
    return {str(run["id"]): run for run in runs if "id" in run}


def schemas_of(version: Mapping[str, Any] | None) -> Json:
    schema: Json = (version or {}).get("openapi_schema") or {}
    found: Json = (schema.get("components") or {}).get("schemas") or {}
    return found


def problems(version: Mapping[str, Any] | None, inputs: object, schema: str = "Input") -> list[tuple[str, str]]:
    """The field and message of each validation error, as Replicate words them. Unknown inputs are ignored."""
    if not isinstance(inputs, dict):
        return [("input", f"Invalid type. Expected: object, given: {_kinds(inputs)[0]}")]
    schemas = schemas_of(version)
    wanted = schemas.get(schema) or {}
    known = wanted.get("properties") or {}
    found = [("input", f"{name} is required") for name in wanted.get("required") or [] if name not in inputs]
    for name, value in inputs.items():
        if name in known:
            found += [(f"input.{name}", text) for text in _wrong(name, known[name], value, schemas)]
    return found


def read_inputs(version: Mapping[str, Any] | None, inputs: Json, schema: str = "Input") -> Json:
    """The inputs that the schema knows, with its defaults: all of them if a recording has no schema."""
    fields = (schemas_of(version).get(schema) or {}).get("properties") or {}
    given = {**{name: field.get("default") for name, field in fields.items()}, **inputs}
    return {name: value for name, value in given.items() if value is not None and (name in fields or not fields)}


def _wrong(name: str, field: Json, value: Any, schemas: Json) -> Iterator[str]:
    for part in [field, *(field.get("allOf") or [])]:
        field = {**schemas.get(str(part.get("$ref")).rpartition("/")[2], {}), **field}
    kind = field.get("type")
    if value is None and field.get("nullable"):
        return
    if kind is not None and kind not in _kinds(value):
        yield f"Invalid type. Expected: {kind}, given: {_kinds(value)[0]}"
        return
    if field.get("enum") and value not in field["enum"]:
        listed = ", ".join(f'"{choice}"' for choice in field["enum"])
        yield f"{name} must be one of the following: {listed}"
    if "number" in _kinds(value):
        if value < field.get("minimum", value):
            yield f"Must be greater than or equal to {field['minimum']}"
        if value > field.get("maximum", value):
            yield f"Must be less than or equal to {field['maximum']}"


def _kinds(value: object) -> tuple[str, ...]:
    """The JSON types of a value, narrowest first: 2.0 is also an integer."""
    if isinstance(value, bool) or value is None:
        return ("null",) if value is None else ("boolean",)
    if isinstance(value, int | float):
        return ("integer", "number") if float(value).is_integer() else ("number",)
    return ("string",) if isinstance(value, str) else ("array",) if isinstance(value, list) else ("object",)


SECONDS = 0.2
_STARTING_FOR = 0.25
_OVER = ("succeeded", "failed", "canceled", "aborted")


@dataclass(frozen=True, kw_only=True)
class Work:
    """What a run does: `output` is called once, when it succeeds; never if it is cancelled or fails with `error`."""

    output: Callable[[str], object]
    error: str | None = None
    logs: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Run:
    data: Json
    work: Work
    made: float


@dataclass(frozen=True, kw_only=True)
class Runs:
    """The runs of one `kind`, `predictions` or `trainings`: `over` has the recorded ones too."""

    kind: str
    origin: str
    over: dict[str, Json]
    now: Callable[[], float] = time.time
    seconds: float = SECONDS
    working: dict[str, Run] = field(default_factory=dict)
    _lock: RLock = field(default_factory=RLock)

    def create(self, *, model: str, version: str, inputs: Json, work: Work, finished: bool = False) -> Json:
        """A `finished` run ends at once, as for a client that waits."""
        run_id = "".join(secrets.choice("abcdefghjkmnpqrstvwxyz0123456789") for _ in range(26))
        url = f"{self.origin}/v1/{self.kind}/{run_id}"
        urls = {"get": url, "cancel": f"{url}/cancel"}
        if self.kind == "predictions":
            urls["web"] = f"https://replicate.com/p/{run_id}"
        data = {
            "id": run_id,
            "model": model,
            "version": version,
            "input": inputs,
            "logs": "",
            "output": None,
            "data_removed": False,
            "error": None,
            "status": "starting",
            "created_at": timestamp(self.now()),
            "urls": urls,
        }
        made = self.now() - (self.seconds if finished else 0)
        with self._lock:
            self.working[run_id] = Run(data=data, work=work, made=made)
        # Nobody waits for the others: their clients are told of the beginning, however long that took.
        return (self.get(run_id) or data) if finished else data

    def get(self, run_id: str) -> Json | None:
        with self._lock:
            run = self.working.get(run_id)
            if run is None:
                return self.over.get(run_id)
            worked = (self.now() - run.made) / self.seconds
            if worked < _STARTING_FOR:
                return run.data
            if worked >= 1:
                return self._end(run)
            logs = _join(run.work.logs[: int(len(run.work.logs) * worked)])
            started = timestamp(run.made + self.seconds * _STARTING_FOR)
            return {**run.data, "status": "processing", "started_at": started, "logs": logs}

    def settle(self) -> None:
        """Ends all runs that are due, so that their output exists before clients request the run."""
        for run_id in list(self.working):
            self.get(run_id)

    def cancel(self, run_id: str) -> Json | None:
        """A run that has ended is unchanged."""
        with self._lock:
            data = self.get(run_id)
            if data is None or data["status"] in _OVER:
                return data
            self.working.pop(run_id, None)
            self.over[run_id] = {**data, "status": "canceled", "completed_at": timestamp(self.now())}
            return self.over[run_id]

    def all(self) -> list[Json]:
        """Newest first."""
        found = [self.get(run_id) for run_id in {**self.over, **self.working}]
        return sorted((data for data in found if data), key=lambda data: str(data["created_at"]), reverse=True)

    def _end(self, run: Run) -> Json:
        times = {"started_at": timestamp(run.made), "completed_at": timestamp(run.made + self.seconds)}
        metrics = {"predict_time": self.seconds, "total_time": self.seconds}
        end = {**run.data, "logs": _join(run.work.logs), **times, "metrics": metrics}
        if run.work.error is not None:
            end |= {"status": "failed", "error": run.work.error}
        else:
            end |= {"status": "succeeded", "output": run.work.output(run.data["id"])}
        self.over[end["id"]] = end
        del self.working[end["id"]]
        return end


def bars(steps: int, *, name: str = "") -> list[str]:
    """At most fifty lines of a tqdm progress bar, and one at its start."""
    steps = max(steps, 1)
    lines = min(steps, 50)
    at = [round(steps * i / lines) for i in range(lines + 1)]
    return [
        f"{name}{done * 100 // steps:3d}%|{'█' * (done * 10 // steps):<10}| {done}/{steps} [00:01<00:01]" for done in at
    ]


def _join(lines: Sequence[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def timestamp(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


_SLOTS = ("lora_weights", "hf_lora", "extra_lora", "replicate_weights")
_UNREAD = (
    "Failed to parse URL. Expected a Replicate model, a HuggingFace or CivitAI URL, or the URL of a .safetensors file"
)
_UNSAFE = "NSFW content detected. Try running it again, or try a different prompt."
_WIDTH = 3072
# Used if a schema has no bounds.
_MOST_PICTURES, _MOST_RANK = 16, 128
_LAYER = "transformer.single_transformer_blocks.0.attn.to_q"


@dataclass(frozen=True, kw_only=True)
class Upload:
    """A file that was sent: what Replicate says about it, and its bytes."""

    data: Json
    raw: bytes


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """The work of runs. An input of another type is ignored. `uploads` are files by their URL."""

    store: ReplicateStore
    delivery: Delivery
    uploads: dict[str, Upload] = field(default_factory=dict)

    def prediction(self, model: str, inputs: Json) -> Work:
        """For an input that passed the schema. The output are the URLs of the images, PNG without `output_format`."""
        unsafe = re.search(r"\bnsfw\b", _text(inputs, "prompt"), re.IGNORECASE)
        error = _UNSAFE if unsafe and not inputs.get("disable_safety_checker") else None
        if any(inputs.get(slot) and not loads(inputs[slot]) for slot in _SLOTS):
            error = _UNREAD
        logs = [f"Using seed: {inputs.get('seed', 0)}", *bars(int(_number(inputs, "num_inference_steps", 20)))]
        return Work(output=lambda run_id: list(self._pictures(run_id, model, inputs)), error=error, logs=logs)

    def _pictures(self, run_id: str, model: str, inputs: Json) -> Iterator[str]:
        form, prompt = _text(inputs, "output_format") or "png", _text(inputs, "prompt")
        lora = _text(inputs, "lora_weights") or _text(inputs, "hf_lora") or model
        strength = _number(inputs, "lora_scale", _number(inputs, "lora_strength", 1.0))
        for number in range(min(int(_number(inputs, "num_outputs", 1)), _MOST_PICTURES)):
            seed = int(_number(inputs, "seed", 0)) + number if "seed" in inputs else None
            data = draw_picture(prompt, seed=seed, lora=lora, strength=strength, form=form)
            yield self.delivery.public(f"/xezq/{run_id}/out-{number}.{form}", in_memory(data))

    def training(self, destination: str, trainer: Mapping[str, Any], inputs: Json) -> Work:
        """Looks only into uploaded files; other URLs are not requested."""
        zipped, error, count = self.uploads.get(_text(inputs, "input_images")), None, 0
        if zipped is not None:
            try:
                with zipfile.ZipFile(io.BytesIO(zipped.raw)) as opened:
                    count = len(opened.namelist())
                    error = None if count else "No images were found in input_images"
            except zipfile.BadZipFile:
                error = "input_images must be a zip file"
        start = [f"Extracted {count} files from zip to input_images", "Starting train job"]
        logs = [*start, *bars(int(_number(inputs, "steps", 1000)), name="flux_train_replicate: ")]
        return Work(output=lambda run_id: self._train(run_id, destination, trainer, inputs), error=error, logs=logs)

    def _train(self, run_id: str, destination: str, trainer: Mapping[str, Any], inputs: Json) -> Json:
        """Adds the destination's latest version, with weights of rank `lora_rank`."""
        rank = min(max(int(_number(inputs, "lora_rank", 16)), 1), _MOST_RANK)
        lora = generate_safetensors(
            {
                "tensors": {
                    f"{_LAYER}.lora_A.weight": ["F16", [rank, _WIDTH]],
                    f"{_LAYER}.lora_B.weight": ["F16", [_WIDTH, rank]],
                },
                "seed": int(hashlib.sha256(run_id.encode()).hexdigest()[:8], 16),
            }
        )
        version_id = hashlib.sha256(f"{run_id}{lora.sha256}".encode()).hexdigest()
        version = fine_tune_version(version_id, timestamp(time.time()), trainer)
        self.store.add_version(destination, version, lora)
        weights = self.delivery.public(f"/xezq/{run_id}/trained_model.tar", model_tar(lora))
        return {"version": f"{destination}:{version_id}", "weights": weights}


def _text(inputs: Json, name: str) -> str:
    value = inputs.get(name)
    return value if isinstance(value, str) else ""


def _number(inputs: Json, name: str, otherwise: float) -> float:
    value = inputs.get(name)
    return value if isinstance(value, int | float) else otherwise
