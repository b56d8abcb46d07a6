"""CivitAI's models, as each endpoint shows them, and the parameters of its lists.

Recordings keep their fields; samples get those of August 2026. Source: civitai, src/pages/api/v1,
model.schema.ts and model-search.service.ts.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

from starlette.datastructures import QueryParams

from hub_ui.demo.hubs.answers import RefusalError, json_answer, natural
from hub_ui.demo.hubs.folder import Access, DataFolder, HubFile, Json

_TYPES = (
    "Checkpoint", "TextualInversion", "Hypernetwork", "AestheticGradient", "LORA", "LoCon", "DoRA", "Controlnet",
    "Upscaler", "MotionModule", "VAE", "TextEncoder", "UNet", "CLIPVision", "Poses", "Wildcards", "Workflows",
    "ComfyWorkflows", "Detection", "VisionLanguage", "CLIP", "LLM", "Other",
)  # fmt: skip
_PERIODS = ("AllTime", "Year", "Month", "Week", "Day")


@dataclass(frozen=True, kw_only=True)
class Model:
    """A model object of the data folder: `is_sample` in one that has files of CivitAI, else a recording."""

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
    ghosts = folder.ghosts("civitai")
    models = {
        number: Model(id=number, data=data, is_sample=bool(files), is_ghost=str(number) in ghosts)
        for number, data in objects.items()
    }
    return CivitaiStore(models=models, files=files, access=folder.access)


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
    return {
        **_without(version, "index", "flags", "supportsGeneration"),
        "trainedWords": version.get("trainedWords") or [],
        "stats": {key: (version.get("stats") or {}).get(key) for key in ("downloadCount", "thumbsUpCount")},
        "files": files,
        "images": images[:10],
    }


def _without(data: Json, *keys: str) -> Json:
    return {key: value for key, value in data.items() if key not in keys}


# The counters of each sort: the first that a model has counts.
_SORTS: Mapping[str, Sequence[str]] = {
    "Highest Rated": ("thumbsUpCount", "favoriteCount"),
    "Most Downloaded": ("downloadCount",),
    "Most Liked": ("thumbsUpCount", "favoriteCount"),
    "Most Discussed": ("commentCount",),
    "Most Collected": ("favoriteCount", "thumbsUpCount"),
    **dict.fromkeys(("Most Images", "Newest", "Oldest"), ()),
}


@dataclass(frozen=True, kw_only=True)
class ModelQuery:
    params: QueryParams
    types: Sequence[str]
    limit: int
    sort: str

    @property
    def all_levels(self) -> bool:
        return self.params.get("nsfw") == "true"

    @property
    def words(self) -> list[str]:
        return re.findall(r"[^\W_]+", self.params.get("query", "").lower())


def parse_query(params: QueryParams) -> ModelQuery:
    """Raises RefusalError with the zod error object that CivitAI sends."""
    choices = {"types": _TYPES, "sort": tuple(_SORTS), "nsfw": ("true", "false", ""), "period": _PERIODS}
    for name, known in choices.items():
        if not set(params.getlist(name)) <= set(known):
            raise zod_refusal(name, "invalid_value", "Invalid option")
    if params.get("query") and "page" in params:
        raise zod_refusal("page", "custom", "A search has cursors and no pages")
    limit, sort = number(params, "limit", 0, 100, 100), params.get("sort", "Highest Rated")
    return ModelQuery(params=params, types=params.getlist("types"), limit=limit, sort=sort)


def number(params: QueryParams, name: str, least: int, most: int, otherwise: int) -> int:
    text = params.get(name)
    if text is None:
        return otherwise
    found = natural(text)
    if found is None or not least <= found <= most:
        raise zod_refusal(name, "too_big" if found is not None else "invalid_type", f"Invalid input: {name}")
    return found


def zod_refusal(path: str, code: str, message: str) -> RefusalError:
    """Here `error` is an object; other endpoints send a string."""
    issues = [{"code": code, "path": [path], "message": message}]
    return RefusalError(json_answer({"error": {"name": "ZodError", "issues": issues, "message": message}}, 400))


def in_index(model: Model, query: ModelQuery) -> bool:
    """The rules of every list: no real people, only PG by default, no minors if all levels are asked for; and types."""
    data = model.data
    if data.get("poi") or data.get("availability") in ("Unsearchable", "Private"):
        return False
    if query.types and data.get("type") not in query.types:
        return False
    if query.all_levels:
        return not data.get("minor")
    images = [image for version in model.versions for image in version.get("images") or []]
    return not images or any(image_level(image) & PG for image in images)


def afterwards(model: Model, query: ModelQuery) -> bool:
    """The filters applied to each page of results after the search, so a page can be short or empty."""
    params = query.params
    bases = {str(version.get("baseModel")) for version in model.versions}
    tags = {str(tag).lower() for tag in model.data.get("tags") or []}
    return (
        ("tag" not in params or params["tag"].lower() in tags)
        and ("username" not in params or _slug(params["username"]) == _slug(model.creator))
        and ("baseModels" not in params or not bases.isdisjoint(params.getlist("baseModels")))
        and ("ids" not in params or str(model.id) in params["ids"].split(","))
    )


def relevance(model: Model, words: Sequence[str]) -> int:
    """0 if a word is in no searched field. Words in the name count most."""
    data = model.data
    trained = [word for version in model.versions for word in version.get("trainedWords") or []]
    fields = (
        (8, str(data.get("name", "")).lower()),
        (4, " ".join(data.get("tags") or []).lower()),
        (2, " ".join(trained).lower()),
        (1, model.creator.lower()),
    )
    scores = [sum(weight for weight, text in fields if word in text) for word in words]
    return sum(scores) if all(scores) else 0


def sort_key(query: ModelQuery) -> Callable[[Model], tuple[float, int]]:
    if query.sort in ("Newest", "Oldest"):
        sign = 1 if query.sort == "Oldest" else -1
        return lambda model: (sign * _publication_date(model).timestamp(), -model.id)
    return lambda model: (-score(model, query.sort), -model.id)


def score(model: Model, sort: str) -> int:
    if sort == "Most Images":
        return sum(len(version.get("images") or []) for version in model.versions)
    stats = model.data.get("stats") or {}
    return next((int(stats[key]) for key in _SORTS[sort] if stats.get(key)), 0)


def is_paid(version: Json) -> bool:
    """The version has a `paidAccess` that is permanent or has not expired (since 30 July 2026)."""
    paid = version.get("paidAccess") or {}
    ends = paid.get("endsAt")
    return bool(paid.get("permanent") or (ends and datetime.fromisoformat(ends) > datetime.now(UTC)))


def _publication_date(model: Model) -> datetime:
    dates = [str(version.get("publishedAt") or version.get("createdAt") or "") for version in model.versions]
    return datetime.fromisoformat(max(dates, default="") or "2023-01-01").replace(tzinfo=UTC)


def _slug(name: str) -> str:
    return name.lower().replace(" ", "-")


_LEVEL_NAMES = {1: "None", 2: "Soft", 4: "Mature", 8: "X", 16: "X", 32: "Blocked"}
_REACTIONS = ("cryCount", "laughCount", "likeCount", "dislikeCount", "heartCount", "commentCount")
# On either side of an image of the author's.
_PEOPLE = 10
_LEVELS = {**SAFE_LEVELS, "true": 31, "false": PG, "": PG}


def find_images(params: QueryParams, store: CivitaiStore) -> list[Json]:
    """The images of open models, by level and by what they belong to."""
    level = params.get("nsfw", "").lower()
    if level not in _LEVELS:
        raise zod_refusal("nsfw", "invalid_union", "Invalid input")
    asked = {name: number(params, name, 0, 2**63, 0) for name in ("modelId", "modelVersionId")}
    return [
        _image_item(image, model, version, params)
        for model, version in _versions(sorted(store.models.values(), key=lambda model: -model.id))
        if model.is_open and asked["modelId"] in (0, model.id) and asked["modelVersionId"] in (0, version["id"])
        for image in _version_images(version)
        if image_level(image) & _LEVELS[level]
    ]


def _version_images(version: Json) -> Iterator[Json]:
    """The author's own, and what people made as they did, with weights and steps evenly around the author's."""
    for image in version.get("images") or []:
        yield image
        meta = image.get("meta") or {}
        for place in range(-_PEOPLE, _PEOPLE + 1) if "id" in image and meta.get("resources") else ():
            loras = [{**one, "weight": round(one.get("weight", 1) + place / 40, 2)} for one in meta["resources"]]
            changed = {**meta, "seed": place + _PEOPLE, "steps": meta.get("steps", 20) + place, "resources": loras}
            yield {**image, "id": 100 * image["id"] + place, "meta": changed}


def _image_item(data: Json, model: Model, version: Json, params: QueryParams) -> Json:
    level = image_level(data)
    # The last part of the URL is the id too, if the recording has none.
    stem = str(data.get("url", "")).rpartition("/")[2].partition(".")[0]
    id_, meta = data.get("id") or natural(stem) or 0, data.get("meta") if params.get("withMeta") == "true" else None
    is_flat = params.get("flatMeta") == "true" or "modelVersionId" in params
    return {
        "id": id_,
        **{key: data.get(key) for key in ("url", "hash", "width", "height")},
        "nsfwLevel": _LEVEL_NAMES[level & -level],
        "type": data.get("type") or "image",
        "nsfw": level > PG,
        "browsingLevel": level,
        "createdAt": version.get("publishedAt") or version.get("createdAt"),
        "postId": int(version["id"]),
        "stats": dict.fromkeys(_REACTIONS, 0),
        "meta": meta if is_flat or meta is None else {"id": id_, "meta": meta},
        "username": model.creator or None,
        "baseModel": version.get("baseModel"),
        "modelVersionIds": [version["id"]],
    }
