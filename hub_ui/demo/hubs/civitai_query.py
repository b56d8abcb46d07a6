"""The parameters of CivitAI's lists. Source: civitai, model.schema.ts and model-search.service.ts, August 2026."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from starlette.datastructures import QueryParams

from hub_ui.demo.hubs.answers import RefusalError, json_answer, natural
from hub_ui.demo.hubs.civitai_store import PG, SAFE_LEVELS, CivitaiStore, Model, image_level
from hub_ui.demo.hubs.folder import Json

_SORTS = {
    "Highest Rated": ("thumbsUpCount", "favoriteCount"),
    "Most Downloaded": ("downloadCount",),
    "Most Liked": ("thumbsUpCount", "favoriteCount"),
    "Most Discussed": ("commentCount",),
    "Most Collected": ("favoriteCount", "thumbsUpCount"),
    "Most Images": (),
    "Newest": (),
    "Oldest": (),
}
_PERIODS = {"AllTime": None, "Year": 365, "Month": 30, "Week": 7, "Day": 1}
_MODEL_CHOICES = {"sort": tuple(_SORTS), "period": tuple(_PERIODS), "nsfw": ("true", "false", "")}


@dataclass(frozen=True, kw_only=True)
class ModelQuery:
    params: QueryParams
    types: Sequence[str]
    limit: int
    page: int | None
    sort: str
    period: int | None

    @property
    def all_levels(self) -> bool:
        return self.params.get("nsfw") == "true"

    @property
    def text(self) -> str:
        return self.params.get("query", "").strip()

    @property
    def offset(self) -> int:
        """Of the cursor: a number of a text search, else the last of three that stand between bars."""
        cursor = self.params.get("cursor")
        if not cursor:
            return (self.page - 1) * self.limit if self.page else 0
        found = natural(cursor if self.text else cursor.rpartition("|")[2])
        if found is None:
            raise zod_refusal("cursor", "invalid_format", "Invalid cursor")
        return found


def parse_query(params: QueryParams, enums: Mapping[str, list[str]]) -> ModelQuery:
    """Raises RefusalError with the zod error object that CivitAI sends."""
    for name, choices in {"types": enums["ModelType"], **_MODEL_CHOICES}.items():
        if not set(params.getlist(name)) <= set(choices):
            raise zod_refusal(name, "invalid_value", "Invalid option")
    return ModelQuery(
        params=params,
        types=params.getlist("types"),
        limit=number(params, "limit", 0, 100, 100),
        page=number(params, "page", 1, 2**31, 1) if "page" in params else None,
        sort=params.get("sort", "Highest Rated"),
        period=_PERIODS[params.get("period", "AllTime")],
    )


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


def is_listed(model: Model, query: ModelQuery) -> bool:
    """The rules of every list: no real people, only PG by default, and no minors if all levels are requested."""
    data = model.data
    if data.get("poi") or data.get("availability") in ("Unsearchable", "Private"):
        return False
    if query.all_levels:
        return not data.get("minor")
    images = [image for version in model.versions for image in version.get("images") or []]
    return not images or any(image_level(image) & PG for image in images)


def in_index(model: Model, query: ModelQuery) -> bool:
    """The filters that the search index applies."""
    return is_listed(model, query) and (not query.types or model.data.get("type") in query.types)


def afterwards(model: Model, query: ModelQuery, now: datetime) -> bool:
    """The filters applied to each page of results after the search, so a page can be short or empty."""
    params, data = query.params, model.data
    bases = {str(version.get("baseModel")) for version in model.versions}
    checks: tuple[tuple[bool, Callable[[], bool]], ...] = (
        ("tag" not in params, lambda: params["tag"].lower() in map(str.lower, data.get("tags") or [])),
        ("username" not in params, lambda: _slug(params["username"]) == _slug(model.creator)),
        ("baseModels" not in params, lambda: not bases.isdisjoint(params.getlist("baseModels"))),
        # z.coerce.boolean: any non-empty text is true, even "false".
        (not params.get("supportsGeneration"), lambda: data.get("supportsGeneration", True) is True),
        (not params.get("archived"), lambda: data.get("mode") == "Archived"),
        (not params.get("earlyAccess"), lambda: any(is_paid(version, now) for version in model.versions)),
        ("ids" not in params, lambda: str(model.id) in params["ids"].split(",")),
        (query.period is None, lambda: now - _publication_date(model) <= timedelta(days=query.period or 0)),
    )
    return all(absent or holds() for absent, holds in checks)


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


def is_paid(version: Json, now: datetime) -> bool:
    """The version has a `paidAccess` that is permanent or has not expired (since 30 July 2026)."""
    paid = version.get("paidAccess") or {}
    ends = paid.get("endsAt")
    return bool(paid.get("permanent") or (ends and datetime.fromisoformat(ends) > now))


def _publication_date(model: Model) -> datetime:
    dates = [str(version.get("publishedAt") or version.get("createdAt") or "") for version in model.versions]
    return datetime.fromisoformat(max(dates, default="") or "2023-01-01").replace(tzinfo=UTC)


def _slug(name: str) -> str:
    return name.lower().replace(" ", "-")


_LEVEL_NAMES = {1: "None", 2: "Soft", 4: "Mature", 8: "X", 16: "X", 32: "Blocked"}
_REACTIONS = ("cryCount", "laughCount", "likeCount", "dislikeCount", "heartCount", "commentCount")
_LEVELS = {**SAFE_LEVELS, "true": 31, "false": PG, "": PG}


@dataclass(frozen=True, kw_only=True)
class ListedImage:
    model: Model
    version: Json
    data: Json

    @property
    def id(self) -> int:
        """The id, or the last part of the URL if the recording has none."""
        stem = str(self.data.get("url", "")).rpartition("/")[2].partition(".")[0]
        return int(self.data.get("id") or natural(stem) or 0)


def find_images(params: QueryParams, store: CivitaiStore) -> list[ListedImage]:
    """The images of open models, by level and by what they belong to."""
    level = params.get("nsfw", "").lower()
    if level not in _LEVELS:
        raise zod_refusal("nsfw", "invalid_union", "Invalid input")
    for name in ("modelId", "modelVersionId", "imageId"):
        number(params, name, 0, 2**63, 0)
    found = (
        ListedImage(model=model, version=version, data=data)
        for model in sorted(store.models.values(), key=lambda model: -model.id)
        if model.is_open
        for version in model.versions
        for data in version.get("images") or []
        if image_level(data) & _LEVELS[level]
    )
    return [image for image in found if _belongs(image, params)]


def _belongs(image: ListedImage, params: QueryParams) -> bool:
    known = {
        "modelId": image.model.id,
        "modelVersionId": image.version["id"],
        "imageId": image.id,
        "username": image.model.creator,
    }
    return all(params.get(name) in (None, str(value)) for name, value in known.items())


def image_item(image: ListedImage, params: QueryParams) -> Json:
    data, level = image.data, image_level(image.data)
    # For one image or one model, `meta` is nested beside the image's id unless `flatMeta` is set.
    is_wrapped = "imageId" in params or ("modelId" in params and "modelVersionId" not in params)
    meta = data.get("meta") if params.get("withMeta") == "true" else None
    if params.get("withMeta") == "true" and is_wrapped and params.get("flatMeta") != "true":
        meta = {"id": image.id, "meta": meta}
    return {
        "id": image.id,
        **{key: data.get(key) for key in ("url", "hash", "width", "height")},
        "nsfwLevel": _LEVEL_NAMES[level & -level],
        "type": data.get("type") or "image",
        "nsfw": level > PG,
        "browsingLevel": level,
        "createdAt": image.version.get("publishedAt") or image.version.get("createdAt"),
        "postId": int(image.version["id"]),
        "stats": dict.fromkeys(_REACTIONS, 0),
        "meta": meta,
        "username": image.model.creator or None,
        "baseModel": image.version.get("baseModel"),
        "modelVersionIds": [image.version["id"]],
    }
