"""Hugging Face repositories of a data folder."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from hub_ui.demo.hubs.cards import front_matter, hub_tags
from hub_ui.demo.hubs.content import CHUNK, Content, InMemory, git_blob_id
from hub_ui.demo.hubs.folder import Access, DataFolder, HubFile, Json

CARD = "README.md"
_MAIN = ("main", "HEAD", "refs/heads/main")
_RECORDED_AT = "2026-07-01T00:00:00.000Z"
_LFS_SUFFIXES = (".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".gguf", ".onnx", ".zip", ".gz", ".tar", ".npz")


@dataclass(frozen=True, kw_only=True)
class RepoFile:
    """A file of a commit. A recording often names files whose bytes are not there: `content` is None then."""

    path: str
    content: Content | None = None
    recorded: Json = field(default_factory=dict)

    @property
    def size(self) -> int:
        return self.content.size if self.content else int(self.recorded.get("size") or 0)

    @property
    def is_lfs(self) -> bool:
        return "lfs" in self.recorded or self.path.lower().endswith(_LFS_SUFFIXES) or self.size > 10_000_000

    @property
    def sha256(self) -> str | None:
        if self.content is not None:
            return self.content.sha256
        recorded: str | None = self.recorded.get("lfs", {}).get("sha256")
        return recorded

    @property
    def pointer(self) -> bytes:
        """What git holds in place of a large file. Source: the Git LFS specification, version 1."""
        return f"version https://git-lfs.github.com/spec/v1\noid sha256:{self.sha256}\nsize {self.size}\n".encode()

    @cached_property
    def oid(self) -> str:
        if "blobId" in self.recorded and self.content is None:
            return str(self.recorded["blobId"])
        if self.is_lfs or self.content is None:
            return git_blob_id(self.pointer)
        return git_blob_id(self.content.read(0, self.size))


@dataclass(frozen=True, kw_only=True)
class Commit:
    sha: str
    date: str
    title: str
    files: Mapping[str, RepoFile]


@dataclass(frozen=True, kw_only=True)
class Repo:
    """`commits` run from the newest; the first is `main`."""

    id: str
    info: Json
    commits: tuple[Commit, ...]
    refs: Mapping[str, str] = field(default_factory=dict)
    access: str | None = None
    is_ghost: bool = False

    @property
    def author(self) -> str:
        return self.id.partition("/")[0]

    @property
    def gated(self) -> bool:
        return self.access == "gated" or bool(self.info.get("gated"))

    def commit(self, revision: str) -> Commit | None:
        wanted = self.commits[0].sha if revision in _MAIN else self.refs.get(revision, revision)
        exact = (commit for commit in self.commits if commit.sha == wanted)
        short = (commit for commit in self.commits if len(wanted) >= 7 and commit.sha.startswith(wanted))
        return next(exact, None) or next(short, None)


@dataclass(frozen=True, kw_only=True)
class HuggingFaceStore:
    repos: Mapping[str, Repo]
    access: Access


def load_huggingface(folder: DataFolder) -> HuggingFaceStore:
    infos = {str(info["id"]): info for info in folder.objects("hf_model_*.json") if "/" in str(info.get("id"))}
    cards = {_repo_id(path.stem): path for path in sorted(folder.path.glob("hf_readme_*.md"))}
    histories = {_repo_id(path.stem): data for path, data in folder.each("hf_commits_*.json")}
    listed: Json = folder.files.get("huggingface", {})
    known = (
        _Known(
            name=name,
            info=infos.get(name, {}),
            card=folder.text(cards[name]) if name in cards else None,
            card_hash=_stable_hex(name.encode(), cards[name].read_bytes()) if name in cards else None,
            history=_history(histories.get(name) or listed.get(name, {}).get("revisions") or []),
            listed=listed.get(name, {}),
        )
        for name in dict.fromkeys([*infos, *cards, *histories, *listed])
    )
    deleted, ghosts = folder.deletions("huggingface"), folder.ghosts("huggingface")
    repos = (_repo(folder, each, each.name in ghosts) for each in known if each.name not in deleted)
    return HuggingFaceStore(repos={repo.id: repo for repo in repos}, access=folder.access)


@dataclass(frozen=True, kw_only=True)
class _Known:
    """What the data folder's files say of one repository.

    `card_hash` is taken before the origins are filled in, so that a commit is the same whatever the ports are.
    """

    name: str
    info: Json
    card: str | None
    card_hash: str | None
    history: Json
    listed: Json


def _history(data: Any) -> Json:
    return data if isinstance(data, dict) else {"commits": data}


def _repo_id(stem: str) -> str:
    """`hf_readme_OWNER__NAME` -> `OWNER/NAME`."""
    return stem.split("_", 2)[2].replace("__", "/", 1)


def _repo(folder: DataFolder, known: _Known, is_ghost: bool) -> Repo:
    entries = known.history.get("commits", [])
    files = {path: folder.hub_file(spec) for path, spec in known.listed.items() if isinstance(spec, dict)}
    commits = tuple(_commit(folder, entry) for entry in entries) or (_only_commit(known, files),)
    return Repo(
        id=known.name,
        info={**_describe(known, commits[0]), **known.info, "sha": commits[0].sha},
        commits=commits,
        refs={**dict(_refs(entries)), **known.history.get("refs", {})},
        access=known.listed.get("access") or next((file.access for file in files.values() if file.access), None),
        is_ghost=is_ghost,
    )


def _commit(folder: DataFolder, entry: Json) -> Commit:
    files = {path: folder.hub_file(spec).content for path, spec in entry.get("files", {}).items()}
    if "readme" in entry:
        files[CARD] = InMemory(data=str(entry["readme"]).encode())
    title = str(entry.get("title", "Upload folder using huggingface_hub"))
    return Commit(sha=entry["sha"], date=entry["date"], title=title, files=_repo_files(files.items()))


def _refs(entries: Iterable[Json]) -> Iterator[tuple[str, str]]:
    for entry in entries:
        for name in entry.get("refs", []):
            yield str(name), str(entry["sha"])


def _only_commit(known: _Known, files: Mapping[str, HubFile]) -> Commit:
    recorded = {str(each["rfilename"]): each for each in known.info.get("siblings", [])}
    contents: dict[str, Content] = {path: file.content for path, file in files.items()}
    if known.card is not None:
        contents.setdefault(CARD, InMemory(data=known.card.encode()))
    missing = {path: RepoFile(path=path, recorded=each) for path, each in recorded.items() if path not in contents}
    sha = (
        known.info.get("sha") or known.card_hash or _stable_hex(known.name.encode(), *map(str.encode, sorted(contents)))
    )
    date = str(known.info.get("lastModified") or _RECORDED_AT)
    both = {**missing, **_repo_files(contents.items())}
    return Commit(sha=sha, date=date, title="Upload model", files=dict(sorted(both.items())))


def _repo_files(contents: Iterable[tuple[str, Content]]) -> Mapping[str, RepoFile]:
    return {path: RepoFile(path=path, content=content) for path, content in sorted(contents)}


def _stable_hex(*parts: bytes) -> str:
    return hashlib.sha1(b"\0".join(parts), usedforsecurity=False).hexdigest()


def _describe(known: _Known, newest: Commit) -> Json:
    """What the Hub says about a repository of which only files are known."""
    name, readme = known.name, newest.files.get(CARD)
    written = readme.content.read(0, CHUNK).decode(errors="replace") if readme and readme.content else ""
    text = written if known.history.get("commits") else known.card or written
    data = front_matter(text)
    described = {
        "_id": _stable_hex(name.encode())[:24],
        "id": name,
        "modelId": name,
        "author": name.partition("/")[0],
        "lastModified": newest.date,
        "createdAt": newest.date,
        "private": False,
        "disabled": False,
        "gated": False,
        "likes": 0,
        "downloads": 0,
        "trendingScore": 0,
        "tags": hub_tags(data, newest.files),
        "cardData": data,
    }
    optional = {key: data[key] for key in ("library_name", "pipeline_tag") if data.get(key)}
    return {**described, **optional}
