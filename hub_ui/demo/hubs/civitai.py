"""CivitAI's API. Source: civitai, src/pages/api/download/models/[modelVersionId].ts, August 2026."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import quote, urlencode

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from hub_ui.demo.hubs.answers import (
    RefusalError,
    attachment,
    bearer,
    html_answer,
    json_answer,
    json_body,
    keyset,
    natural,
    read_keyset,
)
from hub_ui.demo.hubs.civitai_query import (
    ModelQuery,
    afterwards,
    images_answer,
    in_index,
    is_paid,
    number,
    parse_query,
    relevance,
    score,
    sort_key,
    zod_refusal,
)
from hub_ui.demo.hubs.civitai_store import (
    CivitaiStore,
    Model,
    air,
    model_by_id,
    model_in_list,
    version_alone,
    with_measures,
)
from hub_ui.demo.hubs.delivery import Delivery
from hub_ui.demo.hubs.folder import HubFile, Json

_INT4 = 2**31 - 1
_BROWSERS = ("mozilla", "chrome", "safari", "firefox", "opera", "edge")
_DISABLED = "The creator of this asset has disabled downloads on this file"
_LOGIN = "The creator of this asset requires you to be logged in to download it"
_EARLY = "This asset is in Early Access. You can use Buzz access it now!"
_LIFETIME = 86400


def _needs_login(version: Json, known: HubFile | None) -> bool:
    return bool(version.get("requireAuth")) or (known is not None and known.access in ("login", "gated", "paid"))


def _is_browser(request: Request) -> bool:
    agent = request.headers.get("user-agent", "").lower()
    return any(name in agent for name in _BROWSERS)


def _token(request: Request) -> str | None:
    return bearer(request) or request.query_params.get("token")


def _not_found(text: str) -> RefusalError:
    return RefusalError(json_answer({"error": text}, 404))


def _choose_file(files: list[Json], params: QueryParams) -> Json | None:
    """The file with `fileId`, else the primary file, or None if another selector does not match it."""
    if "fileId" in params:
        return next((file for file in files if str(file.get("id")) == params["fileId"]), None)
    primary = next((file for file in files if file.get("primary")), files[0] if files else None)
    if primary is None:
        return None
    metadata = primary.get("metadata") or {}
    known = {"type": primary.get("type"), **{key: metadata.get(key) for key in ("format", "size", "fp", "quantType")}}
    asked = {key: params[key] for key in known if key in params}
    return primary if all(str(known[key]) == value for key, value in asked.items()) else None


@dataclass(frozen=True, kw_only=True)
class CivitaiHub:
    store: CivitaiStore
    delivery: Delivery
    origin: str
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def routes(self) -> list[BaseRoute]:
        read = partial(Route, methods=["GET"])
        versions = "/api/v1/model-versions"
        return [
            read("/api/v1/models", self.list_models),
            read("/api/v1/models/{model_id}", self.model),
            read(versions + "/by-hash/{hash}", self.by_hash),
            Route(versions + "/by-hash", self.by_hashes, methods=["POST"]),
            Route(versions + "/by-hash/ids", self.ids_by_hashes, methods=["POST"]),
            read(versions + "/mini/{version_id}", self.mini),
            read(versions + "/{version_id}", self.version),
            read("/api/v1/images", self.images),
            read("/api/v1/creators", self.creators),
            read("/api/v1/tags", self.tags),
            read("/api/v1/enums", self.enums),
            read("/api/v1/me", self.me),
            read("/api/download/models/{version_id}", self.download),
            read("/login", self.login_page),
            read("/models/{model_id}/{slug:path}", self.model_page),
            read("/models/{model_id}", self.model_page),
        ]

    def list_models(self, request: Request) -> Response:
        params = request.query_params
        if ("favorites" in params or "hidden" in params) and not self._is_signed_in(request):
            return json_answer({"error": "Unauthorized"}, 401)
        query = parse_query(params, self.store.enums)
        if query.text and query.page is not None:
            text = "Cannot use page param with query search. Use cursor-based pagination."
            return json_answer({"error": text}, 400)
        if (query.page or 1) * query.limit > 1000:
            return json_answer({"error": "You've requested too many pages, please use cursors instead"}, 429)
        found, offset = self._find(query)
        page = found[offset : offset + query.limit]
        kept = [model for model in page if afterwards(model, query, self.now())] if query.text else page
        more = bool(page) and offset + len(page) < len(found)
        metadata: Json = {}
        if more:
            end = offset + len(page)
            cursor = str(end) if query.text else keyset(score(page[-1], query.sort), page[-1].id, end)
            rest = [(key, value) for key, value in params.multi_items() if key not in ("cursor", "token")]
            link = f"{self.origin}/api/v1/models?{urlencode([*rest, ('cursor', cursor)])}"
            metadata = {"nextCursor": cursor, "nextPage": link}
        if query.page is not None:
            metadata |= {"currentPage": query.page, "pageSize": query.limit}
        primary_only = params.get("primaryFileOnly") == "true"
        items = [model_in_list(each, self.store, query.all_levels, primary_only) for each in kept]
        return self._cacheable_answer(request, {"items": items, "metadata": metadata})

    def _find(self, query: ModelQuery) -> tuple[Sequence[Model], int]:
        """The sorted models and the page's offset. A text search applies only the index's own filters here."""
        cursor = query.params.get("cursor")
        listed = [model for model in self.store.models.values() if in_index(model, query)]
        if query.text:
            words = query.text.lower().split()
            hits = [model for model in listed if relevance(model, words)]
            offset = 0 if cursor is None else natural(cursor)
            ordered = sorted(hits, key=lambda model: (-relevance(model, words), *sort_key(query)(model)))
        else:
            offset = (query.page - 1) * query.limit if query.page and not cursor else read_keyset(cursor)
            ordered = sorted((m for m in listed if afterwards(m, query, self.now())), key=sort_key(query))
        if offset is None:
            raise zod_refusal("cursor", "invalid_format", "Invalid cursor")
        return ordered, offset

    def model(self, request: Request) -> Response:
        number = _identifier(request.path_params["model_id"])
        model = self.store.models.get(number)
        if model is None or not model.is_open:
            return json_answer({"error": f"No model with id {number}"}, 404)
        return self._cacheable_answer(request, model_by_id(model, self.store))

    def version(self, request: Request) -> Response:
        text = request.path_params["version_id"]
        if (natural(text) or 0) > _INT4:
            error = {"message": "An unexpected error occurred", "error": "out of range for type integer"}
            return json_answer(error, 500)
        if natural(text) == 0:
            return json_answer({"error": "Missing modelVersionId"}, 400)
        model, version = self._version(_identifier(text))
        return self._cacheable_answer(request, version_alone(model, version, self.store))

    def by_hash(self, request: Request) -> Response:
        found = self._by_hash(request.path_params["hash"])
        if found is None:
            raise _not_found("Model not found")
        return self._cacheable_answer(request, version_alone(*found, self.store))

    async def by_hashes(self, request: Request) -> Response:
        hashes, answers = await _hashes(request, 100), []
        for _, pair in await run_in_threadpool(self._by_hashes, hashes):
            version = version_alone(*pair, self.store)
            # The real bulk lookup builds its URLs from a header that is never sent.
            address = {"downloadUrl": f"https://undefined/api/download/models/{version['id']}"}
            answers.append({**version, **address, "files": [{**file, **address} for file in version["files"]]})
        return json_answer(answers)

    async def ids_by_hashes(self, request: Request) -> Response:
        hashes = await _hashes(request, 10_000)
        found = await run_in_threadpool(self._by_hashes, hashes)
        return json_answer(
            [{"modelVersionId": v["id"], "modelId": model.id, "hash": value.upper()} for value, (model, v) in found]
        )

    def mini(self, request: Request) -> Response:
        model, version = self._version(_identifier(request.path_params["version_id"]))
        files = with_measures(version, self.store.files)["files"]
        wanted = request.query_params.get("modelFileId")
        matching = (f for f in files if str(f.get("id")) == wanted or (not wanted and f.get("primary")))
        file = next(matching, None)
        if file is None:
            raise _not_found("Missing model file")
        known = self.store.files.get(file.get("id", 0))
        answer = {
            "air": version.get("air") or air(model, version),
            "versionName": version.get("name"),
            "modelName": model.data.get("name"),
            "userId": model.data.get("userId"),
            "baseModel": version.get("baseModel"),
            "availability": version.get("availability", "Public"),
            "publishedAt": version.get("publishedAt") or version.get("createdAt"),
            "size": file.get("sizeKB"),
            "fileType": file.get("type"),
            "fileName": file.get("name"),
            "hashes": file.get("hashes"),
            "downloadUrls": [f"{self.origin}/api/download/models/{version['id']}?fileId={file['id']}"],
            "format": (file.get("metadata") or {}).get("format"),
            "canGenerate": bool(model.data.get("supportsGeneration")),
            "isFeatured": False,
            "requireAuth": _needs_login(version, known),
            "checkPermission": self._is_gated(version, known),
            "additionalResourceCharge": False,
            "minor": bool(model.data.get("minor")),
            "sfwOnly": bool(model.data.get("sfwOnly")),
            "fees": [],
            "payoutEnabled": False,
        }
        return json_answer(answer)

    def images(self, request: Request) -> Response:
        return images_answer(request, self.store, self.now())

    def creators(self, request: Request) -> Response:
        names = Counter(str((model.data.get("creator") or {}).get("username") or "") for model in self._open())
        wanted = request.query_params.get("query", "").lower()
        link = f"{self.origin}/api/v1/models?"
        items = [
            {"username": name, "modelCount": count, "link": link + urlencode({"username": name})}
            for name, count in sorted(names.items())
            if name and wanted in name.lower()
        ]
        return _paginate(request, items, len(items))

    def tags(self, request: Request) -> Response:
        names = {str(tag).lower() for model in self._open() for tag in model.data.get("tags") or []}
        wanted = request.query_params.get("query", "").lower()
        items = [
            {"name": name, "link": f"{self.origin}/api/v1/models?{urlencode({'tag': name})}"}
            for name in sorted(names)
            if wanted in name
        ]
        return _paginate(request, items, 0)

    def enums(self, _request: Request) -> Response:
        return json_answer(self.store.enums)

    def me(self, request: Request) -> Response:
        if not self._is_signed_in(request):
            return json_answer({"error": "Unauthorized"}, 401)
        return json_answer({"id": 1, "username": "local", "tier": "free", "status": "active", "isMember": False})

    def download(self, request: Request) -> Response:
        number = natural(request.path_params["version_id"])
        if number is None:
            return json_answer({"error": "Invalid modelVersionId"}, 400)
        model, version = self._version(number, "File not found")
        wire = _choose_file(version.get("files") or [], request.query_params)
        known = self.store.files.get(wire.get("id", 0)) if wire else None
        self._check_download(request, model, version, known)
        if wire is None or known is None:
            raise _not_found("File not found")
        key = f"/{model.data.get('userId', 0)}/model/{wire['id']}/{wire['name']}"
        location = self.delivery.sign(key, known.content, attachment(wire["name"]), lifetime=_LIFETIME)
        return RedirectResponse(location, 307, {"Cache-Control": "no-store, max-age=0"})

    def _check_download(self, request: Request, model: Model, version: Json, known: HubFile | None) -> None:
        access = known.access if known else None
        if model.data.get("mode") == "Archived" or access == "archived":
            raise RefusalError(json_answer({"error": "Model archived, not available for download"}, 410))
        if model.data.get("mode") == "TakenDown" or access == "removed":
            raise _not_found("File not found")
        # The login is checked first, so anonymous callers cannot see early access.
        if not self._is_signed_in(request) and (_needs_login(version, known) or self._is_gated(version, known)):
            if _is_browser(request):
                back = quote(request.url.path, safe="")
                raise RefusalError(RedirectResponse(f"/login?returnUrl={back}&reason=download-auth", 307))
            raise RefusalError(json_answer({"error": "Unauthorized", "message": _LOGIN}, 401))
        if access == "disabled" or version.get("usageControl", "Download") != "Download":
            raise RefusalError(json_answer({"error": "Unauthorized", "message": _DISABLED}, 401))
        names = (f"{model.id}@{version['id']}", str(model.id), str(version["id"]))
        if not self._is_gated(version, known) or self.store.access.is_granted(_token(request), *names):
            return
        if access == "gated":
            raise RefusalError(json_answer({"error": "You do not have access to download this file"}, 403))
        if _is_browser(request):
            raise RefusalError(RedirectResponse(f"/models/{model.id}?modelVersionId={version['id']}", 307))
        ends = (version.get("paidAccess") or {}).get("endsAt")
        deadline = {"deadline": ends} if ends else {}
        raise RefusalError(json_answer({"error": "Early Access", **deadline, "message": _EARLY}, 403))

    def _is_gated(self, version: Json, known: HubFile | None) -> bool:
        return is_paid(version, self.now()) or (known is not None and known.access in ("gated", "paid"))

    def login_page(self, _request: Request) -> Response:
        return html_answer("Login", "Sign in to download this file.")

    def model_page(self, request: Request) -> Response:
        model = self.store.models.get(_identifier(request.path_params["model_id"]))
        if model is None or not model.is_open:
            return html_answer("Not found", "The model you are looking for does not exist.", 404)
        return html_answer(f"Model {model.id}", "This page stands for the model's page on CivitAI.")

    def _version(self, version_id: int, missing: str = "Model not found") -> tuple[Model, Json]:
        found = self.store.by_version.get(version_id)
        if found is None or not found[0].is_open:
            raise _not_found(missing)
        return found

    def _by_hash(self, value: str) -> tuple[Model, Json] | None:
        return next((pair for pair in self.store.by_hash.get(value.upper(), []) if pair[0].is_open), None)

    def _by_hashes(self, hashes: Sequence[str]) -> list[tuple[str, tuple[Model, Json]]]:
        return [(value, pair) for value in hashes if (pair := self._by_hash(value))]

    def _open(self) -> list[Model]:
        return [model for model in self.store.models.values() if model.is_open]

    def _is_signed_in(self, request: Request) -> bool:
        return self.store.access.is_signed_in("civitai", _token(request))

    def _cacheable_answer(self, request: Request, data: Any) -> Response:
        """The CDN caches anonymous responses, so changes can appear minutes late."""
        public = "public, s-maxage=300, stale-while-revalidate=150"
        return json_answer(data, headers={"Cache-Control": "private" if self._is_signed_in(request) else public})


def _identifier(text: str) -> int:
    number = natural(text)
    if number is None or number > _INT4:
        raise zod_refusal("id", "invalid_type", "Invalid input: expected number")
    return number


async def _hashes(request: Request, most: int) -> list[str]:
    refusal = zod_refusal("", "too_big", f"Too big: expected array to have <={most} items")
    data: list[Any] = await json_body(request, list, refusal.response)
    if len(data) > most:
        raise refusal
    return [str(value) for value in data]


def _paginate(request: Request, items: list[Json], total: int) -> Response:
    limit = number(request.query_params, "limit", 0, 200, 20) or len(items) or 1
    page = number(request.query_params, "page", 1, _INT4, 1)
    pages = -(-len(items) // limit)
    metadata: Json = {"totalItems": total, "currentPage": page, "pageSize": limit, "totalPages": pages}
    if page < pages:
        metadata["nextPage"] = str(request.url.include_query_params(page=page + 1))
    return json_answer({"items": items[(page - 1) * limit : page * limit], "metadata": metadata})
