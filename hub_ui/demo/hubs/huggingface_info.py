"""Hugging Face model objects: what a list shows, and what one model shows."""

from collections.abc import Iterable

from starlette.datastructures import QueryParams

from hub_ui.demo.hubs.cards import base_models
from hub_ui.demo.hubs.folder import Json
from hub_ui.demo.hubs.huggingface_store import Commit, Repo, RepoFile

_LIST_KEYS = (
    "_id", "id", "likes", "trendingScore", "private", "downloads", "tags", "pipeline_tag", "library_name", "createdAt",
    "modelId",
)  # fmt: skip
_FULL_KEYS = ("author", "gated", "lastModified", "sha", "siblings", "disabled")
_SCANNED = {"status": "safe", "avScan": {"status": "safe"}, "pickleImportScan": {"status": "unscanned"}}
_TRUE = ("true", "1", "True")


def list_item(repo: Repo, query: QueryParams) -> Json:
    info = _with_files(repo, repo.commits[0])
    if "expand" in query:
        return _expand(repo, info, query.getlist("expand"))
    keys = list(_LIST_KEYS)
    keys += _FULL_KEYS if query.get("full") in _TRUE else ()
    keys += ["cardData"] if query.get("cardData") in _TRUE else []
    keys += ["config"] if query.get("config") in _TRUE else []
    item = {key: info[key] for key in keys if key in info}
    if "siblings" in item:
        item["siblings"] = [{"rfilename": each["rfilename"]} for each in item["siblings"]]
    return item


def full_info(repo: Repo, commit: Commit, query: QueryParams) -> Json:
    info = _with_files(repo, commit)
    if "expand" in query:
        return _expand(repo, info, query.getlist("expand"))
    if query.get("blobs") in _TRUE:
        info["siblings"] = [_sibling_with_blob(file) for file in commit.files.values()]
    if query.get("securityStatus") in _TRUE:
        info["securityRepoStatus"] = {"scansDone": True, "filesWithIssues": []}
    return info


def _with_files(repo: Repo, commit: Commit) -> Json:
    gated = repo.info.get("gated") or ("manual" if repo.access == "gated" else False)
    siblings = [{"rfilename": path} for path in commit.files]
    disabled = repo.access == "disabled"
    recorded = repo.info.get("siblings")
    if recorded and len(recorded) == len(siblings) and commit is repo.commits[0]:
        siblings = recorded
    return {**repo.info, "sha": commit.sha, "gated": gated, "disabled": disabled, "siblings": siblings}


def _expand(repo: Repo, info: Json, keys: Iterable[str]) -> Json:
    bases = base_models(repo.info.get("cardData") or {})
    known = {**info, **({"baseModels": bases} if bases else {})}
    known.setdefault("usedStorage", sum(file.size for file in repo.commits[0].files.values()))
    return {key: known[key] for key in ("_id", "id", *keys) if key in known}


def _sibling_with_blob(file: RepoFile) -> Json:
    if file.content is None:
        return {"rfilename": file.path, **file.recorded}
    lfs = {"sha256": file.sha256, "size": file.size, "pointerSize": len(file.pointer)} if file.is_lfs else None
    entry = {"rfilename": file.path, "size": file.size, "blobId": file.oid}
    return {**entry, "lfs": lfs} if lfs else entry


def tree_entries(commit: Commit, under: str, *, recursive: bool) -> list[RepoFile | str]:
    """Files, and folders as their paths, below the folder `under`."""
    prefix = f"{under}/" if under else ""
    files = [file for path, file in commit.files.items() if path.startswith(prefix)]
    folders = {
        folder for file in files for folder in _folders(file.path) if folder.startswith(prefix) and folder != under
    }
    entries: list[RepoFile | str] = [*sorted(folders), *files]
    return [entry for entry in entries if recursive or "/" not in _path(entry)[len(prefix) :]]


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


def _path(entry: RepoFile | str) -> str:
    return entry if isinstance(entry, str) else entry.path


def _folders(path: str) -> list[str]:
    parts = path.split("/")[:-1]
    return ["/".join(parts[: depth + 1]) for depth in range(len(parts))]
