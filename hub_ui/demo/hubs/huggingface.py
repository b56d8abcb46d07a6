"""The endpoints of the Hugging Face Hub that read repos, as huggingface_hub and plain HTTP clients call them."""

import mimetypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TypeVar
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from hub_ui.demo.hubs import answers
from hub_ui.demo.hubs.folder import Json
from hub_ui.demo.hubs.huggingface_store import (
    CARD,
    SORTS,
    TRUE,
    Commit,
    HuggingFaceStore,
    Repo,
    RepoFile,
    base_models,
    matches,
    sort_key,
)

T = TypeVar("T")
_LIST_KEYS = (
    "_id", "id", "likes", "trendingScore", "private", "downloads", "tags", "pipeline_tag", "library_name", "createdAt",
    "modelId",
)  # fmt: skip
_FULL_KEYS = ("author", "gated", "lastModified", "sha", "siblings", "disabled")
_SCANNED = {"status": "safe", "avScan": {"status": "safe"}, "pickleImportScan": {"status": "unscanned"}}
_ORIGIN = "https://huggingface.co"
_MAX_PAGE = 1000
_LINK_LIFETIME = 3600
# Whoever signs in is this account.
ACCOUNT = "local"


def _api(path: str, handler: Callable[[Request], Response]) -> Route:
    """A route whose JSON has a weak ETag, as that of Express has."""
    return Route(path, lambda request: answers.with_etag(request, handler(request), weak=True))


def list_item(repo: Repo, query: QueryParams) -> Json:
    info = full_info(repo, repo.commits[0], query)
    if "expand" in query:
        return info
    keys = [*_LIST_KEYS, *(_FULL_KEYS if query.get("full") in TRUE else ())]
    keys += [key for key in ("cardData", "config") if query.get(key) in TRUE]
    return {key: info[key] for key in keys if key in info}


def full_info(repo: Repo, commit: Commit, query: QueryParams) -> Json:
    gated = repo.info.get("gated") or ("manual" if repo.access == "gated" else False)
    state = {"gated": gated, "disabled": repo.access == "disabled", "private": repo.private, "sha": commit.sha}
    info = {**repo.info, **state, "siblings": [{"rfilename": path} for path in commit.files]}
    if "expand" in query:
        known = {**info, "baseModels": base_models(repo.info.get("cardData") or {})}
        return {key: known[key] for key in ("_id", "id", *query.getlist("expand")) if known.get(key) is not None}
    if query.get("blobs") in TRUE:
        info["siblings"] = [_sibling_with_blob(file) for file in commit.files.values()]
    return info


def _sibling_with_blob(file: RepoFile) -> Json:
    if file.content is None:
        return {"rfilename": file.path, **file.recorded}
    lfs = {"sha256": file.sha256, "size": file.size, "pointerSize": len(file.pointer)} if file.is_lfs else None
    return {"rfilename": file.path, "size": file.size, "blobId": file.oid, **({"lfs": lfs} if lfs else {})}


def tree_entries(commit: Commit, under: str, *, recursive: bool) -> list[RepoFile | str]:
    """Files, and the paths of folders, below `under`."""
    prefix = f"{under}/" if under else ""
    files = [file for path, file in commit.files.items() if path.startswith(prefix)]
    parents = {str(folder) for file in files for folder in PurePosixPath(file.path).parents}
    folders = sorted(folder for folder in parents if folder.startswith(prefix) and folder not in (under, "."))
    entries: dict[str, RepoFile | str] = {folder: folder for folder in folders} | {file.path: file for file in files}
    return [entry for path, entry in entries.items() if recursive or "/" not in path[len(prefix) :]]


def tree_entry(entry: RepoFile | str, commit: Commit, *, expand: bool) -> Json:
    if isinstance(entry, str):
        shown: Json = {"type": "directory", "oid": commit.sha, "size": 0, "path": entry}
    else:
        shown = {"type": "file", "oid": entry.oid, "size": entry.size, "path": entry.path}
        if entry.is_lfs:
            shown["lfs"] = {"oid": entry.sha256, "size": entry.size, "pointerSize": len(entry.pointer)}
    if expand:
        shown["lastCommit"] = {"id": commit.sha, "title": commit.title, "date": commit.date}
        shown |= {"securityFileStatus": _SCANNED} if shown["type"] == "file" else {}
    return shown


