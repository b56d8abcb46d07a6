"""CivitAI's `/images`: the pictures of all models in one list, in a shape of their own.

Source: civitai, src/pages/api/v1/images/index.ts.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from hub_ui.demo.hubs.answers import json_answer
from hub_ui.demo.hubs.civitai_query import PERIODS, number, zod_refusal
from hub_ui.demo.hubs.civitai_store import CivitaiStore, Model
from hub_ui.demo.hubs.civitai_wire import PG, SAFE_LEVELS, image_level, level_name
from hub_ui.demo.hubs.cursors import natural
from hub_ui.demo.hubs.folder import Json

_SORTS = ("Most Reactions", "Most Comments", "Most Collected", "Newest", "Oldest", "Random")
_CHOICES = {"sort": _SORTS, "period": tuple(PERIODS), "type": ("image", "video", "audio")}
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
    since = _since(params, now)
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


def _since(params: QueryParams, now: datetime) -> str:
    days = PERIODS[params.get("period", "AllTime")]
    return "" if days is None else (now - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%S")


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
