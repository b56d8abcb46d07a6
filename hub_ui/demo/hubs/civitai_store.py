"""CivitAI's models. Recordings keep their fields; samples get the fields of each endpoint of August 2026."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from hub_ui.demo.hubs.content import civitai_hashes
from hub_ui.demo.hubs.folder import Access, DataFolder, HubFile, Json

_ENUMS = Path(__file__).with_name("civitai_enums.json")
# Placeholders in sample files for hashes and sizes, which are computed from the bytes.
_LEFT_OPEN = re.compile(r"\{[A-Z0-9]+\}")
_SIZE_KB = "{SIZEKB}"


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
        """Upper-case hashes of all types to their versions, oldest first. Computed lazily because it reads files."""
        index: dict[str, list[tuple[Model, Json]]] = {}
        pairs = _versions(self.models.values())
        for model, version in sorted(pairs, key=lambda pair: str(pair[1].get("publishedAt") or "9")):
            hashes = [file.get("hashes") or {} for file in with_measures(version, self.files)["files"]]
            for value in {str(value).upper() for each in hashes for value in each.values() if value}:
                index.setdefault(value, []).append((model, version))
        return index


def load_civitai(folder: DataFolder) -> CivitaiStore:
    specs: Json = folder.files.get("civitai", {})
    files = {int(file_id): folder.hub_file(spec) for file_id, spec in specs.items()}
    recorded = {
        int(data["id"]): data
        for pattern in ("civitai_info_sidecar_*.json", "civitai_version_*.json")
        for data in folder.objects(pattern)
        if "modelId" in data and "id" in data
    }
    objects = {int(data["id"]): data for data in folder.objects("civitai_model_*.json") if "id" in data}
    for version in recorded.values():
        _adopt(objects, version)
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
        enums=folder.optional("civitai_enums_from_source_2026-08.json", json.loads(_ENUMS.read_text())),
        access=folder.access,
        recorded_versions=recorded,
        by_version={int(version["id"]): (model, version) for model, version in _versions(models.values())},
    )


def with_measures(version: Json, files: Mapping[int, HubFile]) -> Json:
    """Fills in the hashes and sizes that the data folder leaves open."""
    filled = [_measure_file(file, files.get(file.get("id", 0))) for file in version.get("files") or []]
    return {**version, "files": filled}


def _measure_file(file: Json, known: HubFile | None) -> Json:
    if known is None:
        return file
    filled = dict(file)
    if filled.get("sizeKB") in (None, _SIZE_KB):
        filled["sizeKB"] = known.content.size / 1024
    hashes = filled.get("hashes") or {}
    if any(_LEFT_OPEN.fullmatch(str(value)) for value in hashes.values()):
        found = {f"{{{name.upper()}}}": value for name, value in civitai_hashes(known.digest).items()}
        hashes = {name: found.get(value, value) for name, value in hashes.items()}
        # Files of some sizes and formats have no such hash.
        hashes = {name: value for name, value in hashes.items() if not _LEFT_OPEN.fullmatch(str(value))}
    return {**filled, "hashes": hashes}


def _adopt(objects: dict[int, Json], version: Json) -> None:
    """Adds a recorded version to its model, or creates the model."""
    number = int(version["modelId"])
    shown = {key: value for key, value in version.items() if key != "model"}
    about = version.get("model") or {}
    new = {
        "id": number,
        "name": about.get("name", f"Model {number}"),
        "description": None,
        "type": about.get("type", "LORA"),
        "poi": about.get("poi", False),
        "nsfw": about.get("nsfw", False),
        "tags": [],
        "stats": dict(version.get("stats") or {}),
        "modelVersions": [],
    }
    model = objects.setdefault(number, new)
    if all(int(each["id"]) != int(version["id"]) for each in model["modelVersions"]):
        model["modelVersions"] = [*model["modelVersions"], shown]


def _versions(models: Iterable[Model]) -> Iterator[tuple[Model, Json]]:
    return ((model, version) for model in models for version in model.versions)


PG, PG13, R, X, XXX = 1, 2, 4, 8, 16
SAFE_LEVELS = {"none": PG, "soft": PG | PG13, "mature": PG | PG13 | R, "x": PG | PG13 | R | X | XXX}
_LEVEL_NAMES = {PG: "None", PG13: "Soft", R: "Mature", X: "X", XXX: "X", 32: "Blocked"}
_ONLY_BY_VERSION = (
    "createdAt", "updatedAt", "status", "air", "modelId", "model", "uploadType", "usageControl", "trainingStatus",
    "trainingDetails", "licensingFee",
)  # fmt: skip
_VERSION_DEFAULTS: Json = {
    "status": "Published",
    "baseModelType": None,
    "description": None,
    "uploadType": "Created",
    "usageControl": "Download",
    "paidAccess": None,
    "trainedWords": [],
}
_ONLY_IN_LIST = ("hasMeta", "hasPositivePrompt", "onSite", "remixOfId", "minor", "poi")
_AIR_TYPES = {"LORA": "lora", "LoCon": "lycoris", "DoRA": "dora", "Checkpoint": "checkpoint"}


def image_level(image: Json) -> int:
    """The level as a bitmask. Until January 2024 images had a word or a boolean instead."""
    level = image.get("nsfwLevel")
    if isinstance(level, int) and level:
        return level
    old = image.get("nsfw")
    if isinstance(old, bool) or old is None:
        return X if old else PG
    return {"none": PG, "soft": PG13, "mature": R, "x": X}.get(str(old).lower(), X)


def level_name(level: int) -> str:
    return _LEVEL_NAMES.get(level & -level if level else PG, "X")


def model_in_list(model: Model, store: CivitaiStore, all_levels: bool, primary_only: bool) -> Json:
    versions = [_version_in_list(model, with_measures(version, store.files)) for version in model.versions]
    for version in versions:
        if not all_levels and version.get("images"):
            version["images"] = [image for image in version["images"] if image_level(image) & PG]
        if primary_only:
            version["files"] = [file for file in version["files"] if file.get("primary")] or version["files"][:1]
    return {**model.data, "modelVersions": versions}


def model_by_id(model: Model, store: CivitaiStore) -> Json:
    versions = [with_measures(version, store.files) for version in model.versions]
    if not model.is_sample:
        return {**model.data, "modelVersions": versions}
    return {**model.data, "modelVersions": [_version_in_model(version) for version in versions]}


def version_alone(model: Model, version: Json, store: CivitaiStore) -> Json:
    """The version with its model's name, as in `/model-versions/:id` and by-hash."""
    recorded = store.recorded_versions.get(int(version["id"]))
    if recorded is not None:
        return {**recorded, "files": with_measures(recorded, store.files)["files"]}
    data = model.data
    about = {key: data[key] for key in ("name", "type", "nsfw", "poi", "mode") if key in data}
    published = version.get("publishedAt") or version.get("createdAt") or "2023-01-01T00:00:00.000Z"
    shown = {
        **dict.fromkeys(("createdAt", "updatedAt", "publishedAt"), published),
        **_VERSION_DEFAULTS,
        **with_measures(version, store.files),
        "modelId": model.id,
        "model": about,
    }
    shown.setdefault("air", air(model, version))
    return _version_by_itself(shown) if model.is_sample else shown


