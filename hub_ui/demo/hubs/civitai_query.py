"""What `/api/v1/models` makes of its parameters, its traps included.

Source: civitai, src/server/schema/model.schema.ts and src/server/services/model-search.service.ts, August 2026.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
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
_USES = ("None", "Image", "RentCivit", "Rent", "Sell")
_CHECKPOINT_TYPES = ("Trained", "Merge")
PERIODS = {"AllTime": None, "Year": 365, "Month": 30, "Week": 7, "Day": 1}


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
    """The query, or a refusal with the zod error object that CivitAI sends."""
    types = params.getlist("types")
    for kind in types:
        if kind not in enums["ModelType"]:
            raise zod_refusal("types", "invalid_union", "Invalid input")
    if params.get("sort", "Highest Rated") not in _SORTS or params.get("period", "AllTime") not in PERIODS:
        raise zod_refusal(
            "sort" if params.get("sort") not in (None, *_SORTS) else "period", "invalid_value", "Invalid option"
        )
    if params.get("checkpointType", "Trained") not in _CHECKPOINT_TYPES:
        raise zod_refusal("checkpointType", "invalid_value", "Invalid option")
    if not set(params.getlist("allowCommercialUse")) <= set(_USES):
        raise zod_refusal("allowCommercialUse", "invalid_value", "Invalid option")
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
    """The error is an object here, where other endpoints send a text."""
    issues = [{"code": code, "path": [path], "message": message}]
    return RefusalError(json_answer({"error": {"name": "ZodError", "issues": issues, "message": message}}, 400))


def is_listed(model: Model, query: ModelQuery) -> bool:
    """What holds for every list: no real people, no minors at all levels, and by default only PG."""
    data = model.data
    if data.get("poi") or data.get("availability") in ("Unsearchable", "Private"):
        return False
    if query.all_levels:
        return not data.get("minor")
    images = [image for version in model.versions for image in version.get("images") or []]
    return not images or any(image_level(image) & PG for image in images)


def in_index(model: Model, query: ModelQuery) -> bool:
    """The filters that the search index applies itself."""
    return is_listed(model, query) and (not query.types or model.data.get("type") in query.types)


def afterwards(model: Model, query: ModelQuery, now: datetime) -> bool:
    """The filters that apply to a page of hits once it is there, which is how a page comes out short or empty."""
    params, data = query.params, model.data
    checks: tuple[tuple[bool, Callable[[], bool]], ...] = (
        ("tag" not in params, lambda: params["tag"].lower() in map(str.lower, data.get("tags") or [])),
        ("username" not in params, lambda: _slug(params["username"]) == _slug(_creator(data))),
        ("baseModels" not in params, lambda: not _base_models(model).isdisjoint(params.getlist("baseModels"))),
        # z.coerce.boolean: any text that is not empty is true, "false" included.
        (not params.get("supportsGeneration"), lambda: data.get("supportsGeneration", True) is True),
        (not params.get("archived"), lambda: data.get("mode") == "Archived"),
        (not params.get("earlyAccess"), lambda: any(is_paid(version, now) for version in model.versions)),
        ("ids" not in params, lambda: str(model.id) in params["ids"].split(",")),
        (
            "modelVersionIds" not in params,
            lambda: not _version_ids(model).isdisjoint(params["modelVersionIds"].split(",")),
        ),
        (not params.get("fromPlatform"), lambda: any(v.get("uploadType") == "Trained" for v in model.versions)),
        ("allowCommercialUse" not in params, lambda: not _uses(data).isdisjoint(params.getlist("allowCommercialUse"))),
        (query.period is None, lambda: now - _publication_date(model) <= timedelta(days=query.period or 0)),
    )
    permitted = all(bool(data.get(name)) == (params[name] == "true") for name in _PERMISSIONS if name in params)
    return permitted and all(absent or holds() for absent, holds in checks)


def relevance(model: Model, words: Sequence[str]) -> int:
    """0 where a word is in none of the searched fields; a word in the name counts most."""
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
    def key(model: Model) -> tuple[float, int]:
        if query.sort in ("Newest", "Oldest"):
            at = _publication_date(model).timestamp()
            return (at if query.sort == "Oldest" else -at, -model.id)
        return (-score(model, query.sort), -model.id)

    return key


def score(model: Model, sort: str) -> int:
    if sort == "Most Images":
        return sum(len(version.get("images") or []) for version in model.versions)
    stats = model.data.get("stats") or {}
    return next((int(stats[key]) for key in _SORTS[sort] if stats.get(key)), 0)


def is_paid(version: Json, now: datetime) -> bool:
    """Gated since 30 July 2026: `paidAccess` is there, and permanent or not yet over."""
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


def _uses(data: Json) -> set[str]:
    """A list; until late 2023 one word."""
    uses = data.get("allowCommercialUse") or []
    return {uses} if isinstance(uses, str) else set(map(str, uses))


def _slug(name: str) -> str:
    return name.lower().replace(" ", "-")


def _base_models(model: Model) -> set[str]:
    return {str(version.get("baseModel")) for version in model.versions}


def _version_ids(model: Model) -> set[str]:
    return {str(version["id"]) for version in model.versions}


_IMAGE_SORTS = ("Most Reactions", "Most Comments", "Most Collected", "Newest", "Oldest", "Random")
_CHOICES = {"sort": _IMAGE_SORTS, "period": tuple(PERIODS), "type": ("image", "video", "audio")}
_IDENTIFIERS = ("postId", "modelId", "modelVersionId", "imageId", "userId")
_TRUE_LEVELS = {"true": 31, "false": PG, "": PG}


@dataclass(frozen=True, kw_only=True)
class Picture:
    model: Model
    version: Json
    image: Json

    @property
    def id(self) -> int:
        """The image's id, or the last part of its address where the recording has none."""
        if "id" in self.image:
            return int(self.image["id"])
        stem = str(self.image.get("url", "")).rpartition("/")[2].partition(".")[0]
        return natural(stem) or 0

    @property
    def creation_date(self) -> str:
        return str(self.version.get("publishedAt") or self.version.get("createdAt") or "")


