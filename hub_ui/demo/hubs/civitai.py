"""CivitAI's API. Source: civitai, src/pages/api/download/models/[modelVersionId].ts, August 2026."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import quote

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from hub_ui.demo.hubs import answers
from hub_ui.demo.hubs.civitai_store import (
    CivitaiStore,
    Model,
    ModelQuery,
    afterwards,
    find_images,
    in_index,
    is_paid,
    model_by_id,
    model_in_list,
    number,
    parse_query,
    relevance,
    sort_key,
    version_alone,
    zod_refusal,
)
from hub_ui.demo.hubs.folder import HubFile, Json

T = TypeVar("T")
_INT4 = 2**31 - 1
_MOST_BY_PAGE = 1_000
_DISABLED = "The creator of this asset has disabled downloads on this file"
_LOGIN = "The creator of this asset requires you to be logged in to download it"
_EARLY = "This asset is in Early Access. You can use Buzz access it now!"
_LIFETIME = 86400
# What CivitAI's edge keeps, and for how many seconds.
_CACHED = "public, s-maxage=300, stale-while-revalidate=150"
_BY_HASH_CACHED = "public, s-maxage=3600, stale-while-revalidate=1800"


def _token(request: Request) -> str | None:
    return answers.bearer(request) or request.query_params.get("token")


def _refusal(status: int, error: str, **more: str) -> answers.RefusalError:
    return answers.RefusalError(answers.json_answer({"error": error, **more}, status))


def _choose_file(files: list[Json], params: QueryParams) -> Json | None:
    """The file with `fileId`, else the primary file, or None if another selector does not match it."""
    if "fileId" in params:
        return next((file for file in files if str(file.get("id")) == params["fileId"]), None)
    primary = next((file for file in files if file.get("primary")), files[0] if files else {})
    known = {**(primary.get("metadata") or {}), "type": primary.get("type")}
    asked = {key: params[key] for key in ("type", "format", "size", "fp", "quantType") if key in params}
    return primary if all(str(known.get(key)) == value for key, value in asked.items()) else None


@dataclass(frozen=True, kw_only=True)
class CivitaiHub:
    store: CivitaiStore
    delivery: answers.Delivery
    origin: str

    def routes(self) -> list[BaseRoute]:
        versions = "/api/v1/model-versions"
        return [
            _public("/api/v1/models", self.list_models),
            _public("/api/v1/models/{model_id}", self.model),
            _public(versions + "/by-hash/{hash}", self.by_hash, _BY_HASH_CACHED),
            _public(versions + "/{version_id}", self.version),
            _public("/api/v1/images", self.images),
            _public("/api/v1/creators", self.creators),
            _public("/api/v1/tags", self.tags),
            Route("/api/v1/me", self.me),
            Route("/api/download/models/{version_id}", self.download),
            Route("/models/{model_id}", self.model_page),
        ]

    def list_models(self, request: Request) -> Response:
        # Even as false.
        if {"favorites", "hidden"} & request.query_params.keys() and not self._is_signed_in(request):
            raise _refusal(401, "Unauthorized")
        query = parse_query(request.query_params)
        page, metadata = _page(request, self._find(query), query.limit)
        kept = [model for model in page if not query.words or afterwards(model, query)]
        items = [model_in_list(each, query.all_levels) for each in kept]
        return answers.json_answer({"items": items, "metadata": metadata})

    def _find(self, query: ModelQuery) -> Sequence[Model]:
        """The sorted models. A text search applies only the index's own filters here."""
        listed = [model for model in self.store.models.values() if in_index(model, query)]
        if not query.words:
            return sorted((model for model in listed if afterwards(model, query)), key=sort_key(query))
        hits = [model for model in listed if relevance(model, query.words)]
        return sorted(hits, key=lambda model: (-relevance(model, query.words), *sort_key(query)(model)))

    def model(self, request: Request) -> Response:
        number = _identifier(request.path_params["model_id"])
        model = self.store.models.get(number)
        if model is None or not model.is_open:
            raise _refusal(404, f"No model with id {number}")
        return answers.json_answer(model_by_id(model))

    def version(self, request: Request) -> Response:
        model, version = self._version(_identifier(request.path_params["version_id"]))
        return answers.json_answer(version_alone(model, version))

    def by_hash(self, request: Request) -> Response:
        found = self.store.by_hash.get(request.path_params["hash"].upper())
        if found is None:
            raise _refusal(404, "Model not found")
        return answers.json_answer(version_alone(*found))

    def images(self, request: Request) -> Response:
        params = request.query_params
        items, metadata = _page(request, find_images(params, self.store), number(params, "limit", 0, 200, 100))
        return answers.json_answer({"items": items, "metadata": metadata})

    def creators(self, request: Request) -> Response:
        names = Counter(model.creator for model in self.store.models.values() if model.is_open and model.creator)
        link = f"{self.origin}/api/v1/models?username="
        items = [
            {"username": name, "modelCount": count, "link": link + quote(name, safe="")}
            for name, count in sorted(names.items())
        ]
        return _count_answer(request, items, len(items))

    def tags(self, request: Request) -> Response:
        models = [model for model in self.store.models.values() if model.is_open]
        names = {str(tag).lower() for model in models for tag in model.data.get("tags") or []}
        link = f"{self.origin}/api/v1/models?tag="
        items = [{"name": name, "link": link + quote(name, safe="")} for name in sorted(names)]
        return _count_answer(request, items, 0)

    def me(self, request: Request) -> Response:
        if not self._is_signed_in(request):
            raise _refusal(401, "Unauthorized")
        account = {"id": 1, "username": "local", "tier": "free", "status": "active", "isMember": False}
        return answers.json_answer(account)

    def download(self, request: Request) -> Response:
        number = answers.natural(request.path_params["version_id"])
        if number is None:
            raise _refusal(400, "Invalid modelVersionId")
        model, version = self._version(number, "File not found")
        wire = _choose_file(version.get("files") or [], request.query_params) or {}
        known = self.store.files.get(wire.get("id", 0))
        self._check_download(request, model, version, known)
        if known is None:
            raise _refusal(404, "File not found")
        key = f"/{model.data.get('userId', 0)}/model/{wire['id']}/{wire['name']}"
        location = self.delivery.sign(key, known.content, answers.attachment(wire["name"]), lifetime=_LIFETIME)
        return RedirectResponse(location, 307, {"Cache-Control": "no-store, max-age=0"})

    def _check_download(self, request: Request, model: Model, version: Json, known: HubFile | None) -> None:
        access = known.access if known else None
        is_gated = is_paid(version) or access in ("gated", "paid")
        if model.data.get("mode") == "Archived" or access == "archived":
            raise _refusal(410, "Model archived, not available for download")
        if model.data.get("mode") == "TakenDown":
            raise _refusal(404, "File not found")
        # The login is checked first, so anonymous callers cannot see early access.
        if (is_gated or access == "login") and not self._is_signed_in(request):
            raise _refusal(401, "Unauthorized", message=_LOGIN)
        if access == "disabled" or version.get("usageControl", "Download") != "Download":
            raise _refusal(401, "Unauthorized", message=_DISABLED)
        names = (f"{model.id}@{version['id']}", str(model.id), str(version["id"]))
        if not is_gated or self.store.access.is_granted(_token(request), *names):
            return
        if access == "gated":
            raise _refusal(403, "You do not have access to download this file")
        ends = (version.get("paidAccess") or {}).get("endsAt")
        raise _refusal(403, "Early Access", **({"deadline": ends} if ends else {}), message=_EARLY)

    def model_page(self, request: Request) -> Response:
        model = self.store.models.get(_identifier(request.path_params["model_id"]))
        if model is None or not model.is_open:
            return answers.html_answer("Not found", "The model you are looking for does not exist.", 404)
        return answers.html_answer(f"Model {model.id}", "This page stands for the model's page on CivitAI.")

    def _version(self, version_id: int, missing: str = "Model not found") -> tuple[Model, Json]:
        found = self.store.by_version.get(version_id)
        if found is None or not found[0].is_open:
            raise _refusal(404, missing)
        return found

    def _is_signed_in(self, request: Request) -> bool:
        return self.store.access.is_signed_in("civitai", _token(request))


