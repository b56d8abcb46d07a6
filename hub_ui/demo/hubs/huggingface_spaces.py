"""The endpoints of the Hugging Face Hub that make Spaces, push to them, and set how they run."""

import base64
import binascii
import json
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from functools import partial

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from hub_ui.demo.hubs.answers import bearer, json_answer, json_body
from hub_ui.demo.hubs.content import Content
from hub_ui.demo.hubs.folder import Json
from hub_ui.demo.hubs.huggingface import ACCOUNT, HuggingFaceHub, refusal
from hub_ui.demo.hubs.huggingface_space import CommitError, Space, card_problems, is_large, now

_INVALID = {"error": "Invalid JSON"}
_FLAVORS = (
    "cpu-basic", "cpu-upgrade", "zero-a10g", "t4-small", "t4-medium", "l4x1", "l4x4", "l40sx1", "l40sx4", "l40sx8",
    "a10g-small", "a10g-large", "a10g-largex2", "a10g-largex4", "a100-large", "a100x4", "a100x8",
)  # fmt: skip
_UPLOAD_SECONDS = 3600


@dataclass(frozen=True, kw_only=True)
class SpaceEndpoints:
    """`large` are the uploaded files by SHA-256, as the Hub keeps them for all repos."""

    hub: HuggingFaceHub
    large: dict[str, Content] = field(default_factory=dict)

    @property
    def spaces(self) -> MutableMapping[str, Space]:
        return self.hub.spaces

    def routes(self) -> list[BaseRoute]:
        space = "/api/spaces/{owner}/{name}"
        read, send = partial(Route, methods=["GET"]), partial(Route, methods=["POST"])
        lfs = "/spaces/{owner}/{name}.git/info/lfs/objects"
        return [
            send("/api/repos/create", self.create),
            Route("/api/repos/delete", self.delete, methods=["DELETE"]),
            send("/api/validate-yaml", self.validate_card),
            send(space + "/preupload/{revision:path}", self.preupload),
            send(space + "/commit/{revision:path}", self.commit),
            send(lfs + "/batch", self.batch),
            send(lfs + "/verify", self.verify),
            Route(space + "/variables", self.variables, methods=["GET", "POST", "DELETE"]),
            Route(space + "/secrets", self.secrets, methods=["GET", "POST", "DELETE"]),
            read(space + "/runtime", self.runtime),
            send(space + "/hardware", self.request_hardware),
            send(space + "/restart", self.restart),
            send(space + "/pause", self.pause),
            Route(space + "/settings", self.change_settings, methods=["PUT"]),
        ]

    async def create(self, request: Request) -> Response:
        body = await _body(request)
        name = f"{body.get('organization') or ACCOUNT}/{body.get('name')}"
        kind = str(body.get("type") or "model")
        self._check_right(request, name, f"You don't have the rights to create a {kind} under this namespace")
        if kind != "space":
            raise refusal(400, "These local hubs make Spaces only")
        url = f"{self.hub.origin}/spaces/{name}"
        if name in self.spaces:
            return json_answer({"error": "You already created this space repo", "url": url}, 409)
        if body.get("sdk") not in ("gradio", "docker", "static"):
            raise refusal(400, 'Invalid value for "sdk"')
        space = Space(
            id=name,
            sdk=str(body["sdk"]),
            private=body.get("visibility") == "private" or bool(body.get("private")),
            hardware=_flavor(body.get("hardware") or "cpu-basic"),
        )
        space.variables.update((_key(each), _setting(each)) for each in _objects(body, "variables"))
        space.secrets.update((_key(each), _setting(each)) for each in _objects(body, "secrets"))
        self.spaces[name] = space
        return json_answer({"url": url, "name": name, "id": space.repo.info["_id"]})

    async def delete(self, request: Request) -> Response:
        body = await _body(request)
        name = f"{body.get('organization') or ACCOUNT}/{body.get('name')}"
        self._check_right(request, name)
        if body.get("type") != "space" or self.spaces.pop(name, None) is None:
            raise refusal(404, "Repository not found", "RepoNotFound")
        return Response("OK")

    async def validate_card(self, request: Request) -> Response:
        body = await _body(request)
        found = card_problems(str(body.get("content", ""))) if body.get("repoType") == "space" else []
        return json_answer({"errors": [{"message": text} for text in found], "warnings": []}, 400 if found else 200)

    async def preupload(self, request: Request) -> Response:
        space = self._space_to_change(request)
        body = await _body(request)
        return json_answer({"files": [_upload_mode(each, space) for each in _objects(body, "files")]})

    async def commit(self, request: Request) -> Response:
        space = self._space_to_change(request)
        if request.path_params["revision"] != "main":
            raise refusal(404, f"Invalid rev id: {request.path_params['revision']}", "RevisionNotFound")
        text = (await request.body()).decode(errors="replace")
        try:
            lines = [line for line in map(json.loads, text.splitlines()) if isinstance(line, dict)]
            # In a thread, because it may have to hash the files.
            commit = await run_in_threadpool(space.commit, lines, self.large)
        except ValueError:
            raise refusal(400, "Invalid commit payload") from None
        except CommitError as error:
            raise refusal(error.status, error.text, error.code) from None
        url = f"{self.hub.origin}/spaces/{space.id}/commit/{commit.sha}"
        return json_answer({"success": True, "commitOid": commit.sha, "commitUrl": url, "hookOutput": ""})

    async def batch(self, request: Request) -> Response:
        """Where to upload large files to. An object without actions is there already."""
        space = self._space_to_change(request)
        body = await _body(request)
        if body.get("operation") != "upload" or body.get("hash_algo", "sha256") != "sha256":
            raise refusal(422, "Unsupported operation")
        answers: list[Json] = []
        for each in _objects(body, "objects"):
            oid, size = str(each.get("oid")), each.get("size")
            answer: Json = {"oid": oid, "size": size}
            if oid not in self.large:
                href = self.hub.delivery.sign(_place(oid), None, "attachment", lifetime=_UPLOAD_SECONDS)
                verify = f"{self.hub.origin}/spaces/{space.id}.git/info/lfs/objects/verify"
                answer["authenticated"] = True
                answer["actions"] = {"upload": {"href": href, "header": {}}, "verify": {"href": verify, "header": {}}}
            answers.append(answer)
        return Response(
            json.dumps({"transfer": "basic", "objects": answers}), media_type="application/vnd.git-lfs+json"
        )

    async def verify(self, request: Request) -> Response:
        self._space_to_change(request)
        body = await _body(request)
        oid = str(body.get("oid"))
        content = self.hub.delivery.uploads.pop(_place(oid), None)
        if content is None or (content.sha256, content.size) != (oid, body.get("size")):
            raise refusal(400, "The uploaded file is not the one that was announced")
        self.large[oid] = content
        return json_answer({"success": True})

    async def variables(self, request: Request) -> Response:
        space = self._space_to_change(request)
        await _change(request, space.variables)
        return json_answer(space.variables)

    async def secrets(self, request: Request) -> Response:
        space = self._space_to_change(request)
        await _change(request, space.secrets)
        shown = {name: {key: each[key] for key in each if key != "value"} for name, each in space.secrets.items()}
        return json_answer(shown)

    def runtime(self, request: Request) -> Response:
        self.hub.check_token(request)
        space = self.spaces.get(_name(request))
        if space is None or (space.private and not bearer(request)):
            raise refusal(404, "Repository not found", "RepoNotFound")
        return json_answer(space.runtime())

    async def request_hardware(self, request: Request) -> Response:
        space = self._space_to_change(request)
        body = await _body(request)
        space.hardware = _flavor(body.get("flavor"))
        space.sleep = body.get("sleepTimeSeconds", space.sleep)
        return json_answer(space.runtime())

    def restart(self, request: Request) -> Response:
        space = self._space_to_change(request)
        space.paused, space.starts = False, space.starts + 1
        return json_answer(space.runtime())

    def pause(self, request: Request) -> Response:
        space = self._space_to_change(request)
        space.paused = True
        return json_answer(space.runtime())

    async def change_settings(self, request: Request) -> Response:
        space = self._space_to_change(request)
        body = await _body(request)
        if "visibility" in body or "private" in body:
            space.private = body.get("visibility") == "private" or bool(body.get("private"))
        return json_answer({"private": space.private})

    def _space_to_change(self, request: Request) -> Space:
        name = _name(request)
        self.hub.check_token(request)
        space = self.spaces.get(name)
        if space is None:
            if not bearer(request):
                raise refusal(401, "Invalid username or password.", "RepoNotFound")
            raise refusal(404, "Repository not found", "RepoNotFound")
        self._check_right(request, name)
        return space

    def _check_right(self, request: Request, name: str, text: str = "You don't have the rights to do this") -> None:
        self.hub.check_token(request)
        token = bearer(request)
        if not token:
            raise refusal(401, "Invalid username or password.")
        if self.hub.store.access.role(token) != "write":
            raise refusal(403, "You have read access but not the required permissions for this operation")
        if name.partition("/")[0] != ACCOUNT:
            raise refusal(403, text)


