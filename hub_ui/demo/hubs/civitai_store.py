"""CivitAI's models. Recordings keep their fields; samples get the fields of each endpoint of August 2026."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from hub_ui.demo.hubs.folder import Access, DataFolder, HubFile, Json

_ENUMS = Path(__file__).with_name("civitai_enums.json")


@dataclass(frozen=True, kw_only=True)
class Model:
    """A model object of the data folder. The hub can serve the files of an `is_sample` model."""

    id: int
    data: Json
    is_sample: bool = False
    is_ghost: bool = False

    @property
    def versions(self) -> list[Json]:
        return list(self.data.get("modelVersions") or [])

    @property
    def is_open(self) -> bool:
        """False for models of real people and for deleted ones, which return 404."""
        return not (self.data.get("poi") or self.is_ghost)

    @property
    def creator(self) -> str:
        return str((self.data.get("creator") or {}).get("username") or "")


@dataclass(frozen=True, kw_only=True)
class CivitaiStore:
    models: Mapping[int, Model]
    files: Mapping[int, HubFile]
    enums: Mapping[str, list[str]]
    access: Access

    @cached_property
    def by_version(self) -> Mapping[int, tuple[Model, Json]]:
        return {int(version["id"]): (model, version) for model, version in _versions(self.models.values())}

    @cached_property
    def by_hash(self) -> Mapping[str, tuple[Model, Json]]:
        """Upper-case hashes of all types to the oldest version with such a file that is open."""
        pairs = [(model, version) for model, version in _versions(self.models.values()) if model.is_open]
        oldest_first = sorted(pairs, key=lambda pair: str(pair[1].get("publishedAt") or "9"))
        return {
            str(value).upper(): (model, version)
            for model, version in reversed(oldest_first)
            for file in version.get("files") or []
            for value in (file.get("hashes") or {}).values()
        }


def load_civitai(folder: DataFolder) -> CivitaiStore:
    files = {int(file_id): folder.hub_file(spec) for file_id, spec in folder.files.get("civitai", {}).items()}
    objects = {int(data["id"]): data for data in folder.objects("civitai_model_*.json") if "id" in data}
    deleted, ghosts = folder.deletions("civitai"), folder.ghosts("civitai")
    models = {
        number: Model(
            id=number,
            data=data,
            is_sample=any(f.get("id") in files for v in data.get("modelVersions") or [] for f in v.get("files") or []),
            is_ghost=str(number) in ghosts,
        )
        for number, data in objects.items()
        if str(number) not in deleted
    }
    return CivitaiStore(
        models=models,
        files=files,
        enums=json.loads(_ENUMS.read_text()),
        access=folder.access,
    )


def _versions(models: Iterable[Model]) -> Iterator[tuple[Model, Json]]:
    return ((model, version) for model in models for version in model.versions)


PG, PG13, R, X, XXX = 1, 2, 4, 8, 16
SAFE_LEVELS = {"none": PG, "soft": PG | PG13, "mature": PG | PG13 | R, "x": PG | PG13 | R | X | XXX}
_ONLY_BY_VERSION = (
    "createdAt", "updatedAt", "status", "air", "modelId", "model", "uploadType", "usageControl", "trainingStatus",
    "trainingDetails", "licensingFee",
)  # fmt: skip
_ONLY_IN_LIST = ("hasMeta", "hasPositivePrompt", "onSite", "remixOfId", "minor", "poi")


def image_level(image: Json) -> int:
    """The level as a bitmask. Until January 2024 images had a word or a boolean instead."""
    level = image.get("nsfwLevel")
    if isinstance(level, int) and level:
        return level
    old = image.get("nsfw")
    if isinstance(old, bool) or old is None:
        return X if old else PG
    return {"none": PG, "soft": PG13, "mature": R, "x": X}.get(str(old).lower(), X)


def model_in_list(model: Model, all_levels: bool) -> Json:
    versions = [_version_in_list(version) if model.is_sample else dict(version) for version in model.versions]
    for version in versions:
        if not all_levels and version.get("images"):
            version["images"] = [image for image in version["images"] if image_level(image) & PG]
    return {**model.data, "modelVersions": versions}


def model_by_id(model: Model) -> Json:
    if not model.is_sample:
        return model.data
    return {**model.data, "modelVersions": [_version_in_model(version) for version in model.versions]}


def version_alone(model: Model, version: Json) -> Json:
    """The version with its model's name, as in `/model-versions/:id` and by-hash."""
    about = {key: model.data[key] for key in ("name", "type", "nsfw", "poi", "mode") if key in model.data}
    shown = {**version, "modelId": model.id, "model": about}
    return _version_by_itself(shown) if model.is_sample else shown


def _version_in_list(version: Json) -> Json:
    images = [_without(image, "meta") for image in version.get("images") or []]
    words = version.get("trainedWords") or []
    return {**_without(version, *_ONLY_BY_VERSION), "trainedWords": words, "images": images}


def _version_in_model(version: Json) -> Json:
    dropped = (*_ONLY_BY_VERSION, "supportsGeneration")
    kept = {key: value for key, value in _without(version, *dropped).items() if value not in (None, [], {})}
    files = []
    for file in version.get("files") or []:
        metadata = {key: value for key, value in (file.get("metadata") or {}).items() if value not in (None, "")}
        files.append({**file, "metadata": metadata})
    return {
        **kept,
        **{key: version[key] for key in ("createdAt", "status", "description") if key in version},
        "covered": bool(version.get("supportsGeneration", True)),
        "files": files,
        "images": [_without(image, "meta", "id", *_ONLY_IN_LIST) for image in version.get("images") or []],
    }


def _version_by_itself(version: Json) -> Json:
    files = []
    for file in version.get("files") or []:
        metadata = {key: (file.get("metadata") or {}).get(key) for key in ("format", "size", "fp")}
        primary = bool(file.get("primary"))
        files.append({**_without(file, "overrideName"), "metadata": metadata, "primary": primary})
    images = [_without(image, "id", *_ONLY_IN_LIST) for image in version.get("images") or []]
    stats = version.get("stats") or {}
    return {
        **_without(version, "index", "flags", "supportsGeneration"),
        "trainedWords": version.get("trainedWords") or [],
        "stats": {key: stats.get(key) for key in ("downloadCount", "thumbsUpCount")},
        "files": files,
        "images": images[:10],
    }


def _without(data: Json, *keys: str) -> Json:
    return {key: value for key, value in data.items() if key not in keys}
