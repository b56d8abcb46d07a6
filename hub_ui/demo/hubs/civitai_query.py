"""The parameters of `/api/v1/models`. Source: civitai, model.schema.ts and model-search.service.ts, August 2026."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from hub_ui.demo.hubs.answers import RefusalError, json_answer, natural
from hub_ui.demo.hubs.civitai_store import PG, SAFE_LEVELS, CivitaiStore, Model, image_level, level_name
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
_PERMISSIONS = ("allowNoCredit", "allowDerivatives", "allowDifferentLicense")
PERIODS = {"AllTime": None, "Year": 365, "Month": 30, "Week": 7, "Day": 1}
_MODEL_CHOICES = {
    "sort": tuple(_SORTS),
    "period": tuple(PERIODS),
    "checkpointType": ("Trained", "Merge"),
    "allowCommercialUse": ("None", "Image", "RentCivit", "Rent", "Sell"),
}


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


def parse_query(params: QueryParams, enums: Mapping[str, list[str]]) -> ModelQuery:
    """Raises RefusalError with the zod error object that CivitAI sends."""
    types = params.getlist("types")
    if not set(types) <= set(enums["ModelType"]):
        raise zod_refusal("types", "invalid_union", "Invalid input")
    for name, choices in _MODEL_CHOICES.items():
        if not set(params.getlist(name)) <= set(choices):
            raise zod_refusal(name, "invalid_value", "Invalid option")
    if params.get("nsfw", "true") not in ("true", "false", ""):
        raise zod_refusal("nsfw", "invalid_type", "Invalid input: expected boolean")
    return ModelQuery(
        params=params,
        types=types,
        limit=number(params, "limit", 0, 100, 100),
        page=number(params, "page", 1, 2**31, 1) if "page" in params else None,
        sort=params.get("sort", "Highest Rated"),
        period=PERIODS[params.get("period", "AllTime")],
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
    ids = {str(version["id"]) for version in model.versions}
    # A string until late 2023, then a list.
    uses = data.get("allowCommercialUse") or []
    uses = {uses} if isinstance(uses, str) else set(map(str, uses))
    checks: tuple[tuple[bool, Callable[[], bool]], ...] = (
        ("tag" not in params, lambda: params["tag"].lower() in map(str.lower, data.get("tags") or [])),
        ("username" not in params, lambda: _slug(params["username"]) == _slug(_creator(data))),
        ("baseModels" not in params, lambda: not bases.isdisjoint(params.getlist("baseModels"))),
        # z.coerce.boolean: any non-empty text is true, even "false".
        (not params.get("supportsGeneration"), lambda: data.get("supportsGeneration", True) is True),
        (not params.get("archived"), lambda: data.get("mode") == "Archived"),
        (not params.get("earlyAccess"), lambda: any(is_paid(version, now) for version in model.versions)),
        ("ids" not in params, lambda: str(model.id) in params["ids"].split(",")),
        ("modelVersionIds" not in params, lambda: not ids.isdisjoint(params["modelVersionIds"].split(","))),
        (not params.get("fromPlatform"), lambda: any(v.get("uploadType") == "Trained" for v in model.versions)),
        ("allowCommercialUse" not in params, lambda: not uses.isdisjoint(params.getlist("allowCommercialUse"))),
        (query.period is None, lambda: now - _publication_date(model) <= timedelta(days=query.period or 0)),
    )
    permitted = all(bool(data.get(name)) == (params[name] == "true") for name in _PERMISSIONS if name in params)
    return permitted and all(absent or holds() for absent, holds in checks)


def relevance(model: Model, words: Sequence[str]) -> int:
    """0 if a word is in no searched field. Words in the name count most."""
    data = model.data
    trained = [word for version in model.versions for word in version.get("trainedWords") or []]
    fields = (
        (8, str(data.get("name", "")).lower()),
        (4, " ".join(data.get("tags") or []).lower()),
        (2, " ".join(trained).lower()),
        (1, _creator(data).lower()),
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
    return bool(paid.get("permanent") or (ends and moment(ends) > now))


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def _publication_date(model: Model) -> datetime:
    dates = [version.get("publishedAt") or version.get("createdAt") for version in model.versions]
    known = [moment(date) for date in dates if date]
    return max(known) if known else moment("2023-01-01T00:00:00Z")


def _creator(data: Json) -> str:
    return str((data.get("creator") or {}).get("username") or "")


def _slug(name: str) -> str:
    return name.lower().replace(" ", "-")


_IMAGE_SORTS = ("Most Reactions", "Most Comments", "Most Collected", "Newest", "Oldest", "Random")
_IMAGE_CHOICES = {"sort": _IMAGE_SORTS, "period": tuple(PERIODS), "type": ("image", "video", "audio")}
_REACTIONS = ("cryCount", "laughCount", "likeCount", "dislikeCount", "heartCount", "commentCount")
_TRUE_LEVELS = {"true": 31, "false": PG, "": PG}


@dataclass(frozen=True, kw_only=True)
class ListedImage:
    model: Model
    version: Json
    data: Json

    @property
    def id(self) -> int:
        """The id, or the last part of the URL if the recording has none."""
        if "id" in self.data:
            return int(self.data["id"])
        stem = str(self.data.get("url", "")).rpartition("/")[2].partition(".")[0]
        return natural(stem) or 0

    @property
    def creation_date(self) -> str:
        return str(self.version.get("publishedAt") or self.version.get("createdAt") or "")


def images_answer(request: Request, store: CivitaiStore, now: datetime) -> Response:
    params = request.query_params
    for name, choices in _IMAGE_CHOICES.items():
        if params.get(name, choices[0]) not in choices:
            raise zod_refusal(name, "invalid_value", "Invalid option")
    for name in ("postId", "modelId", "modelVersionId", "imageId", "userId"):
        number(params, name, 0, 2**63, 0)
    if any(natural(tag) is None for tag in params.get("tags", "0").split(",")):
        raise zod_refusal("tags", "invalid_type", "tags should be a number array")
    limit, page_number = number(params, "limit", 0, 200, 100), number(params, "page", 1, 2**31, 1)
    uses_pages = "page" in params and "cursor" not in params
    if uses_pages and page_number * limit > 1000:
        return json_answer({"error": "You've requested too many pages, please use cursors instead"}, 429)
    bases = [base for base in params.get("baseModels", "").split(",") if base]
    if any(base not in store.enums["BaseModel"] for base in bases):
        raise zod_refusal("baseModels", "invalid_union", "Invalid input")
    days = PERIODS[params.get("period", "AllTime")]
    since = "" if days is None else (now - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%S")
    found = [
        image
        for model in sorted(store.models.values(), key=lambda model: -model.id)
        for version in (model.versions if model.is_open else [])
        for data in version.get("images") or []
        if (image := ListedImage(model=model, version=version, data=data)).creation_date >= since
        and _matches(image, params, bases)
    ]
    if params.get("sort") in ("Newest", "Oldest"):
        found.sort(key=lambda each: (each.creation_date, each.id), reverse=params["sort"] == "Newest")
    offset = number(params, "cursor", 0, 2**31, (page_number - 1) * limit)
    page = found[offset : offset + limit]
    metadata: Json = {"currentPage": page_number, "pageSize": limit} if uses_pages else {}
    if page and offset + len(page) < len(found):
        following = str(offset + len(page))
        onwards: Json = {"page": page_number + 1} if uses_pages else {"cursor": following}
        metadata |= {"nextCursor": following, "nextPage": str(request.url.include_query_params(**onwards))}
    return json_answer({"items": [_item(image, params) for image in page], "metadata": metadata})


def _matches(image: ListedImage, params: QueryParams, bases: list[str]) -> bool:
    model, version, data = image.model, image.version, image.data
    fields = {
        "modelId": model.id,
        "modelVersionId": version["id"],
        "imageId": image.id,
        "postId": version["id"],
        "userId": model.data.get("userId"),
        "type": data.get("type") or "image",
    }
    return (
        bool(image_level(data) & _levels(params))
        and all(params.get(name) in (None, str(value)) for name, value in fields.items())
        # Images have no tags here.
        and "tags" not in params
        and params.get("username") in (None, (model.data.get("creator") or {}).get("username"))
        and (not bases or version.get("baseModel") in bases)
        and (not params.get("requiringMeta") or bool(data.get("meta")))
    )


def _levels(params: QueryParams) -> int:
    if "browsingLevel" in params:
        return number(params, "browsingLevel", 0, 63, PG)
    text = params.get("nsfw", "").lower()
    levels = {**_TRUE_LEVELS, **SAFE_LEVELS}
    if text not in levels:
        raise zod_refusal("nsfw", "invalid_union", "Invalid input")
    return levels[text]


def _item(image: ListedImage, params: QueryParams) -> Json:
    data, level = image.data, image_level(image.data)
    # For one image or one model, `meta` is nested beside the image's id unless `flatMeta` is set.
    is_wrapped = "imageId" in params or ("modelId" in params and "modelVersionId" not in params)
    meta = data.get("meta") if params.get("withMeta") == "true" else None
    if params.get("withMeta") == "true" and is_wrapped and params.get("flatMeta") != "true":
        meta = {"id": image.id, "meta": meta}
    return {
        "id": image.id,
        **{key: data.get(key) for key in ("url", "hash", "width", "height")},
        "nsfwLevel": level_name(level),
        "type": data.get("type") or "image",
        "nsfw": level > PG,
        "browsingLevel": level,
        "createdAt": image.creation_date or None,
        "postId": int(image.version["id"]),
        "stats": dict.fromkeys(_REACTIONS, 0),
        "meta": meta,
        "username": (image.model.data.get("creator") or {}).get("username"),
        "baseModel": image.version.get("baseModel"),
        "modelVersionIds": [image.version["id"]],
    }