async def _body(request: Request) -> Json:
    return await json_body(request, dict, json_answer(_INVALID, 400))


async def _change(request: Request, settings: dict[str, Json]) -> None:
    if request.method == "GET":
        return
    body = await _body(request)
    if request.method == "POST":
        settings[_key(body)] = _setting(body)
    else:
        settings.pop(_key(body), None)


def _key(body: Json) -> str:
    if not isinstance(body.get("key"), str):
        raise refusal(400, '"key" is required')
    return str(body["key"])


def _objects(body: Json, name: str) -> list[Json]:
    found = body.get(name) or []
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise refusal(400, f'"{name}" must be a list of objects')
    return found


def _setting(body: Json) -> Json:
    described = {"description": body["description"]} if body.get("description") else {}
    return {"value": str(body.get("value", "")), "updatedAt": now(), **described}


def _upload_mode(each: Json, space: Space) -> Json:
    path = str(each.get("path"))
    try:
        sample = base64.b64decode(str(each.get("sample", "")), validate=True)
    except binascii.Error:
        raise refusal(400, "Invalid sample") from None
    size = each.get("size")
    mode = "lfs" if isinstance(size, int) and is_large(path, size, sample) else "regular"
    answer = {"path": path, "uploadMode": mode, "shouldIgnore": False}
    if known := space.files.get(path):
        answer["oid"] = known.sha256 if known.is_lfs else known.oid
    return answer


def _flavor(name: object) -> str:
    if name not in _FLAVORS:
        raise refusal(400, "Invalid hardware flavor")
    return str(name)


def _name(request: Request) -> str:
    return f"{request.path_params['owner']}/{request.path_params['name']}"


def _place(oid: str) -> str:
    return f"/uploads/{oid}"
