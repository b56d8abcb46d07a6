"""Spaces of the local Hugging Face Hub: what makes them, pushes to them, and sets how they run. None of them runs.

`hub_apps(data, origins, huggingface=HubWithSpaces)`.
"""

import base64
import json
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from hub_ui.demo.hubs.answers import bearer, json_answer, json_body
from hub_ui.demo.hubs.folder import Content, Json, in_memory
from hub_ui.demo.hubs.huggingface import ACCOUNT, HuggingFaceHub, not_found, refusal
from hub_ui.demo.hubs.huggingface_store import CARD, Commit, Repo, RepoFile, hub_tags, read_card, stable_hex

# What the Hub puts into a new repo, beside a card.
_ATTRIBUTES = b"*.bin filter=lfs diff=lfs merge=lfs -text\n*.safetensors filter=lfs diff=lfs merge=lfs -text\n"
Settings = defaultdict[str, dict[str, Json]]


@dataclass(frozen=True, kw_only=True)
class HubWithSpaces(HuggingFaceHub):
    """`spaces` are what people have pushed, `uploads` their large files by SHA-256.

    `variables` and `secrets` are by Space; secrets can be set, and never read.
    """

    spaces: dict[str, Repo] = field(default_factory=dict)
    uploads: dict[str, Content] = field(default_factory=dict)
    variables: Settings = field(default_factory=lambda: defaultdict(dict))
    secrets: Settings = field(default_factory=lambda: defaultdict(dict))

    def routes(self) -> list[BaseRoute]:
        space = "/api/spaces/{owner}/{name}"
        return [
            Route("/api/repos/create", self.create, methods=["POST"]),
            Route("/api/validate-yaml", self.validate_card, methods=["POST"]),
            Route("/uploads/{oid}", self.receive, methods=["PUT"]),
            self._on_space(space + "/preupload/main", preupload, "POST"),
            self._on_space(space + "/commit/main", self.commit, "POST"),
            self._on_space("/spaces/{owner}/{name}.git/info/lfs/objects/batch", self.batch, "POST"),
            self._on_space(space + "/variables", self.change_variables, "GET", "POST", "DELETE"),
            self._on_space(space + "/secrets", self.change_secrets, "GET", "POST"),
            self._on_space(space + "/runtime", lambda space, _: runtime(space), "GET"),
            self._on_space(space + "/hardware", self.request_hardware, "POST"),
            self._on_space(space + "/settings", self.change_settings, "PUT"),
            *self.repo_routes(space, "/spaces/{owner}/{name}"),
            *super().routes(),
        ]

    def find(self, request: Request) -> Repo | None:
        if request.url.path.startswith(("/api/spaces/", "/spaces/")):
            return self.spaces.get(f"{request.path_params['owner']}/{request.path_params['name']}")
        return super().find(request)

    def may_see(self, request: Request, repo: Repo) -> bool:
        return super().may_see(request, repo) or (bearer(request) is not None and repo.author == ACCOUNT)

    async def receive(self, request: Request) -> Response:
        content = self.uploads[request.path_params["oid"]] = in_memory(await request.body())
        return Response(headers={"ETag": f'"{content.sha256[:32]}"'})

    def _on_space(self, path: str, handle: Callable[[Repo, Json], Json], *methods: str) -> Route:
        """A route to a Space of the account, which answers what `handle` makes of the body."""

        async def endpoint(request: Request) -> Response:
            self.check_token(request)
            space = self.find(request)
            if space is None or not bearer(request):
                raise not_found(request)
            return json_answer(handle(space, {**await _body(request), "method": request.method}))

        return Route(path, endpoint, methods=list(methods))

    async def create(self, request: Request) -> Response:
        body = await _body(request)
        name = self._own_name(request, body)
        url = f"{self.origin}/spaces/{name}"
        if name in self.spaces:
            return json_answer({"error": "You already created this space repo", "url": url}, 409)
        card = f"---\ntitle: {body.get('name')}\nsdk: {body.get('sdk')}\n---\n"
        info = {
            "_id": stable_hex(b"space", name.encode())[:24],
            "id": name,
            "author": ACCOUNT,
            "createdAt": now(),
            "sdk": body.get("sdk"),
            "private": body.get("visibility") == "private" or bool(body.get("private")),
            "likes": 0,
            "subdomain": name.lower().replace("/", "-").replace("_", "-").replace(".", "-"),
            "hardware": str(body.get("hardware") or "cpu-basic"),
        }
        first = {".gitattributes": text_file(".gitattributes", _ATTRIBUTES), CARD: text_file(CARD, card.encode())}
        self._add_commit(Repo(id=name, info=info, commits=()), "initial commit", first)
        return json_answer({"url": url, "name": name, "id": info["_id"]})

    async def validate_card(self, _request: Request) -> Response:
        return json_answer({"errors": [], "warnings": []})

    def _own_name(self, request: Request, body: Json) -> str:
        self.check_token(request)
        if not bearer(request):
            raise refusal(401, "Invalid username or password.")
        if (body.get("organization") or ACCOUNT) != ACCOUNT:
            raise refusal(403, "You don't have the rights to create a space under this namespace")
        return f"{ACCOUNT}/{body.get('name')}"

    def commit(self, space: Repo, body: Json) -> Json:
        files, title = dict(space.commits[0].files), ""
        for line in body["lines"]:
            value = line["value"]
            if line["key"] == "header":
                title = str(value["summary"])
            elif line["key"] == "deletedFile":
                files.pop(value["path"], None)
            elif line["key"] == "lfsFile":
                files[value["path"]] = self._lfs_file(value)
            else:
                files[value["path"]] = text_file(value["path"], base64.b64decode(value["content"]))
        sha = self._add_commit(space, title, files)
        url = f"{self.origin}/spaces/{space.id}/commit/{sha}"
        return {"success": True, "commitOid": sha, "commitUrl": url, "hookOutput": ""}

    def _add_commit(self, space: Repo, title: str, files: Mapping[str, RepoFile]) -> str:
        tree = "\n".join(f"{path} {file.oid}" for path, file in sorted(files.items()))
        sha = stable_hex(space.id.encode(), title.encode(), now().encode(), tree.encode())
        commit = Commit(sha=sha, date=now(), title=title, files=dict(sorted(files.items())))
        card = read_card(files)
        space = replace(space, commits=(commit, *space.commits))
        known = {
            "sdk": card.get("sdk") or space.info["sdk"],
            "cardData": card,
            "tags": hub_tags(card, ()),
            "lastModified": commit.date,
        }
        self._change(space, **known, runtime=runtime(space))
        return sha

    def _change(self, space: Repo, **info: object) -> None:
        self.spaces[space.id] = replace(space, info={**space.info, **info})

    def batch(self, _space: Repo, body: Json) -> Json:
        """Where to upload large files to. An object without actions is there already."""
        answers: list[Json] = []
        # Another host than the hub's, as its storage is.
        storage = self.origin.replace("127.0.0.1", "localhost")
        for each in body["objects"]:
            answer: Json = {"oid": each["oid"], "size": each["size"]}
            if each["oid"] not in self.uploads:
                href = f"{storage}/uploads/{each['oid']}"
                answer |= {"authenticated": True, "actions": {"upload": {"href": href, "header": {}}}}
            answers.append(answer)
        return {"transfer": "basic", "objects": answers}

    def _lfs_file(self, value: Json) -> RepoFile:
        content = self.uploads[value["oid"]]
        return RepoFile(path=value["path"], content=content, recorded={"lfs": {"sha256": content.sha256}})

    def change_variables(self, space: Repo, body: Json) -> Json:
        _change_settings(self.variables[space.id], body)
        return self.variables[space.id]

    def change_secrets(self, space: Repo, body: Json) -> Json:
        _change_settings(self.secrets[space.id], body)
        return {name: {"updatedAt": each["updatedAt"]} for name, each in self.secrets[space.id].items()}

    def request_hardware(self, space: Repo, body: Json) -> Json:
        space.info["hardware"] = str(body["flavor"])
        self._change(space, runtime=runtime(space))
        return runtime(space)

    def change_settings(self, space: Repo, body: Json) -> Json:
        private = body.get("visibility") == "private" or bool(body.get("private"))
        self._change(space, private=private)
        return {"private": private}


