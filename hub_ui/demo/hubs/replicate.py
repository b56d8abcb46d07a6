"""Replicate's wire format: models, versions, predictions, trainings, and the public weights of a fine-tune."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from hub_ui.demo.hubs.answers import RefusalError, bearer, html_answer, json_answer, json_body
from hub_ui.demo.hubs.content import Content, InMemory
from hub_ui.demo.hubs.cursors import natural, opaque, read_opaque
from hub_ui.demo.hubs.delivery import Delivery
from hub_ui.demo.hubs.folder import Json
from hub_ui.demo.hubs.pictures import plain_picture
from hub_ui.demo.hubs.replicate_runs import Runs
from hub_ui.demo.hubs.replicate_store import ReplicateStore, full_name
from hub_ui.demo.hubs.tar import trained_model
from hub_ui.demo.hubs.weights import generated_safetensors

_PAGE = 25
_HEADERS = {"ratelimit-remaining": "2999", "ratelimit-reset": "1"}
_TINY_LORA = {
    "tensors": {"transformer.a.lora_A.weight": ["F16", [4, 8]], "transformer.a.lora_B.weight": ["F16", [8, 4]]}
}
Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, kw_only=True)
class ReplicateHub:
    store: ReplicateStore
    delivery: Delivery
    origin: str
    predictions: Runs
    trainings: Runs

    def routes(self) -> list[BaseRoute]:
        model, version = "/v1/models/{owner}/{name}", "/v1/models/{owner}/{name}/versions/{version}"
        return [
            self._api("/v1/models", self.models, "GET", "QUERY"),
            self._api("/v1/search", self.search),
            self._api("/v1/collections", self.collections),
            self._api("/v1/collections/{slug}", self.collection),
            self._api("/v1/account", self.account),
            self._api("/v1/hardware", self.hardware),
            self._api(model, self.model),
            self._api(model + "/readme", self.readme),
            self._api(model + "/examples", self.examples),
            self._api(model + "/versions", self.versions),
            self._api(model + "/predictions", self.create_prediction, "POST"),
            self._api(version, self.version),
            self._api(version + "/trainings", self.create_training, "POST"),
            self._api("/v1/predictions", self.create_prediction, "POST"),
            *self._run_routes(self.predictions),
            *self._run_routes(self.trainings),
            Route("/{owner}/{name}/_weights", self.weights, methods=["GET"]),
            Route("/{owner}/{name}/versions/{version}/_weights", self.weights, methods=["GET"]),
            Route("/{owner}/{name}", self.page, methods=["GET"]),
        ]

    def publish(self) -> None:
        """Puts the tar of every fine-tune at its lasting address on the delivery origin."""
        for name, file in self.store.weights.items():
            self.delivery.public(_tar_path(name), trained_model(file.content))

    async def models(self, request: Request) -> Response:
        params = request.query_params
        # The JavaScript client sends the text in quotes, as JSON.
        body = (await request.body()).decode(errors="replace").strip('"')
        text = body if request.method == "QUERY" else params.get("query", "")
        models = _found(list(self.store.models.values()), text)
        by = "latest_version" if params.get("sort_by", "latest_version_created_at") != "model_created_at" else ""
        models.sort(key=lambda model: _created(model, by), reverse=params.get("sort_direction", "desc") != "asc")
        return self._page(request, models, query=text)

    async def search(self, request: Request) -> Response:
        text = request.query_params.get("query", "")
        limit = natural(request.query_params.get("limit", "20"))
        if limit is None or not 1 <= limit <= 50:
            raise _refusal(400, "limit must be between 1 and 50")
        found = _found(list(self.store.models.values()), text)[:limit]
        metadata: Json = {"generated_description": None, "tags": [], "score": 1.0}
        models = [{"model": model, "metadata": metadata} for model in found]
        return json_answer({"query": text, "models": models, "collections": [], "pages": []})

    async def model(self, request: Request) -> Response:
        return json_answer(self._model(request))

    async def readme(self, request: Request) -> Response:
        model = self._model(request)
        return PlainTextResponse(f"# {model['name']}\n\n{model.get('description') or ''}\n")

    async def examples(self, request: Request) -> Response:
        example = self._model(request).get("default_example")
        return self._page(request, [example] if example else [])

    async def versions(self, request: Request) -> Response:
        model = self._model(request)
        versions = list(self.store.versions.get(full_name(model), {}).values())
        return self._page(request, sorted(versions, key=lambda version: str(version["created_at"]), reverse=True))

    async def version(self, request: Request) -> Response:
        version = self.store.version(full_name(self._model(request)), request.path_params["version"])
        if version is None:
            raise _not_found()
        return json_answer(version)

    async def collections(self, request: Request) -> Response:
        brief = [{key: value for key, value in each.items() if key != "models"} for each in self.store.collections]
        return self._page(request, brief, size=len(brief) or 1)

    async def collection(self, request: Request) -> Response:
        slug = request.path_params["slug"]
        found = next((each for each in self.store.collections if each["slug"] == slug), None)
        if found is None:
            raise _not_found()
        return json_answer(found)

    async def account(self, _request: Request) -> Response:
        return json_answer({"type": "user", "username": "local", "name": "Local", "github_url": ""})

    async def hardware(self, _request: Request) -> Response:
        return json_answer(list(self.store.hardware))

    async def create_prediction(self, request: Request) -> Response:
        body = await _body(request)
        model, version = self._runnable(request, body)
        inputs = body.get("input") or {}

        def output(run_id: str) -> list[str]:
            picture = InMemory(data=plain_picture(str(inputs.get("prompt", ""))))
            return [self.delivery.public(f"/xezq/{run_id}/out-0.png", picture)]

        finished = request.headers.get("prefer", "").startswith("wait")
        run = self.predictions.create(model=model, version=version, inputs=inputs, output=output, finished=finished)
        return json_answer(run, 201, _HEADERS)

    async def create_training(self, request: Request) -> Response:
        body = await _body(request)
        trainer = full_name(self._model(request))
        destination = str(body.get("destination", ""))
        if destination not in self.store.models:
            raise _refusal(404, "The specified training destination does not exist")
        if self.store.version(trainer, request.path_params["version"]) is None:
            raise _refusal(422, "The specified version does not exist")
        run = self.trainings.create(
            model=trainer,
            version=request.path_params["version"],
            inputs=body.get("input") or {},
            output=lambda run_id: self._training_output(destination, run_id),
            finished=False,
        )
        return json_answer(run, 201, _HEADERS)

    def weights(self, request: Request) -> Response:
        name = f"{request.path_params['owner']}/{request.path_params['name']}"
        version = request.path_params.get("version") or self._latest_weights(name)
        file = self.store.weights.get(f"{name}:{version}")
        if file is None or file.access == "removed":
            return html_answer("Not found", "There are no weights here.", 404)
        return RedirectResponse(self.delivery.public(_tar_path(f"{name}:{version}"), trained_model(file.content)), 302)

    def page(self, request: Request) -> Response:
        model = self._model(request)
        return html_answer(full_name(model), "This page stands for the model's page on Replicate.")

    def _training_output(self, destination: str, run_id: str) -> Json:
        name = f"{destination}:{self._latest_weights(destination)}"
        known = self.store.weights.get(name)
        lora: Content = known.content if known else generated_safetensors({**_TINY_LORA, "seed": len(run_id)})
        version = trained_model(lora).sha256
        weights = self.delivery.public(f"/xezq/{run_id}/trained_model.tar", trained_model(lora))
        return {"version": f"{destination}:{version}", "weights": weights}

    def _latest_weights(self, name: str) -> str | None:
        latest = (self.store.models.get(name, {}).get("latest_version") or {}).get("id")
        held = [key.partition(":")[2] for key in self.store.weights if key.startswith(f"{name}:")]
        return latest if latest in held else next(iter(held), None)

    def _runnable(self, request: Request, body: Mapping[str, Any]) -> tuple[str, str]:
        """The model and version of a prediction. Only official models run without a version."""
        if "owner" in request.path_params:
            return full_name(self._model(request)), "hidden"
        model, _, version = str(body.get("version", "")).rpartition(":")
        if "/" in version and version in self.store.models:
            return version, "hidden"
        model = model or self.store.model_of(version) or ""
        if self.store.version(model, version) is None:
            text = "The specified version does not exist (or perhaps you don't have permission to use it?)"
            raise _refusal(422, text, "Invalid version or not permitted")
        return model, version

    def _model(self, request: Request) -> Json:
        name = f"{request.path_params['owner']}/{request.path_params['name']}"
        if name not in self.store.models or name in self.store.ghosts:
            raise _not_found()
        return self.store.models[name]

    def _run_routes(self, runs: Runs) -> list[BaseRoute]:
        async def listed(request: Request) -> Response:
            return self._page(request, runs.all())

        async def one(request: Request) -> Response:
            return _or_not_found(runs.get(request.path_params["run_id"]))

        async def cancel(request: Request) -> Response:
            return _or_not_found(runs.cancel(request.path_params["run_id"]))

        path = f"/v1/{runs.kind}"
        one_path = path + "/{run_id}"
        return [self._api(path, listed), self._api(one_path, one), self._api(one_path + "/cancel", cancel, "POST")]

    def _api(self, path: str, handler: Handler, *methods: str) -> Route:
        """A route of the API: every call needs a token, public lists included."""

        async def endpoint(request: Request) -> Response:
            if not self.store.access.signed_in("replicate", bearer(request)):
                text = "You did not pass a valid authentication token"
                raise _refusal(401, text, "Unauthenticated")
            return await handler(request)

        return Route(path, endpoint, methods=list(methods) or ["GET"])

    def _page(self, request: Request, items: Sequence[Json], size: int = _PAGE, query: str = "") -> Response:
        """One page. The text of a search goes into the cursor's address, because a GET follows a QUERY."""
        offset = read_opaque(request.query_params.get("cursor"))
        if offset is None:
            raise _refusal(400, "Invalid cursor")

        def link(at: int) -> str:
            return str(request.url.include_query_params(cursor=opaque(at), **({"query": query} if query else {})))

        answer = {
            "previous": link(max(offset - size, 0)) if offset else None,
            "next": link(offset + size) if offset + size < len(items) else None,
            "results": list(items[offset : offset + size]),
        }
        return json_answer(answer, headers=_HEADERS)


async def _body(request: Request) -> Json:
    body: Json = await json_body(request, dict, _refusal(400, "JSON parse error").response)
    return body


def _tar_path(name: str) -> str:
    """`OWNER/NAME:HASH` -> the tar's address on the delivery origin."""
    return f"/replicate/{name.replace(':', '/')}/trained_model.tar"


def _found(models: list[Json], text: str) -> list[Json]:
    words = text.lower().split()
    return [model for model in models if all(word in _searched(model) for word in words)]


def _searched(model: Json) -> str:
    return f"{full_name(model)} {model.get('description') or ''}".lower()


def _created(model: Json, of: str) -> str:
    dated = (model.get(of) if of else model) or {}
    return str(dated.get("created_at") or "")


def _or_not_found(data: Json | None) -> Response:
    if data is None:
        raise _not_found()
    return json_answer(data, headers=_HEADERS)


def _not_found() -> RefusalError:
    return _refusal(404, "The requested resource could not be found.", "Not Found")


def _refusal(status: int, detail: str, title: str | None = None) -> RefusalError:
    body = {**({"title": title} if title else {}), "detail": detail, "status": status}
    return RefusalError(json_answer(body, status, {"Content-Type": "application/problem+json"}))
