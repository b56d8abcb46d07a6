"""Spaces of the local Hugging Face Hub: what makes them, pushes to them, and sets how they run. None of them runs."""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from hub_ui.demo.hubs.answers import bearer, json_answer, json_body
from hub_ui.demo.hubs.content import InMemory
from hub_ui.demo.hubs.folder import Json
from hub_ui.demo.hubs.huggingface import ACCOUNT, HuggingFaceHub, not_found, refusal
from hub_ui.demo.hubs.huggingface_store import CARD, Commit, Repo, RepoFile, front_matter, hub_tags, stable_hex

# What the Hub puts into a new repo, beside a card.
_ATTRIBUTES = "*.bin filter=lfs diff=lfs merge=lfs -text\n*.safetensors filter=lfs diff=lfs merge=lfs -text\n"
_UPLOAD_SECONDS = 3600


@dataclass(kw_only=True)
class Space:
    """`commits` are newest first. `hardware` is what was asked for. Secrets can be set, and never read."""

    id: str
    sdk: str
    private: bool
    hardware: str
    variables: dict[str, Json] = field(default_factory=dict)
    secrets: dict[str, Json] = field(default_factory=dict)
    commits: list[Commit] = field(default_factory=list)

    @property
    def files(self) -> Mapping[str, RepoFile]:
        return self.commits[0].files if self.commits else {}

    @property
    def runtime(self) -> Json:
        is_running = "app.py" in self.files
        return {
            "stage": "RUNNING" if is_running else "NO_APP_FILE",
            "hardware": {"current": self.hardware if is_running else None, "requested": self.hardware},
        }

    @property
    def repo(self) -> Repo:
        content = self.files[CARD].content if CARD in self.files else None
        card = front_matter(content.read(0, content.size).decode(errors="replace")) if content else {}
        info = {
            "_id": stable_hex(b"space", self.id.encode())[:24],
            "id": self.id,
            "author": ACCOUNT,
            "createdAt": self.commits[-1].date,
            "lastModified": self.commits[0].date,
            "private": self.private,
            "likes": 0,
            "sdk": card.get("sdk", self.sdk),
            "subdomain": self.id.lower().replace("/", "-").replace("_", "-").replace(".", "-"),
            "tags": [self.sdk, *hub_tags(card, ())],
            "cardData": card,
            "models": [],
            "runtime": self.runtime,
        }
        return Repo(id=self.id, info=info, commits=tuple(self.commits))

    def commit(self, title: str, files: Mapping[str, RepoFile]) -> Commit:
        tree = "\n".join(f"{path} {file.oid}" for path, file in sorted(files.items()))
        parent = self.commits[0].sha if self.commits else self.id
        sha = stable_hex(parent.encode(), title.encode(), now().encode(), tree.encode())
        self.commits.insert(0, Commit(sha=sha, date=now(), title=title, files=dict(sorted(files.items()))))
        return self.commits[0]