def air(model: Model, version: Json) -> str:
    """The AIR, with `sdxl` for Pony and Illustrious. Source: civitai, src/shared/utils/air.ts."""
    base = str(version.get("baseModel", "")).lower()
    roots = {"pony": "sdxl", "illustrious": "sdxl", "noobai": "sdxl", "sdxl": "sdxl", "sd 1": "sd1", "sd 2": "sd2"}
    roots |= {"flux.1": "flux1", "flux.2": "flux2"}
    own = base.replace(" ", "") or "other"
    ecosystem = next((root for start, root in roots.items() if base.startswith(start)), own)
    kind = _AIR_TYPES.get(str(model.data.get("type")), "unknown")
    return f"urn:air:{ecosystem}:{kind}:civitai:{model.id}@{version['id']}"


def _version_in_list(model: Model, version: Json) -> Json:
    if not model.is_sample:
        return dict(version)
    kept = _without(version, *_ONLY_BY_VERSION)
    images = []
    for image in version.get("images") or []:
        # The list has flags instead of the generation data.
        flags: Json = dict.fromkeys(("onSite", "minor", "poi"), False)
        meta = image.get("meta") or {}
        flags |= {"hasMeta": bool(meta), "hasPositivePrompt": bool(meta.get("prompt")), "remixOfId": None}
        images.append({**flags, **_without(image, "meta")})
    return {**kept, "trainedWords": version.get("trainedWords") or [], "images": images}


def _version_in_model(version: Json) -> Json:
    dropped = (*(key for key in _ONLY_BY_VERSION if key not in ("createdAt", "status")), "supportsGeneration")
    kept = {key: value for key, value in version.items() if key not in dropped and value not in (None, [], {})}
    kept["covered"] = bool(version.get("supportsGeneration", True))
    kept["files"] = [
        {
            **file,
            "metadata": {key: value for key, value in (file.get("metadata") or {}).items() if value not in (None, "")},
        }
        for file in version.get("files") or []
    ]
    kept["images"] = [_without(image, "meta", "id", *_ONLY_IN_LIST) for image in version.get("images") or []]
    return {**kept, "description": version.get("description")}


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
        "images": [{**image, "meta": image.get("meta")} for image in images[:10]],
    }


def _without(data: Json, *keys: str) -> Json:
    return {key: value for key, value in data.items() if key not in keys}
