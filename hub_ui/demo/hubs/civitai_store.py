"""CivitAI models of a data folder, found by model, version, file and hash."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from hub_ui.demo.hubs.folder import Access, DataFolder, HubFile, Json
from hub_ui.demo.hubs.hashes import civitai_hashes

_ENUMS = Path(__file__).with_name("civitai_enums.json")
# Sample files may leave their hashes and size to the hub, which has the bytes.
_LEFT_OPEN = re.compile(r"\{[A-Z0-9]+\}")
_SIZE_KB = "{SIZEKB}"


@dataclass(frozen=True, kw_only=True)
class Model:
    """A model object as it lies in the data folder. `is_sample` marks one whose bytes the hub can serve."""

    id: int
    data: Json
    is_sample: bool = False
    is_ghost: bool = False

    @property
    def versions(self) -> list[Json]:
        return list(self.data.get("modelVersions") or [])

    @property
    def is_open(self) -> bool:
        """Real people's models, and those that are gone, answer 404."""
        return not (self.data.get("poi") or self.is_ghost)


@dataclass(frozen=True, kw_only=True)
class CivitaiStore:
    models: Mapping[int, Model]
    files: Mapping[int, HubFile]
    enums: Mapping[str, list[str]]
    access: Access
    recorded_versions: Mapping[int, Json] = field(default_factory=dict)
    by_version: Mapping[int, tuple[Model, Json]] = field(default_factory=dict)

    @cached_property
    def by_hash(self) -> Mapping[str, list[tuple[Model, Json]]]:
        """Every kind of hash, upper case, to the versions that have it, the oldest first.

        Made when first asked for, because it reads every file whose hash the data leaves to the hub.
        """
        index: dict[str, list[tuple[Model, Json]]] = {}
        for model, version in sorted(_versions(self.models.values()), key=_publication_date):
            files = with_measures(version, self.files)["files"]
            for value in {
                str(value).upper() for file in files for value in (file.get("hashes") or {}).values() if value
            }:
                index.setdefault(value, []).append((model, version))
        return index


def load_civitai(folder: DataFolder) -> CivitaiStore:
    specs: Json = folder.files.get("civitai", {})
    files = {int(file_id): folder.hub_file(spec) for file_id, spec in specs.items()}
    recorded = {int(data["id"]): data for data in _version_objects(folder)}
    objects = {int(data["id"]): data for data in folder.objects("civitai_model_*.json") if "id" in data}
    for version in recorded.values():
        _adopt(objects, version)
    deleted, ghosts = folder.deletions("civitai"), folder.ghosts("civitai")
    models = {
        number: Model(id=number, data=data, is_sample=_has_bytes(data, files), is_ghost=str(number) in ghosts)
        for number, data in objects.items()
        if str(number) not in deleted
    }
    return CivitaiStore(
        models=models,
        files=files,
        enums=folder.optional("civitai_enums_from_source_2026-08.json", json.loads(_ENUMS.read_text())),
        access=folder.access,
        recorded_versions=recorded,
        by_version={int(version["id"]): (model, version) for model, version in _versions(models.values())},
    )


def with_measures(version: Json, files: Mapping[int, HubFile]) -> Json:
    """The version with the hashes and sizes that its data leaves to the hub."""
    return {
        **version,
        "files": [_measure_file(file, files.get(file.get("id", 0))) for file in version.get("files") or []],
    }


def _measure_file(file: Json, known: HubFile | None) -> Json:
    if known is None:
        return file
    filled = dict(file)
    if filled.get("sizeKB") in (None, _SIZE_KB):
        filled["sizeKB"] = known.content.size / 1024
    return {**filled, "hashes": _measure_hashes(filled.get("hashes") or {}, known)}


def _measure_hashes(hashes: Json, known: HubFile) -> Json:
    """Without those that a file of its size or format does not have."""
    if not any(_LEFT_OPEN.fullmatch(str(value)) for value in hashes.values()):
        return hashes
    found = {f"{{{name.upper()}}}": value for name, value in civitai_hashes(known.digest).items()}
    filled = {name: found.get(value, value) for name, value in hashes.items()}
    return {name: value for name, value in filled.items() if not _LEFT_OPEN.fullmatch(str(value))}


def _version_objects(folder: DataFolder) -> Iterator[Json]:
    for pattern in ("civitai_info_sidecar_*.json", "civitai_version_*.json"):
        yield from (data for data in folder.objects(pattern) if "modelId" in data and "id" in data)


def _adopt(objects: dict[int, Json], version: Json) -> None:
    """A recorded version becomes part of its model, or a model of its own."""
    number = int(version["modelId"])
    shown = {key: value for key, value in version.items() if key != "model"}
    model = objects.setdefault(number, {**_model_of(version), "modelVersions": []})
    if all(int(each["id"]) != int(version["id"]) for each in model["modelVersions"]):
        model["modelVersions"] = [*model["modelVersions"], shown]


def _model_of(version: Json) -> Json:
    stats = version.get("stats") or {}
    model = version.get("model") or {}
    return {
        "id": int(version["modelId"]),
        "name": model.get("name", f"Model {version['modelId']}"),
        "description": None,
        "type": model.get("type", "LORA"),
        "poi": model.get("poi", False),
        "nsfw": model.get("nsfw", False),
        "tags": [],
        "stats": dict(stats),
    }


def _has_bytes(data: Json, files: Mapping[int, HubFile]) -> bool:
    versions = data.get("modelVersions") or []
    return any(file.get("id") in files for version in versions for file in version.get("files") or [])


def _versions(models: Iterable[Model]) -> Iterator[tuple[Model, Json]]:
    return ((model, version) for model in models for version in model.versions)


def _publication_date(pair: tuple[Model, Json]) -> str:
    return str(pair[1].get("publishedAt") or "9")
