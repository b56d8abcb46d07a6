"""Replicate's API: models, versions, predictions, trainings and the public weights of fine-tunes."""

import hashlib
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from hub_ui.demo.hubs import answers
from hub_ui.demo.hubs.folder import Content, Json, model_tar
from hub_ui.demo.hubs.replicate_store import (
    Outputs,
    ReplicateStore,
    Runs,
    Upload,
    full_name,
    problems,
    read_inputs,
    timestamp,
)

_PAGE = 25
_MOST_BYTES = 100 * 1024 * 1024
_KEPT_SECONDS = 24 * 3600.0
_OWNER = "local"
_ALWAYS = {
    "/v1/account": {"type": "user", "username": _OWNER, "name": "Local", "github_url": ""},
    "/v1/hardware": [{"sku": "cpu", "name": "CPU"}, {"sku": "gpu-t4", "name": "Nvidia T4 GPU"}],
}
_REQUIRED = ("owner", "name", "visibility", "hardware")
_OPTIONAL = ("description", "github_url", "paper_url", "license_url", "cover_image_url")
Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, kw_only=True)
class ReplicateHub:
    origin: str
    store: ReplicateStore
    delivery: answers.Delivery
    predictions: Runs
    trainings: Runs
    outputs: Outputs

    def routes(self) -> list[BaseRoute]:
        model, version = "/v1/models/{owner}/{name}", "/v1/models/{owner}/{name}/versions/{version}"
        return [
            self._api("/v1/models", self.models, "GET", "QUERY"),
            self._api("/v1/models", self.create_model, "POST"),
            self._api("/v1/search", self.search),
            self._api("/v1/collections", self.collections),
            self._api("/v1/collections/{slug}", self.collection),
            *(self._api(path, self.always) for path in _ALWAYS),
            self._api(model, self.model),
            self._api(model + "/versions", self.versions),
            self._api(model + "/predictions", self.create_prediction, "POST"),
            self._api(version, self.version),
            self._api(version + "/trainings", self.create_training, "POST"),
            self._api("/v1/predictions", self.create_prediction, "POST"),
            self._api("/v1/files", self.files),
            self._api("/v1/files", self.upload, "POST"),
            self._api("/v1/files/{file_id}", self.file),
            self._api("/v1/files/{file_id}", self.delete_file, "DELETE"),
            *self._run_routes(self.predictions),
            *self._run_routes(self.trainings),
            Route("/{owner}/{name}/versions/{version}/_weights", self.weights),
            Route("/{owner}/{name}", self.page),
        ]

    def publish(self) -> None:
        """Serves the tar of every fine-tune at its permanent URL."""
        for name, lora in self.store.weights.items():
            self._publish(name, lora)

    def _publish(self, name: str, lora: Content) -> str:
        return self.delivery.public(f"/replicate/{name.replace(':', '/')}/trained_model.tar", model_tar(lora))

    async def models(self, request: Request) -> Response:
        # The JavaScript client sends a JSON string.
        body = (await request.body()).decode(errors="replace").strip('"')
        text = body if request.method == "QUERY" else request.query_params.get("query", "")
        found = self._find(request, text)
        newest = sorted(found, key=lambda one: str((one.get("latest_version") or {}).get("created_at")), reverse=True)
        return self._page(request, newest, query=text)

    async def search(self, request: Request) -> Response:
        text = request.query_params.get("query", "")
        limit = answers.natural(request.query_params.get("limit", "20"))
        if limit is None or not 1 <= limit <= 50:
            raise _refusal(400, "limit must be between 1 and 50")
        metadata: Json = {"generated_description": None, "tags": [], "score": 1.0}
        models = [{"model": model, "metadata": metadata} for model in self._find(request, text)[:limit]]
        return answers.json_answer({"query": text, "models": models, "collections": [], "pages": []})

    async def always(self, request: Request) -> Response:
        return answers.json_answer(_ALWAYS[request.url.path])

    async def model(self, request: Request) -> Response:
        return answers.json_answer(self._model(request))

    async def versions(self, request: Request) -> Response:
        versions = list(self.store.versions.get(full_name(self._model(request)), {}).values())
        return self._page(request, sorted(versions, key=lambda version: str(version["created_at"]), reverse=True))

    async def version(self, request: Request) -> Response:
        return _or_not_found(self.store.version(full_name(self._model(request)), request.path_params["version"]))

    async def collections(self, request: Request) -> Response:
        found = self.store.collections.values()
        brief = [{key: value for key, value in each.items() if key != "models"} for each in found]
        return self._page(request, brief, size=len(brief) or 1)

    async def collection(self, request: Request) -> Response:
        found = self.store.collections.get(request.path_params["slug"])
        if found is None:
            raise _not_found()
        named = (self.store.model(each) if isinstance(each, str) else each for each in found["models"])
        return answers.json_answer({**found, "models": [model for model in named if model is not None]})

    async def create_model(self, request: Request) -> Response:
        """Only for the local account, which owns all models of the data folder."""
        body = await _body(request)
        _check_inputs([("input", f"{name} is required") for name in _REQUIRED if not isinstance(body.get(name), str)])
        if body["owner"] not in {_OWNER, *(str(each["owner"]) for each in self.store.models.values())}:
            raise _refusal(403, "You do not have permission to create a model for that owner.", "Forbidden")
        if self.store.model(full_name(body)) is not None:
            raise _refusal(409, "A model with that name and owner already exists.", "Conflict")
        model = {
            "url": f"https://replicate.com/{full_name(body)}",
            **{name: body[name] for name in _REQUIRED if name != "hardware"},
            **{name: body.get(name) for name in _OPTIONAL},
            "is_official": False,
            "run_count": 0,
            **dict.fromkeys(("default_example", "latest_version")),
        }
        self.store.models[full_name(model)] = model
        return answers.json_answer(model, 201)

    async def files(self, request: Request) -> Response:
        newest = sorted(self.outputs.uploads.values(), key=lambda upload: str(upload.data["created_at"]), reverse=True)
        return self._page(request, [upload.data for upload in newest])

    async def file(self, request: Request) -> Response:
        upload = self.outputs.uploads.get(self._file_url(request.path_params["file_id"]))
        return _or_not_found(upload.data if upload else None)

    async def delete_file(self, request: Request) -> Response:
        if self.outputs.uploads.pop(self._file_url(request.path_params["file_id"]), None) is None:
            raise _not_found()
        return Response(status_code=204)

    def _file_url(self, file_id: str) -> str:
        return f"{self.origin}/v1/files/{file_id}"

    async def upload(self, request: Request) -> Response:
        # Starlette needs python-multipart here, which Gradio installs.
        async with request.form(max_part_size=_MOST_BYTES) as form:
            part = form.get("content")
            if not isinstance(part, UploadFile):
                raise _refusal(400, "Send one file below 100 MB as the part `content` of a form.")
            raw = await part.read()
        file_id, now = secrets.token_urlsafe(36), time.time()
        url = self._file_url(file_id)
        md5 = hashlib.md5(raw, usedforsecurity=False).hexdigest()
        data = {
            "id": file_id,
            "name": part.filename or "file",
            "content_type": part.content_type or "application/octet-stream",
            "size": len(raw),
            "etag": md5,
            "checksums": {"sha256": hashlib.sha256(raw).hexdigest(), "md5": md5},
            "metadata": {},
            "created_at": timestamp(now),
            "expires_at": timestamp(now + _KEPT_SECONDS),
            "urls": {"get": url},
        }
        self.outputs.uploads[url] = Upload(data=data, raw=raw)
        return answers.json_answer(data, 201)

    async def create_prediction(self, request: Request) -> Response:
        body = await _body(request)
        model, version_id = self._runnable(request, body)
        inputs = body.get("input", {})
        version = self.store.version(model, version_id) or (self.store.model(model) or {}).get("latest_version")
        _check_inputs(problems(version, inputs))
        work = self.outputs.prediction(model, read_inputs(version, inputs))
        waits = "wait" in request.headers.get("prefer", "")
        run = self.predictions.create(model=model, version=version_id, inputs=inputs, work=work, finished=waits)
        return answers.json_answer(run, 201)

    async def create_training(self, request: Request) -> Response:
        body = await _body(request)
        trainer, inputs = full_name(self._model(request)), body.get("input", {})
        destination = str(body.get("destination", ""))
        if destination not in self.store.models:
            raise _refusal(404, "The specified training destination does not exist")
        version_id = request.path_params["version"]
        version = self.store.version(trainer, version_id)
        if version is None:
            raise _refusal(422, "The specified version does not exist")
        _check_inputs(problems(version, inputs, "TrainingInput"))
        work = self.outputs.training(destination, version, read_inputs(version, inputs, "TrainingInput"))
        run = self.trainings.create(model=trainer, version=version_id, inputs=inputs, work=work)
        return answers.json_answer(run, 201)

    def weights(self, request: Request) -> Response:
        self.trainings.settle()
        name = f"{full_name(request.path_params)}:{request.path_params['version']}"
        lora = self.store.weights.get(name)
        if lora is None:
            return answers.html_answer("Not found", "There are no weights here.", 404)
        return RedirectResponse(self._publish(name, lora), 302)

    def page(self, request: Request) -> Response:
        name = full_name(self._model(request))
        return answers.html_answer(name, "This page stands for the model's page on Replicate.")

    def _runnable(self, request: Request, body: Mapping[str, Any]) -> tuple[str, str]:
        """The model and version to run. Only official models run without a version."""
        named = str(body.get("version", ""))
        found = self._model(request) if "owner" in request.path_params else self.store.model(named)
        if found is not None:
            # Older recordings lack `is_official`.
            if found.get("is_official") is False:
                raise _not_found()
            return full_name(found), "hidden"
        model, _, version = named.rpartition(":")
        model = model or self.store.model_of(version) or ""
        if self.store.version(model, version) is None:
            text = "The specified version does not exist (or perhaps you don't have permission to use it?)"
            raise _refusal(422, text, "Invalid version or not permitted")
        return model, version

    def _model(self, request: Request) -> Json:
        name = full_name(request.path_params)
        model = self.store.model(name)
        if model is None or name in self.store.ghosts or not self._may_see(request, model):
            raise _not_found()
        return model

    def _may_see(self, request: Request, model: Json) -> bool:
        return model.get("visibility") != "private" or self.store.access.owns(answers.bearer(request), full_name(model))

    def _run_routes(self, runs: Runs) -> list[BaseRoute]:
        async def list_all(request: Request) -> Response:
            return self._page(request, runs.all())

        async def one(request: Request) -> Response:
            return _or_not_found(runs.get(request.path_params["run_id"]))

        async def cancel(request: Request) -> Response:
            return _or_not_found(runs.cancel(request.path_params["run_id"]))

        path = f"/v1/{runs.kind}"
        one_path = path + "/{run_id}"
        return [self._api(path, list_all), self._api(one_path, one), self._api(one_path + "/cancel", cancel, "POST")]

    def _find(self, request: Request, text: str) -> list[Json]:
        def matches(model: Json) -> bool:
            searched = f"{full_name(model)} {model.get('description') or ''}".lower()
            return all(word in searched for word in text.lower().split())

        return [model for model in self.store.models.values() if matches(model) and self._may_see(request, model)]

    def _api(self, path: str, handler: Handler, *methods: str) -> Route:
        """Every API route needs a token, public lists too."""

        async def endpoint(request: Request) -> Response:
            if not self.store.access.is_signed_in("replicate", answers.bearer(request)):
                text = "You did not pass a valid authentication token"
                raise _refusal(401, text, "Unauthenticated")
            self.trainings.settle()
            return await handler(request)

        return Route(path, endpoint, methods=list(methods) or ["GET"])

    def _page(self, request: Request, items: Sequence[Json], size: int = _PAGE, query: str = "") -> Response:
        """The next page's URL contains the search text, because clients follow a QUERY with a GET."""
        page = answers.page_of(items, request.query_params.get("cursor"), size)
        if page is None:
            raise _refusal(400, "Invalid cursor")
        found, cursor = page
        asked = {"cursor": cursor, **({"query": query} if query else {})}
        following = str(request.url.include_query_params(**asked)) if cursor else None
        return answers.json_answer({"previous": None, "next": following, "results": list(found)})


async def _body(request: Request) -> Json:
    return await answers.json_body(request, _refusal(400, "JSON parse error").response)


def _or_not_found(data: Json | None) -> Response:
    if data is None:
        raise _not_found()
    return answers.json_answer(data)


def _not_found() -> answers.RefusalError:
    return _refusal(404, "The requested resource could not be found.", "Not Found")


def _check_inputs(found: Sequence[tuple[str, str]]) -> None:
    if found:
        raise _refusal(422, "".join(f"- {where}: {text}\n" for where, text in found), "Input validation failed")


def _refusal(status: int, detail: str, title: str | None = None) -> answers.RefusalError:
    body = {**({"title": title} if title else {}), "detail": detail, "status": status}
    return answers.RefusalError(answers.json_answer(body, status, {"Content-Type": "application/problem+json"}))
