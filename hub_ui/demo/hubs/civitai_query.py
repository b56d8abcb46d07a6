"""The parameters of CivitAI's lists. Source: civitai, model.schema.ts and model-search.service.ts, August 2026."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from starlette.datastructures import QueryParams

from hub_ui.demo.hubs.answers import RefusalError, json_answer, natural
from hub_ui.demo.hubs.civitai_store import PG, SAFE_LEVELS, CivitaiStore, Model, image_level
from hub_ui.demo.hubs.folder import Json

# The counters of each sort: the first that a model has counts.
_SORTS: Mapping[str, Sequence[str]] = {
    "Highest Rated": ("thumbsUpCount", "favoriteCount"),
    "Most Downloaded": ("downloadCount",),
    "Most Liked": ("thumbsUpCount", "favoriteCount"),
    "Most Discussed": ("commentCount",),
    "Most Collected": ("favoriteCount", "thumbsUpCount"),
    "Most Images": (),
    "Newest": (),
    "Oldest": (),
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
        return self.params.get("query", "").lower().split()

    @property
    def offset(self) -> int:
        """Of the cursor: a number of a text search, else the last of three that stand between bars."""
        cursor = self.params.get("cursor", "0")
        found = natural(cursor if self.words else cursor.rpartition("|")[2])
        if found is None:
            raise zod_refusal("cursor", "invalid_format", "Invalid cursor")
        return found

    def cursor(self, last: Model, offset: int) -> str:
        return str(offset) if self.words else f"{score(last, self.sort)}|{last.id}|{offset}"


def parse_query(params: QueryParams, enums: Mapping[str, Sequence[str]]) -> ModelQuery:
    """Raises RefusalError with the zod error object that CivitAI sends."""
    choices = {"types": enums["ModelType"], "sort": tuple(_SORTS), "nsfw": ("true", "false", "")}
    for name, known in choices.items():
        if not set(params.getlist(name)) <= set(known):
            raise zod_refusal(name, "invalid_value", "Invalid option")
    return ModelQuery(
        params=params,
        types=params.getlist("types"),
        limit=number(params, "limit", 0, 100, 100),
        sort=params.get("sort", "Highest Rated"),
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


def find_images(params: QueryParams, store: CivitaiStore) -> list[Json]:
    """The images of open models, by level and by what they belong to."""
    level = params.get("nsfw", "").lower()
    if level not in _LEVELS:
        raise zod_refusal("nsfw", "invalid_union", "Invalid input")
    asked = {name: number(params, name, 0, 2**63, 0) for name in ("modelId", "modelVersionId")}
    return [
        _image_item(image, model, version)
        for model in sorted(store.models.values(), key=lambda model: -model.id)
        for version in model.versions
        if model.is_open and asked["modelId"] in (0, model.id) and asked["modelVersionId"] in (0, version["id"])
        for image in version.get("images") or []
        if image_level(image) & _LEVELS[level]
    ]


def _image_item(data: Json, model: Model, version: Json) -> Json:
    level = image_level(data)
    # The last part of the URL is the id too, if the recording has none.
    stem = str(data.get("url", "")).rpartition("/")[2].partition(".")[0]
    return {
        "id": data.get("id") or natural(stem) or 0,
        **{key: data.get(key) for key in ("url", "hash", "width", "height")},
        "nsfwLevel": _LEVEL_NAMES[level & -level],
        "type": data.get("type") or "image",
        "nsfw": level > PG,
        "browsingLevel": level,
        "createdAt": version.get("publishedAt") or version.get("createdAt"),
        "postId": int(version["id"]),
        "stats": dict.fromkeys(_REACTIONS, 0),
        "meta": None,
        "username": model.creator or None,
        "baseModel": version.get("baseModel"),
        "modelVersionIds": [version["id"]],
    }