@dataclass(frozen=True, kw_only=True)
class HuggingFaceHub:
    store: HuggingFaceStore
    delivery: answers.Delivery
    origin: str

    def routes(self) -> list[BaseRoute]:
        return [
            _api("/api/models", self.list_models),
            Route("/api/whoami-v2", self.who_am_i),
            *self.repo_routes("/api/models/{owner}/{name}", "/{owner}/{name}"),
        ]

    def repo_routes(self, api: str, web: str) -> list[BaseRoute]:
        return [
            _api(api, self.repo_info),
            Route(api + "/auth-check", self.auth_check),
            _api(api + "/refs", self.refs),
            _api(api + "/revision/{revision:path}", self.repo_info),
            _api(api + "/commits/{revision:path}", self.commits),
            _api(api + "/tree/{rest:path}", self.tree),
            Route(api + "/paths-info/{revision:path}", self.paths_info, methods=["POST"]),
            Route(web + "/resolve/{rest:path}", self.resolve),
            Route(web, self.page),
        ]

    def list_models(self, request: Request) -> Response:
        self.check_token(request)
        query = request.query_params
        if query.get("sort", SORTS[0]) not in SORTS:
            raise refusal(400, f"Invalid sort parameter: {query['sort']}")
        repos = (repo for repo in self.store.repos.values() if matches(repo, query) and self.may_see(request, repo))
        found = sorted(repos, key=sort_key(query))
        return page_answer(request, found, lambda repo: list_item(repo, query))

    def who_am_i(self, request: Request) -> Response:
        self.check_token(request)
        if not answers.bearer(request):
            raise refusal(401, "Invalid username or password.")
        auth = {"type": "access_token", "accessToken": {"displayName": ACCOUNT, "role": "write"}}
        user = {"type": "user", "id": "0" * 24, "name": ACCOUNT, "fullname": "Local", "orgs": [], "auth": auth}
        return answers.json_answer(user)

    def repo_info(self, request: Request) -> Response:
        repo = self._repo(request)
        commit = self._commit(repo, request.path_params.get("revision", "main"))
        return answers.json_answer(full_info(repo, commit, request.query_params))

    def auth_check(self, request: Request) -> Response:
        self._check_access(request, self._repo(request))
        return answers.json_answer({})

    def refs(self, request: Request) -> Response:
        repo = self._repo(request)
        main = {"name": "main", "ref": "refs/heads/main", "targetCommit": repo.commits[0].sha}
        tags = [{"name": name, "ref": f"refs/tags/{name}", "targetCommit": sha} for name, sha in repo.refs.items()]
        return answers.json_answer({"branches": [main], "converts": [], "tags": tags, "pullRequests": []})

    def commits(self, request: Request) -> Response:
        repo = self._repo(request)
        newest = self._commit(repo, request.path_params["revision"])
        since = repo.commits[repo.commits.index(newest) :]
        same = {"message": "", "authors": [{"user": repo.author}]}
        answer = [{"id": commit.sha, "title": commit.title, **same, "date": commit.date} for commit in since]
        return answers.json_answer(answer, headers={"X-Total-Count": str(len(since))})

    def tree(self, request: Request) -> Response:
        commit, path = self._split(self._repo(request), request.path_params["rest"])
        query = request.query_params
        entries = tree_entries(commit, path, recursive=query.get("recursive") in TRUE)
        if path and not entries:
            raise refusal(404, f"{path} does not exist on {commit.sha}", "EntryNotFound")
        expand = query.get("expand") in TRUE
        return page_answer(request, entries, lambda entry: tree_entry(entry, commit, expand=expand))

    async def paths_info(self, request: Request) -> Response:
        commit = self._commit(self._repo(request), request.path_params["revision"])
        form = await request.form()
        expand = form.get("expand") in TRUE

        def entries() -> list[Json]:
            tree = tree_entries(commit, "", recursive=True)
            known = {each if isinstance(each, str) else each.path: each for each in tree}
            asked = [known[str(path)] for path in form.getlist("paths") if path in known]
            return [tree_entry(entry, commit, expand=expand) for entry in asked]

        # In a thread, because it may have to hash the file.
        return answers.json_answer(await run_in_threadpool(entries))

    def resolve(self, request: Request) -> Response:
        repo = self._repo(request)
        commit, path = self._split(repo, request.path_params["rest"])
        headers = {"X-Repo-Commit": commit.sha}
        file = commit.files.get(path)
        if file is None:
            raise refusal(404, "Entry not found", "EntryNotFound", headers)
        if path != CARD:
            self._check_access(request, repo)
        headers["ETag"] = f'"{file.oid}"'
        if file.is_lfs:
            disposition = answers.inline(path.rpartition("/")[2])
            key = f"/repos/{repo.id}/{file.sha256}"
            location = self.delivery.sign(key, file.content, disposition, lifetime=_LINK_LIFETIME)
            linked = {"X-Linked-Size": str(file.size), "X-Linked-ETag": f'"{file.sha256}"', "Accept-Ranges": "bytes"}
            return RedirectResponse(location, 302, {**headers, **linked, "Content-Disposition": disposition})
        if file.content is None:
            raise refusal(404, "Entry not found", "EntryNotFound")
        guessed = mimetypes.guess_type(path)[0] or ""
        media_type = guessed if guessed.startswith("image/") else "text/plain; charset=utf-8"
        return answers.content_answer(request, file.content, headers, media_type)

    def page(self, request: Request) -> Response:
        return answers.html_answer(self._repo(request).id, "This page stands for its page on the Hub.")

    def _split(self, repo: Repo, rest: str) -> tuple[Commit, str]:
        """Splits `REVISION/PATH`. A revision may contain unquoted slashes (`refs/pr/1`)."""
        names = [name for name in repo.refs if rest == name or rest.startswith(name + "/")]
        parts = rest.split("/")
        revision = max(names, key=len) if names else "/".join(parts[: 3 if parts[0] == "refs" else 1])
        return self._commit(repo, revision), rest[len(revision) + 1 :].rstrip("/")

    def _repo(self, request: Request) -> Repo:
        self.check_token(request)
        repo = self.find(request)
        if repo is None or repo.is_ghost or not self.may_see(request, repo):
            raise not_found(request)
        return repo

    def find(self, request: Request) -> Repo | None:
        return self.store.repos.get(f"{request.path_params['owner']}/{request.path_params['name']}")

    def _commit(self, repo: Repo, revision: str) -> Commit:
        commit = repo.commit(revision)
        if commit is None:
            raise refusal(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return commit

    def check_token(self, request: Request) -> None:
        token = answers.bearer(request)
        if token and not self.store.access.is_signed_in("huggingface", token):
            raise refusal(401, "Invalid credentials in Authorization header")

    def may_see(self, request: Request, repo: Repo) -> bool:
        return not repo.private or self.store.access.is_granted(answers.bearer(request), repo.id)

    def _check_access(self, request: Request, repo: Repo) -> None:
        if repo.access == "disabled":
            raise refusal(403, "Access to this resource is disabled.")
        token = answers.bearer(request)
        if not repo.is_gated or self.store.access.is_granted(token, repo.id):
            return
        restricted = f"Access to model {repo.id} is restricted"
        if not token:
            text = f"{restricted}. You must have access to it and be authenticated to access it. Please log in."
            raise refusal(401, text, "GatedRepo")
        text = f"{restricted} and you are not in the authorized list. Visit {_ORIGIN}/{repo.id} to ask for access."
        raise refusal(403, text, "GatedRepo")


def page_answer(request: Request, items: Sequence[T], show: Callable[[T], Json]) -> Response:
    """One page, with a Link header built from the request URL, as on the Hub."""
    query = request.query_params
    limit = answers.natural(query.get("limit", str(_MAX_PAGE)))
    page = answers.page_of(items, query.get("cursor"), min(limit, _MAX_PAGE)) if limit is not None else None
    if page is None:
        raise refusal(400, "Invalid limit" if limit is None else "Invalid cursor")
    found, cursor = page
    headers = {}
    if cursor:
        kept = [(key, value) for key, value in query.multi_items() if key != "cursor"]
        following = request.url.replace(query=urlencode([*kept, ("cursor", cursor)]))
        headers["Link"] = f'<{following}>; rel="next"'
    return answers.json_answer([show(item) for item in found], headers=headers)


def not_found(request: Request) -> answers.RefusalError:
    """For anonymous callers, missing and private repositories look the same."""
    if not answers.bearer(request):
        return refusal(401, "Invalid username or password.", "RepoNotFound")
    return refusal(404, "Repository not found", "RepoNotFound")


def refusal(
    status: int, text: str, code: str | None = None, headers: dict[str, str] | None = None
) -> answers.RefusalError:
    # Paths may contain characters that are invalid in headers.
    plain = "".join(sign if sign.isascii() and sign.isprintable() else "?" for sign in text.strip())
    sent = {"X-Error-Message": plain, **({"X-Error-Code": code} if code else {}), **(headers or {})}
    return answers.RefusalError(answers.json_answer({"error": text}, status, sent))