def images_answer(request: Request, store: CivitaiStore, now: datetime) -> Response:
    params = request.query_params
    _check(params)
    limit, page_number = number(params, "limit", 0, 200, 100), number(params, "page", 1, 2**31, 1)
    uses_pages = "page" in params and "cursor" not in params
    if uses_pages and page_number * limit > 1000:
        return json_answer({"error": "You've requested too many pages, please use cursors instead"}, 429)
    bases = [base for base in params.get("baseModels", "").split(",") if base]
    if any(base not in store.enums["BaseModel"] for base in bases):
        raise zod_refusal("baseModels", "invalid_union", "Invalid input")
    days = PERIODS[params.get("period", "AllTime")]
    since = "" if days is None else (now - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%S")
    found = [each for each in _pictures(store) if each.creation_date >= since and _matches(each, params, bases)]
    if params.get("sort") in ("Newest", "Oldest"):
        found.sort(key=lambda each: (each.creation_date, each.id), reverse=params["sort"] == "Newest")
    offset = number(params, "cursor", 0, 2**31, (page_number - 1) * limit)
    page = found[offset : offset + limit]
    metadata: Json = {"currentPage": page_number, "pageSize": limit} if uses_pages else {}
    if page and offset + len(page) < len(found):
        following = str(offset + len(page))
        onwards: Json = {"page": page_number + 1} if uses_pages else {"cursor": following}
        metadata |= {"nextCursor": following, "nextPage": str(request.url.include_query_params(**onwards))}
    return json_answer({"items": [_item(picture, params) for picture in page], "metadata": metadata})


def _check(params: QueryParams) -> None:
    for name, choices in _CHOICES.items():
        if params.get(name, choices[0]) not in choices:
            raise zod_refusal(name, "invalid_value", "Invalid option")
    for name in _IDENTIFIERS:
        number(params, name, 0, 2**63, 0)
    if any(natural(tag) is None for tag in params.get("tags", "0").split(",")):
        raise zod_refusal("tags", "invalid_type", "tags should be a number array")


def _pictures(store: CivitaiStore) -> Iterator[Picture]:
    for model in sorted(store.models.values(), key=lambda model: -model.id):
        for version in model.versions if model.is_open else []:
            for image in version.get("images") or []:
                yield Picture(model=model, version=version, image=image)


def _matches(picture: Picture, params: QueryParams, bases: list[str]) -> bool:
    username = (picture.model.data.get("creator") or {}).get("username")
    return (
        bool(image_level(picture.image) & _levels(params))
        and params.get("modelId") in (None, str(picture.model.id))
        and params.get("modelVersionId") in (None, str(picture.version["id"]))
        and params.get("imageId") in (None, str(picture.id))
        and params.get("postId") in (None, str(picture.version["id"]))
        and params.get("userId") in (None, str(picture.model.data.get("userId")))
        # No picture here has a tag.
        and "tags" not in params
        and params.get("username") in (None, username)
        and params.get("type") in (None, picture.image.get("type", "image"))
        and (not bases or picture.version.get("baseModel") in bases)
        and (not params.get("requiringMeta") or bool(picture.image.get("meta")))
    )


def _levels(params: QueryParams) -> int:
    if "browsingLevel" in params:
        return number(params, "browsingLevel", 0, 63, PG)
    text = params.get("nsfw", "").lower()
    levels = {**_TRUE_LEVELS, **SAFE_LEVELS}
    if text not in levels:
        raise zod_refusal("nsfw", "invalid_union", "Invalid input")
    return levels[text]


def _item(picture: Picture, params: QueryParams) -> Json:
    image, level = picture.image, image_level(picture.image)
    stats = {key: 0 for key in ("cryCount", "laughCount", "likeCount", "dislikeCount", "heartCount", "commentCount")}
    return {
        "id": picture.id,
        "url": image.get("url"),
        "hash": image.get("hash"),
        "width": image.get("width"),
        "height": image.get("height"),
        "nsfwLevel": level_name(level),
        "type": image.get("type", "image"),
        "nsfw": level > PG,
        "browsingLevel": level,
        "createdAt": picture.creation_date or None,
        "postId": int(picture.version["id"]),
        "stats": stats,
        "meta": _meta(picture, params),
        "username": (picture.model.data.get("creator") or {}).get("username"),
        "baseModel": picture.version.get("baseModel"),
        "modelVersionIds": [picture.version["id"]],
    }


def _meta(picture: Picture, params: QueryParams) -> Json | None:
    """Null unless asked for; wrapped with the image's id for one image or one model, unless `flatMeta` says not to."""
    meta: Json | None = picture.image.get("meta")
    if params.get("withMeta") != "true":
        return None
    wrapped = "imageId" in params or ("modelId" in params and "modelVersionId" not in params)
    if wrapped and params.get("flatMeta") != "true":
        return {"id": picture.id, "meta": meta}
    return meta
