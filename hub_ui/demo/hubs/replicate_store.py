"""Replicate's models, versions, predictions and trainings, and the validation of inputs by schema."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
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


@dataclass(frozen=True, kw_only=True)
class ReplicateStore:
    """`models` by `owner/name`; `unlisted` are in no list. `versions` are of both, by model and id."""

    models: dict[str, Json]
    versions: dict[str, dict[str, Json]]
    predictions: Mapping[str, Json]
    trainings: Mapping[str, Json]
    collections: Mapping[str, Json]
    weights: dict[str, HubFile]
    access: Access
    ghosts: frozenset[str]
    unlisted: Mapping[str, Json]

    def version(self, model: str, version_id: str) -> Json | None:
        return self.versions.get(model, {}).get(version_id)

    def model(self, name: str) -> Json | None:
        return self.models.get(name) or self.unlisted.get(name)

    def model_of(self, version_id: str) -> str | None:
        return next((model for model, versions in self.versions.items() if version_id in versions), None)

    def add_version(self, name: str, version: Json, weights: HubFile) -> None:
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
        weights={name: folder.hub_file(spec) for name, spec in folder.files.get("replicate", {}).items()},
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
