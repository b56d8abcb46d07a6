"""Replicate models, versions, predictions and trainings of a data folder."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from hub_ui.demo.hubs.folder import Access, DataFolder, HubFile, Json
from hub_ui.demo.hubs.replicate_official import official

_HARDWARE = [{"sku": "cpu", "name": "CPU"}, {"sku": "gpu-t4", "name": "Nvidia T4 GPU"}]
_PROGRESS = {"starting": 0, "processing": 1}


@dataclass(frozen=True, kw_only=True)
class ReplicateStore:
    """`models` by `owner/name`. The account of the local hub owns them all, so private ones are listed, too."""

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
        """Also one that is in no list."""
        return self.models.get(name) or self.unlisted.get(name)

    def model_of(self, version_id: str) -> str | None:
        listed = (model for model, versions in self.versions.items() if version_id in versions)
        unlisted = (name for name, model in self.unlisted.items() if model["latest_version"]["id"] == version_id)
        return next(listed, None) or next(unlisted, None)

    def add_model(self, model: Json) -> None:
        self.models[full_name(model)] = model
        self.versions[full_name(model)] = {}

    def add_version(self, name: str, version: Json, weights: HubFile) -> None:
        """As the latest of a model."""
        self.models[name] = {**self.models[name], "latest_version": version}
        self.versions.setdefault(name, {})[str(version["id"])] = version
        self.weights[f"{name}:{version['id']}"] = weights


def load_replicate(folder: DataFolder) -> ReplicateStore:
    deleted = folder.deletions("replicate")
    recorded = [model for model in _models(folder) if full_name(model) not in deleted]
    # Later recordings of a model replace earlier ones; the versions of all stay readable.
    models = {full_name(model): model for model in recorded}
    predictions = _latest(folder.objects("replicate_prediction_*.json"))
    trainings = _latest(folder.objects("replicate_training*.json"))
    versions, loose = _versions(folder, recorded, [*predictions.values(), *trainings.values()], models)
    return ReplicateStore(
        models=models,
        versions=versions,
        loose_versions=loose,
        predictions=predictions,
        trainings=trainings,
        collections=tuple(_collections(folder)),
        hardware=tuple(folder.optional("replicate_hardware_list.json", _HARDWARE)),
        weights={name: folder.hub_file(spec) for name, spec in folder.files.get("replicate", {}).items()},
        access=folder.access,
        ghosts=folder.ghosts("replicate"),
    )


def full_name(model: Json) -> str:
    return f"{model['owner']}/{model['name']}"


def _models(folder: DataFolder) -> Iterator[Json]:
    """Lists first, so that a recording of one model replaces what a list says of it."""
    pages = ("replicate_models_list_page.json", "replicate_models_search_*.json", "replicate_collection_*.json")
    for pattern in pages:
        for page in folder.objects(pattern):
            yield from filter(_is_model, page.get("results") or page.get("models") or [])
    yield from filter(_is_model, folder.objects("replicate_model_*.json"))


def _is_model(data: object) -> bool:
    """A collection may name its models instead."""
    return isinstance(data, dict) and bool(data.get("owner") and data.get("name"))


def _latest(objects: Iterable[Json]) -> dict[str, Json]:
    """Of several recordings of one id, the one that came furthest."""
    found: dict[str, Json] = {}
    for data in objects:
        if "id" not in data:
            continue
        before = found.get(str(data["id"]))
        if before is None or _progress(data) >= _progress(before):
            found[str(data["id"])] = data
    return found


def _progress(data: Json) -> int:
    return _PROGRESS.get(str(data.get("status")), 2)


def _versions(
    folder: DataFolder, models: list[Json], runs: list[Json], known: Mapping[str, Json]
) -> tuple[dict[str, dict[str, Json]], Mapping[str, Json]]:
    """The versions of each model, and those of which no recording says whose they are."""
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


def _collections(folder: DataFolder) -> Iterator[Json]:
    full = {data["slug"]: data for data in folder.objects("replicate_collection_*.json")}
    listed = folder.optional("replicate_collections_list.json", {"results": []})["results"]
    short = {data["slug"]: {**data, "models": []} for data in listed}
    yield from {**short, **full}.values()
