"""Replicate's models, versions, predictions and trainings, and the validation of inputs by schema."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from hub_ui.demo.hubs.folder import Access, DataFolder, HubFile, Json

TRAINER = "ostris/flux-dev-lora-trainer"
RUNNER = "black-forest-labs/flux-dev-lora"
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
    schema = trainer.get("openapi_schema") or {}
    schemas = (schema.get("components") or {}).get("schemas") or {}
    kept = {name: value for name, value in schemas.items() if not name.startswith("Training")}
    return {
        "id": version_id,
        "created_at": made,
        "cog_version": trainer.get("cog_version"),
        "openapi_schema": {**schema, "components": {"schemas": kept}},
    }


_HARDWARE = [{"sku": "cpu", "name": "CPU"}, {"sku": "gpu-t4", "name": "Nvidia T4 GPU"}]
_PROGRESS = {"starting": 0, "processing": 1}


@dataclass(frozen=True, kw_only=True)
class ReplicateStore:
    """`models` by `owner/name`. `versions` by model; those whose model is unknown stand under the empty name."""

    models: dict[str, Json]
    versions: dict[str, dict[str, Json]]
    predictions: Mapping[str, Json]
    trainings: Mapping[str, Json]
    collections: tuple[Json, ...]
    hardware: tuple[Json, ...]
    weights: dict[str, HubFile]
    access: Access
    ghosts: frozenset[str] = field(default_factory=frozenset)
    unlisted: Mapping[str, Json] = field(default_factory=official)

    def version(self, model: str, version_id: str) -> Json | None:
        if model in self.unlisted and self.unlisted[model]["latest_version"]["id"] == version_id:
            return dict(self.unlisted[model]["latest_version"])
        return self.versions.get(model, {}).get(version_id) or self.versions[""].get(version_id)

    def model(self, name: str) -> Json | None:
        """Also finds unlisted models."""
        return self.models.get(name) or self.unlisted.get(name)

    def model_of(self, version_id: str) -> str | None:
        listed = (model for model, versions in self.versions.items() if model and version_id in versions)
        unlisted = (name for name, model in self.unlisted.items() if model["latest_version"]["id"] == version_id)
        return next(listed, None) or next(unlisted, None)

    def add_model(self, model: Json) -> None:
        self.models[full_name(model)] = model
        self.versions[full_name(model)] = {}

    def add_version(self, name: str, version: Json, weights: HubFile) -> None:
        """Adds the latest version of a model."""
        self.models[name] = {**self.models[name], "latest_version": version}
        self.versions.setdefault(name, {})[str(version["id"])] = version
        self.weights[f"{name}:{version['id']}"] = weights


def load_replicate(folder: DataFolder) -> ReplicateStore:
    deleted = folder.deletions("replicate")
    # Later recordings of a model replace earlier ones and list entries; the versions of all remain available.
    patterns = ("replicate_models_list_page.json", "replicate_models_search_*.json", "replicate_collection_*.json")
    pages = [page.get("results") or page.get("models") or [] for each in patterns for page in folder.objects(each)]
    found = [*chain.from_iterable(pages), *folder.objects("replicate_model_*.json")]
    recorded = [model for model in found if _is_model(model) and full_name(model) not in deleted]
    models = {full_name(model): model for model in recorded}
    predictions = _latest(folder.objects("replicate_prediction_*.json"))
    trainings = _latest(folder.objects("replicate_training*.json"))
    collections = folder.optional("replicate_collections_list.json", {"results": []})["results"]
    listed = {data["slug"]: {**data, "models": []} for data in collections}
    full = {data["slug"]: data for data in folder.objects("replicate_collection_*.json")}
    versions = _versions(folder, recorded, [*predictions.values(), *trainings.values()])
    return ReplicateStore(
        models=models,
        versions=versions,
        predictions=predictions,
        trainings=trainings,
        collections=tuple({**listed, **full}.values()),
        hardware=tuple(folder.optional("replicate_hardware_list.json", _HARDWARE)),
        weights={name: folder.hub_file(spec) for name, spec in folder.files.get("replicate", {}).items()},
        access=folder.access,
        ghosts=folder.ghosts("replicate"),
    )


def full_name(model: Mapping[str, Any]) -> str:
    return f"{model['owner']}/{model['name']}"


def _is_model(data: object) -> bool:
    """A collection may contain names instead of model objects."""
    return isinstance(data, dict) and bool(data.get("owner") and data.get("name"))


def _latest(objects: Iterable[Json]) -> dict[str, Json]:
    """For each id, the recording with the most progress."""
    by_progress = sorted(objects, key=lambda run: _PROGRESS.get(str(run.get("status")), 2))
    return {str(run["id"]): run for run in by_progress if "id" in run}


def _versions(folder: DataFolder, models: list[Json], runs: list[Json]) -> dict[str, dict[str, Json]]:
    found: dict[str, dict[str, Json]] = {"": {}, **{full_name(model): {} for model in models}}
    for model in models:
        if version := model.get("latest_version"):
            found[full_name(model)][str(version["id"])] = version
    owners = {str(run["version"]): str(run["model"]) for run in runs if run.get("version") and run.get("model")}
    owners |= {version_id: name for name, versions in found.items() for version_id in versions}
    for version in folder.objects("replicate_version_*.json"):
        name = str(version.pop("model", None) or owners.get(str(version["id"])))
        found.get(name, found[""])[str(version["id"])] = version
    return found


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
