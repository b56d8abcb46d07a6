"""Replicate's models, versions, predictions and trainings, and the validation of inputs by schema."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from starlette.responses import Response

from hub_ui.demo.hubs.answers import json_answer
from hub_ui.demo.hubs.folder import Access, DataFolder, HubFile, Json

TRAINER = "ostris/flux-dev-lora-trainer"
RUNNER = "black-forest-labs/flux-dev-lora"
_OFFICIAL = Path(__file__).with_name("replicate_official.json")
EMPTY_MODEL: Json = {
    "url": "",
    "owner": "",
    "name": "",
    "description": None,
    "visibility": "private",
    "is_official": False,
    "github_url": None,
    "paper_url": None,
    "license_url": None,
    "run_count": 0,
    "cover_image_url": None,
    "default_example": None,
    "latest_version": None,
}
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
    """`models` by `owner/name`. The local account owns them all, so private ones are listed too."""

    models: dict[str, Json]
    versions: dict[str, dict[str, Json]]
    loose_versions: Mapping[str, Json]
    predictions: Mapping[str, Json]
    trainings: Mapping[str, Json]
    collections: tuple[Json, ...]
    hardware: tuple[Json, ...]
    weights: dict[str, HubFile]
    access: Access
    ghosts: frozenset[str] = field(default_factory=frozenset)
    unlisted: Mapping[str, Json] = field(default_factory=official)

    def version(self, model: str, version_id: str) -> Json | None:
        known = self.versions.get(model, {}).get(version_id)
        if known is not None:
            return known
        latest = (self.unlisted.get(model) or {}).get("latest_version") or {}
        return latest if latest.get("id") == version_id else self.loose_versions.get(version_id)

    def model(self, name: str) -> Json | None:
        """Also finds unlisted models."""
        return self.models.get(name) or self.unlisted.get(name)

    def model_of(self, version_id: str) -> str | None:
        listed = (model for model, versions in self.versions.items() if version_id in versions)
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
    versions, loose = _versions(folder, recorded, [*predictions.values(), *trainings.values()], models)
    return ReplicateStore(
        models=models,
        versions=versions,
        loose_versions=loose,
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
    found: dict[str, Json] = {}
    for data in objects:
        if "id" not in data:
            continue
        run_id = str(data["id"])
        found[run_id] = max(data, found.get(run_id, data), key=lambda run: _PROGRESS.get(str(run.get("status")), 2))
    return found


def _versions(
    folder: DataFolder, models: list[Json], runs: list[Json], known: Mapping[str, Json]
) -> tuple[dict[str, dict[str, Json]], Mapping[str, Json]]:
    """The versions by model, and the versions whose model is unknown."""
    owned: dict[str, dict[str, Json]] = {name: {} for name in known}
    for model in models:
        if version := model.get("latest_version"):
            owned[full_name(model)][str(version["id"])] = version
    runs_of = {str(run["version"]): str(run["model"]) for run in runs if run.get("version") and run.get("model")}
    runs_of |= {version_id: name for name, versions in owned.items() for version_id in versions}
    loose: dict[str, Json] = {}
    for version in folder.objects("replicate_version_*.json"):
        name = version.get("model") or runs_of.get(str(version["id"]))
        shown = {key: value for key, value in version.items() if key != "model"}
        owned.get(str(name), loose)[str(version["id"])] = shown
    return owned, loose


# The messages of gojsonschema, which Replicate returns.
_BOUNDS: tuple[tuple[str, str, str, Callable[[Any, Any], bool]], ...] = (
    ("minimum", "number_gte", "Must be greater than or equal to {}", lambda value, least: value >= least),
    ("maximum", "number_lte", "Must be less than or equal to {}", lambda value, most: value <= most),
    ("minLength", "string_gte", "String length must be greater than or equal to {}", lambda text, n: len(text) >= n),
    ("maxLength", "string_lte", "String length must be less than or equal to {}", lambda text, n: len(text) <= n),
    ("pattern", "pattern", "Does not match pattern '{}'", lambda text, pattern: bool(re.search(pattern, text))),
    ("minItems", "array_min_items", "Array must have at least {} items", lambda items, n: len(items) >= n),
    ("maxItems", "array_max_items", "Array must have at most {} items", lambda items, n: len(items) <= n),
)
_BOUNDED: Mapping[str, type | tuple[type, ...]] = {
    "minimum": (int, float), "maximum": (int, float), "minLength": str, "maxLength": str, "pattern": str,
    "minItems": list, "maxItems": list,
}  # fmt: skip
Problem = tuple[str, str, str]


def schemas_of(version: Mapping[str, Any] | None) -> Json:
    schema: Json = (version or {}).get("openapi_schema") or {}
    found: Json = (schema.get("components") or {}).get("schemas") or {}
    return found


def problems(version: Mapping[str, Any] | None, inputs: object, schema: str = "Input") -> list[Problem]:
    """The kind, field and message of each validation error. Unknown inputs are ignored."""
    if not isinstance(inputs, dict):
        return [_wrong_type("input", "object", inputs)]
    schemas = schemas_of(version)
    wanted = schemas.get(schema) or {}
    missing = [name for name in wanted.get("required") or [] if name not in inputs]
    known = wanted.get("properties") or {}
    found = [("required", "input", f"{name} is required") for name in missing]
    for name, value in inputs.items():
        if name in known:
            found += _wrong(f"input.{name}", known[name], value, schemas)
    return found


def read_inputs(
    version: Mapping[str, Any] | None, inputs: Json, *, otherwise: Mapping[str, Any], schema: str = "Input"
) -> Json:
    """The known inputs, with defaults. The schema of `otherwise` is used if a recording has none."""
    schemas = schemas_of(version if schema in schemas_of(version) else otherwise)
    fields = schemas[schema].get("properties") or {}
    given = {**{name: field.get("default") for name, field in fields.items()}, **inputs}
    return {
        name: value
        for name, value in given.items()
        if name in fields and value is not None and not any(_wrong(name, fields[name], value, schemas))
    }


def _wrong(where: str, field: Json, value: Any, schemas: Json) -> Iterator[Problem]:
    for part in [field, *(field.get("allOf") or [])]:
        field = {**schemas.get(str(part.get("$ref")).rpartition("/")[2], {}), **field}
    kind = field.get("type")
    if value is None and field.get("nullable"):
        return
    if kind is not None and kind not in _kinds(value):
        yield _wrong_type(where, kind, value)
        return
    if field.get("enum") and value not in field["enum"]:
        listed = ", ".join(f'"{choice}"' for choice in field["enum"])
        yield "enum", where, f"{where.rpartition('.')[2]} must be one of the following: {listed}"
    for keyword, code, text, holds in _BOUNDS:
        if keyword in field and isinstance(value, _BOUNDED[keyword]) and not holds(value, field[keyword]):
            yield code, where, text.format(field[keyword])
    if field.get("format") == "uri" and isinstance(value, str) and not _is_uri(value):
        yield "format", where, "Does not match format 'uri'"
    for number, item in enumerate(value if isinstance(value, list) else []):
        yield from _wrong(f"{where}.{number}", field.get("items") or {}, item, schemas)


def _wrong_type(where: str, expected: str, value: object) -> Problem:
    return "invalid_type", where, f"Invalid type. Expected: {expected}, given: {_kinds(value)[0]}"


def _kinds(value: object) -> tuple[str, ...]:
    """The JSON types of a value, narrowest first: 2.0 is also an integer."""
    if isinstance(value, bool) or value is None:
        return ("null",) if value is None else ("boolean",)
    if isinstance(value, int | float):
        return ("integer", "number") if float(value).is_integer() else ("number",)
    return ("string",) if isinstance(value, str) else ("array",) if isinstance(value, list) else ("object",)


def _is_uri(text: str) -> bool:
    try:
        return bool(urlsplit(text).scheme) and "\\" not in text
    except ValueError:
        return False


def refusal_of(found: list[Problem]) -> Response:
    body = {
        "title": "Input validation failed",
        "detail": "".join(f"- {where}: {text}\n" for _, where, text in found),
        "status": 422,
        "invalid_fields": [{"type": kind, "field": where, "description": text} for kind, where, text in found],
    }
    return json_answer(body, 422, {"Content-Type": "application/problem+json"})