def now() -> str:
    """As the Hub writes times."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def text_file(path: str, data: bytes) -> RepoFile:
    return RepoFile(path=path, content=in_memory(data))


def runtime(space: Repo) -> Json:
    is_running, hardware = "app.py" in space.commits[0].files, space.info["hardware"]
    current = hardware if is_running else None
    stage = "RUNNING" if is_running else "NO_APP_FILE"
    return {"stage": stage, "hardware": {"current": current, "requested": hardware}}


def preupload(space: Repo, body: Json) -> Json:
    """The Hub keeps a file outside git by its name, its size, or because it is no text."""
    answers = []
    for each in body["files"]:
        path, known = str(each["path"]), space.commits[0].files.get(each["path"])
        is_named = RepoFile(path=path, recorded={"size": each["size"]}).is_lfs
        mode = "lfs" if each["size"] and (is_named or b"\0" in base64.b64decode(each["sample"])) else "regular"
        oid = {"oid": known.sha256 if known.is_lfs else known.oid} if known else {}
        answers.append({"path": path, "uploadMode": mode, "shouldIgnore": False, **oid})
    return {"files": answers}


def _change_settings(settings: dict[str, Json], body: Json) -> None:
    if body["method"] == "POST":
        settings[body["key"]] = {"value": str(body.get("value", "")), "updatedAt": now()}
    elif body["method"] == "DELETE":
        settings.pop(body["key"], None)


async def _body(request: Request) -> Json:
    """The object of the body, or the `lines` of one that is NDJSON."""
    if request.headers.get("content-type") == "application/x-ndjson":
        return {"lines": [json.loads(line) for line in (await request.body()).splitlines()]}
    if request.method == "GET":
        return {}
    return await json_body(request, json_answer({"error": "Invalid JSON"}, 400))