def _public(path: str, handler: Callable[[Request], Response], cached: str = _CACHED) -> Route:
    """A route that CivitAI's edge caches for all clients without a key."""

    def endpoint(request: Request) -> Response:
        return answers.with_etag(request, handler(request), cache_control="" if _token(request) else cached)

    return Route(path, endpoint)


def _identifier(text: str) -> int:
    number = answers.natural(text)
    if number is None or number > _INT4:
        raise zod_refusal("id", "invalid_type", "Invalid input: expected number")
    return number


def _page(request: Request, items: Sequence[T], limit: int) -> tuple[Sequence[T], Json]:
    """One page of them, and the metadata that lead to the next."""
    params = request.query_params
    place = number(params, "page", 1, _INT4, 1)
    if place * limit > _MOST_BY_PAGE:
        raise _refusal(429, "You've requested too many pages, please use cursors instead")
    page = answers.page_of(items, params.get("cursor"), limit, start=(place - 1) * limit)
    if page is None:
        raise zod_refusal("cursor", "invalid_format", "Invalid cursor")
    found, cursor = page
    metadata: Json = {"currentPage": place, "pageSize": limit} if "page" in params else {}
    return found, metadata | ({"nextCursor": cursor, "nextPage": _next_page(request, cursor=cursor)} if cursor else {})


def _next_page(request: Request, **onwards: object) -> str:
    return str(request.url.remove_query_params("token").include_query_params(**onwards))


def _count_answer(request: Request, items: list[Json], total: int) -> Response:
    """A page of a list whose pages are counted. CivitAI has no `total` of tags."""
    limit = number(request.query_params, "limit", 0, 200, 20) or len(items) or 1
    page = number(request.query_params, "page", 1, _INT4, 1)
    pages = -(-len(items) // limit)
    metadata: Json = {"totalItems": total, "currentPage": page, "pageSize": limit, "totalPages": pages}
    if page < pages:
        metadata["nextPage"] = _next_page(request, page=page + 1)
    return answers.json_answer({"items": items[(page - 1) * limit : page * limit], "metadata": metadata})