def now() -> str:
    """As the Hub writes times."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def text_file(path: str, data: bytes) -> RepoFile:
    return RepoFile(path=path, content=InMemory(data=data))


def is_large(path: str, size: int, sample: bytes) -> bool:
    """Whether the Hub keeps a file outside git: by its name, its size, or because it is no text."""
    return size > 0 and (b"\0" in sample or RepoFile(path=path, recorded={"size": size}).is_lfs)


@dataclass(frozen=True, kw_only=True)
class SpaceEndpoints:
    hub: HuggingFaceHub
    spaces: dict[str, Space] = field(default_factory=dict)

    def routes(self) -> list[BaseRoute]:
        space = "/api/spaces/{owner}/{name}"
        return [
            Route("/api/repos/create", self.create, methods=["POST"]),
            Route("/api/repos/delete", self.delete, methods=["DELETE"]),
            Route("/api/validate-yaml", self.validate_card, methods=["POST"]),
            self._on_space(space + "/preupload/main", preupload, "POST"),
            self._on_space(space + "/commit/main", self.commit, "POST"),
            self._on_space("/spaces/{owner}/{name}.git/info/lfs/objects/batch", self.batch, "POST"),
            self._on_space(space + "/variables", variables, "GET", "POST", "DELETE"),
            self._on_space(space + "/secrets", secrets, "GET", "POST"),
            self._on_space(space + "/runtime", lambda space, _: space.runtime, "GET"),
            self._on_space(space + "/hardware", request_hardware, "POST"),
            self._on_space(space + "/settings", change_settings, "PUT"),
        ]

    def _on_space(self, path: str, handle: Callable[[Space, Json], Json], *methods: str) -> Route:
        """A route to a Space of the account, which answers what `handle` makes of the body."""

        async def endpoint(request: Request) -> Response:
            self.hub.check_token(request)
            space = self.spaces.get(f"{request.path_params['owner']}/{request.path_params['name']}")
            if space is None or not bearer(request):
                raise not_found(request)
            try:
                answer = handle(space, {**await _body(request), "method": request.method})
            except (KeyError, TypeError, ValueError) as error:
                raise refusal(400, f"Invalid body: {error}") from error
            self.hub.spaces[space.id] = space.repo
            return json_answer(answer)

        return Route(path, endpoint, methods=list(methods))

    async def create(self, request: Request) -> Response:
        body = await _body(request)
        name = self._own_name(request, body)
        if body.get("type") != "space":
            raise refusal(400, "These local hubs make Spaces only")
        url = f"{self.hub.origin}/spaces/{name}"
        if name in self.spaces:
            return json_answer({"error": "You already created this space repo", "url": url}, 409)
        is_private = body.get("visibility") == "private" or bool(body.get("private"))
        hardware, sdk = str(body.get("hardware") or "cpu-basic"), str(body.get("sdk"))
        space = Space(id=name, sdk=sdk, private=is_private, hardware=hardware)
        card = f"---\ntitle: {body['name']}\nsdk: {sdk}\n---\n"
        first = {".gitattributes": _ATTRIBUTES, CARD: card}
        space.commit("initial commit", {path: text_file(path, text.encode()) for path, text in first.items()})
        self.spaces[name], self.hub.spaces[name] = space, space.repo
        return json_answer({"url": url, "name": name, "id": space.repo.info["_id"]})

    async def delete(self, request: Request) -> Response:
        name = self._own_name(request, await _body(request))
        if self.spaces.pop(name, None) is None:
            raise not_found(request)
        del self.hub.spaces[name]
        return Response("OK")

    async def validate_card(self, _request: Request) -> Response:
        return json_answer({"errors": [], "warnings": []})

    def commit(self, space: Space, body: Json) -> Json:
        files, title = dict(space.files), ""
        for line in body["lines"]:
            value = line["value"]
            if line["key"] == "header":
                title = str(value["summary"])
                if value.get("parentCommit") not in (None, space.commits[0].sha):
                    raise refusal(412, "A commit has happened since. Please refresh and try again.")
            elif line["key"] == "file":
                files[value["path"]] = text_file(value["path"], base64.b64decode(value["content"]))
            elif line["key"] == "lfsFile":
                files[value["path"]] = self._lfs_file(value)
            elif line["key"] == "deletedFile":
                files.pop(value["path"], None)
            else:
                raise refusal(400, f"Unknown operation in a commit: {line['key']}")
        sha = space.commit(title, files).sha
        url = f"{self.hub.origin}/spaces/{space.id}/commit/{sha}"
        return {"success": True, "commitOid": sha, "commitUrl": url, "hookOutput": ""}

    def _lfs_file(self, value: Json) -> RepoFile:
        content = self.hub.delivery.uploads.get(_place(value["oid"]))
        if content is None or content.sha256 != value["oid"]:
            raise refusal(400, f"LFS pointer pointed to a file that does not exist. Paths: {value['path']}")
        lfs = {"sha256": content.sha256, "size": content.size}
        return RepoFile(path=value["path"], content=content, recorded={"lfs": lfs})

    def batch(self, _space: Space, body: Json) -> Json:
        """Where to upload large files to. An object without actions is there already."""
        answers: list[Json] = []
        for each in body["objects"]:
            answer: Json = {"oid": each["oid"], "size": each["size"]}
            if _place(each["oid"]) not in self.hub.delivery.uploads:
                href = self.hub.delivery.sign(_place(each["oid"]), None, "attachment", lifetime=_UPLOAD_SECONDS)
                answer |= {"authenticated": True, "actions": {"upload": {"href": href, "header": {}}}}
            answers.append(answer)
        return {"transfer": "basic", "objects": answers}

    def _own_name(self, request: Request, body: Json) -> str:
        self.hub.check_token(request)
        if not bearer(request):
            raise refusal(401, "Invalid username or password.")
        if (body.get("organization") or ACCOUNT) != ACCOUNT:
            raise refusal(403, "You don't have the rights to create a space under this namespace")
        return f"{ACCOUNT}/{body.get('name')}"


def preupload(space: Space, body: Json) -> Json:
    answers = []
    for each in body["files"]:
        path, known = str(each["path"]), space.files.get(each["path"])
        mode = "lfs" if is_large(path, each["size"], base64.b64decode(each["sample"])) else "regular"
        oid = {"oid": known.sha256 if known.is_lfs else known.oid} if known else {}
        answers.append({"path": path, "uploadMode": mode, "shouldIgnore": False, **oid})
    return {"files": answers}


def variables(space: Space, body: Json) -> Json:
    _change(space.variables, body)
    return space.variables


def secrets(space: Space, body: Json) -> Json:
    _change(space.secrets, body)
    return {name: {"updatedAt": each["updatedAt"]} for name, each in space.secrets.items()}


def _change(settings: dict[str, Json], body: Json) -> None:
    if body["method"] == "POST":
        settings[body["key"]] = {"value": str(body.get("value", "")), "updatedAt": now()}
    elif body["method"] == "DELETE":
        settings.pop(body["key"], None)


def request_hardware(space: Space, body: Json) -> Json:
    space.hardware = str(body["flavor"])
    return space.runtime


def change_settings(space: Space, body: Json) -> Json:
    space.private = body.get("visibility") == "private" or bool(body.get("private"))
    return {"private": space.private}


async def _body(request: Request) -> Json:
    """The object of the body, or the `lines` of one that is NDJSON."""
    if request.headers.get("content-type") == "application/x-ndjson":
        return {"lines": [json.loads(line) for line in (await request.body()).splitlines()]}
    if request.method == "GET":
        return {}
    body: Json = await json_body(request, dict, json_answer({"error": "Invalid JSON"}, 400))
    return body


def _place(oid: str) -> str:
    return f"/uploads/{oid}"
