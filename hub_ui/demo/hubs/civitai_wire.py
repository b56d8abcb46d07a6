"""CivitAI's several shapes of one object.

Recordings keep the shape they were recorded in. Sample objects are written once, with everything in them, and are cut
here to what each endpoint of August 2026 shows.
"""

from typing import Any

from hub_ui.demo.hubs.civitai_store import CivitaiStore, Model, with_measures
from hub_ui.demo.hubs.folder import Json

PG, PG13, R, X, XXX = 1, 2, 4, 8, 16
SAFE_LEVELS = {"none": PG, "soft": PG | PG13, "mature": PG | PG13 | R, "x": PG | PG13 | R | X | XXX}
_LEVEL_NAMES = {PG: "None", PG13: "Soft", R: "Mature", X: "X", XXX: "X", 32: "Blocked"}
_ONLY_BY_VERSION = (
    "createdAt", "updatedAt", "status", "air", "modelId", "model", "uploadType", "usageControl", "trainingStatus",
    "trainingDetails", "licensingFee",
)  # fmt: skip
_ONLY_IN_LIST = ("hasMeta", "hasPositivePrompt", "onSite", "remixOfId", "minor", "poi")
_AIR_TYPES = {"LORA": "lora", "LoCon": "lycoris", "DoRA": "dora", "Checkpoint": "checkpoint"}


def image_level(image: Json) -> int:
    """The bitmask. Until January 2024 an image carried a word or a boolean instead."""
    level = image.get("nsfwLevel")
    if isinstance(level, int) and level:
        return level
    old = image.get("nsfw")
    if isinstance(old, bool) or old is None:
        return X if old else PG
    return {"none": PG, "soft": PG13, "mature": R, "x": X}.get(str(old).lower(), X)


def level_name(level: int) -> str:
    return _LEVEL_NAMES.get(level & -level if level else PG, "X")


def model_in_list(model: Model, store: CivitaiStore, *, all_levels: bool, primary_only: bool) -> Json:
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
    """`/model-versions/:id` and by-hash: the version with its model's name beside it."""
    recorded = store.recorded_versions.get(int(version["id"]))
    if recorded is not None:
        return {**recorded, "files": with_measures(recorded, store.files)["files"]}
    data = model.data
    about = {key: data[key] for key in ("name", "type", "nsfw", "poi", "mode") if key in data}
    shown = {**_version_defaults(version), **with_measures(version, store.files), "modelId": model.id, "model": about}
    shown.setdefault("air", air(model, version))
    return _version_by_itself(shown) if model.is_sample else shown


def air(model: Model, version: Json) -> str:
    """The AIR, whose ecosystem is a root: Pony and Illustrious are `sdxl`. Source: civitai, src/shared/utils/air.ts."""
    base = str(version.get("baseModel", "")).lower()
    roots = {"pony": "sdxl", "illustrious": "sdxl", "noobai": "sdxl", "sdxl": "sdxl", "sd 1": "sd1", "sd 2": "sd2"}
    roots |= {"flux.1": "flux1", "flux.2": "flux2"}
    ecosystem = next(
        (root for start, root in roots.items() if base.startswith(start)), base.replace(" ", "") or "other"
    )
    kind = _AIR_TYPES.get(str(model.data.get("type")), "unknown")
    return f"urn:air:{ecosystem}:{kind}:civitai:{model.id}@{version['id']}"


def _version_in_list(model: Model, version: Json) -> Json:
    if not model.is_sample:
        return dict(version)
    kept = {key: value for key, value in version.items() if key not in _ONLY_BY_VERSION}
    images = [_without_meta(image) for image in version.get("images") or []]
    return {**kept, "trainedWords": version.get("trainedWords") or [], "images": images}


def _without_meta(image: Json) -> Json:
    """The list has flags in place of the generation data."""
    meta = image.get("meta") or {}
    flags = {"hasMeta": bool(meta), "hasPositivePrompt": bool(meta.get("prompt")), "onSite": False, "remixOfId": None}
    return {**flags, "minor": False, "poi": False, **{key: value for key, value in image.items() if key != "meta"}}


def _version_in_model(version: Json) -> Json:
    dropped = (*(key for key in _ONLY_BY_VERSION if key not in ("createdAt", "status")), "supportsGeneration")
    kept = {key: value for key, value in version.items() if key not in dropped and value not in (None, [], {})}
    kept["covered"] = bool(version.get("supportsGeneration", True))
    kept["files"] = [{**file, "metadata": _present(file.get("metadata") or {})} for file in version.get("files") or []]
    kept["images"] = [_image_without(image, "meta", "id", *_ONLY_IN_LIST) for image in version.get("images") or []]
    return {**kept, "description": version.get("description")}


def _version_by_itself(version: Json) -> Json:
    files = [_file_by_itself(file) for file in version.get("files") or []]
    images = [_image_without(image, "id", *_ONLY_IN_LIST) for image in version.get("images") or []]
    stats = version.get("stats") or {}
    return {
        **{key: value for key, value in version.items() if key not in ("index", "flags", "supportsGeneration")},
        "trainedWords": version.get("trainedWords") or [],
        "stats": {key: stats.get(key) for key in ("downloadCount", "thumbsUpCount")},
        "files": files,
        "images": [{**image, "meta": image.get("meta")} for image in images[:10]],
    }


def _file_by_itself(file: Json) -> Json:
    metadata = file.get("metadata") or {}
    kept = {key: value for key, value in file.items() if key != "overrideName"}
    known = {key: metadata.get(key) for key in ("format", "size", "fp")}
    return {**kept, "metadata": known, "primary": bool(file.get("primary"))}


def _version_defaults(version: Json) -> Json:
    published = version.get("publishedAt") or version.get("createdAt") or "2023-01-01T00:00:00.000Z"
    return {
        "createdAt": version.get("createdAt", published),
        "updatedAt": version.get("updatedAt", published),
        "status": "Published",
        "publishedAt": published,
        "baseModelType": None,
        "description": None,
        "uploadType": "Created",
        "usageControl": "Download",
        "paidAccess": None,
        "trainedWords": [],
    }


def _image_without(image: Json, *keys: str) -> Json:
    return {key: value for key, value in image.items() if key not in keys}


def _present(values: dict[str, Any]) -> Json:
    return {key: value for key, value in values.items() if value not in (None, "")}
