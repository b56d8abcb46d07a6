"""Hugging Face repositories and model cards of a data folder, and the filters of `/api/models`."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from huggingface_hub.utils.sha import git_hash
from starlette.datastructures import QueryParams

from connectors.claims.card import split_card
from connectors.http.json_fields import texts
from hub_ui.demo.hubs.folder import CHUNK, Access, Content, DataFolder, Json, in_memory

_LORA_TAGS = {"lora", "template:sd-lora", "template:diffusion-lora"}


def hub_tags(data: Mapping[str, Any], files: Iterable[str]) -> list[str]:
    """In the Hub's order, with `base_model:X` and `base_model:adapter:X`. Source: hub-docs, docs/hub/model-cards.md."""
    formats = ["safetensors"] if any(name.endswith(".safetensors") for name in files) else []
    tags = [*texts(data.get("library_name")), *formats, *texts(data.get("pipeline_tag"))]
    tags += texts(data.get("tags"))
    bases = texts(data.get("base_model"))
    tags += [*(f"dataset:{name}" for name in texts(data.get("datasets"))), *texts(data.get("language"))]
    tags += [f"base_model:{base}" for base in bases]
    tags += [f"base_model:{relation(data)}:{base}" for base in bases]
    tags += [f"license:{name}" for name in texts(data.get("license"))]
    return list(dict.fromkeys([*tags, "region:us"]))


def relation(data: Mapping[str, Any]) -> str:
    written = data.get("base_model_relation")
    is_adapter = data.get("library_name") == "peft" or not _LORA_TAGS.isdisjoint(texts(data.get("tags")))
    return str(written) if written else ("adapter" if is_adapter else "finetune")


def base_models(data: Mapping[str, Any]) -> Json | None:
    """The field of `expand=baseModels`."""
    bases = texts(data.get("base_model"))
    return {"relation": relation(data), "models": [{"id": base} for base in bases]} if bases else None


CARD = "README.md"
_MAIN = ("main", "HEAD", "refs/heads/main")
_RECORDED_AT = "2026-07-01T00:00:00.000Z"
_LFS_SUFFIXES = (".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".gguf", ".onnx", ".zip", ".gz", ".tar", ".npz")


@dataclass(frozen=True, kw_only=True)
class RepoFile:
    """A file of a commit. `content` is None if a recording lists the file without its bytes."""

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
        """The Git LFS pointer. Source: the Git LFS specification, version 1."""
        return f"version https://git-lfs.github.com/spec/v1\noid sha256:{self.sha256}\nsize {self.size}\n".encode()

    @cached_property
    def oid(self) -> str:
        if "blobId" in self.recorded and self.content is None:
            return str(self.recorded["blobId"])
        if self.is_lfs or self.content is None:
            return git_hash(self.pointer)
        return git_hash(self.content.read(0, self.size))


@dataclass(frozen=True, kw_only=True)
class Commit:
    sha: str
    date: str
    title: str
    files: Mapping[str, RepoFile]


@dataclass(frozen=True, kw_only=True)
class Repo:
    """`commits` are newest first; the first is `main`."""

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
    def is_gated(self) -> bool:
        return self.access == "gated" or bool(self.info.get("gated"))

    @property
    def private(self) -> bool:
        return self.access == "private" or self.info.get("private") is True

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
    ghosts = folder.ghosts("huggingface")
    repos = {}
    for name in dict.fromkeys([*infos, *cards, *histories, *listed]):
        info, history = infos.get(name, {}), histories.get(name, {})
        history = history if isinstance(history, dict) else {"commits": history}
        specs = {path: spec for path, spec in listed.get(name, {}).items() if isinstance(spec, dict)}
        if history.get("commits"):
            commits = tuple(_commit(folder, entry) for entry in history["commits"])
        else:
            commits = (_only_commit(folder, name, info, cards.get(name), specs),)
        repos[name] = Repo(
            id=name,
            info={**_describe(name, commits[0]), **info, "sha": commits[0].sha},
            commits=commits,
            refs=history.get("refs", {}),
            access=next(filter(None, (each.get("access") for each in (listed.get(name, {}), *specs.values()))), None),
            is_ghost=name in ghosts,
        )
    return HuggingFaceStore(repos=repos, access=folder.access)


def _repo_id(stem: str) -> str:
    """`hf_readme_OWNER__NAME` -> `OWNER/NAME`."""
    return stem.split("_", 2)[2].replace("__", "/", 1)


def _commit(folder: DataFolder, entry: Json) -> Commit:
    files = {path: folder.hub_file(spec).content for path, spec in entry.get("files", {}).items()}
    if "readme" in entry:
        files[CARD] = in_memory(str(entry["readme"]).encode())
    title = str(entry.get("title", "Upload folder using huggingface_hub"))
    return Commit(sha=entry["sha"], date=entry["date"], title=title, files=_repo_files(files))


def _only_commit(folder: DataFolder, name: str, info: Json, card: Path | None, specs: Mapping[str, Json]) -> Commit:
    """Of what is known of a repository without commits. Its sha ignores the origins, so it doesn't depend on ports."""
    contents = {path: folder.hub_file(spec).content for path, spec in specs.items()}
    if card is not None:
        contents.setdefault(CARD, in_memory(folder.text(card).encode()))
    recorded = {
        str(each["rfilename"]): RepoFile(path=each["rfilename"], recorded=each) for each in info.get("siblings", [])
    }
    written = card.read_bytes() if card else b"\0".join(path.encode() for path in sorted(contents))
    return Commit(
        sha=info.get("sha") or stable_hex(name.encode(), written),
        date=str(info.get("lastModified") or _RECORDED_AT),
        title="Upload model",
        files=dict(sorted({**recorded, **_repo_files(contents)}.items())),
    )


def _repo_files(contents: Mapping[str, Content]) -> Mapping[str, RepoFile]:
    return {path: RepoFile(path=path, content=content) for path, content in sorted(contents.items())}


def stable_hex(*parts: bytes) -> str:
    return hashlib.sha1(b"\0".join(parts), usedforsecurity=False).hexdigest()


def read_card(files: Mapping[str, RepoFile]) -> Mapping[str, Any]:
    """The front matter of the card among the files, if there is one."""
    content = files[CARD].content if CARD in files else None
    return split_card(content.read(0, CHUNK).decode(errors="replace"))[0] if content else {}


def _describe(name: str, newest: Commit) -> Json:
    """The model object of a repository of which only files are known."""
    data = read_card(newest.files)
    return {
        "_id": stable_hex(name.encode())[:24],
        "id": name,
        "modelId": name,
        "author": name.partition("/")[0],
        "lastModified": newest.date,
        "createdAt": newest.date,
        **dict.fromkeys(("private", "disabled", "gated"), False),
        **dict.fromkeys(("likes", "downloads", "trendingScore"), 0),
        "tags": hub_tags(data, newest.files),
        "cardData": data,
        **{key: data[key] for key in ("library_name", "pipeline_tag") if data.get(key)},
    }


# The Hub sorts in descending order only.
SORTS = ("createdAt", "downloads", "lastModified", "likes", "trendingScore")
TRUE = ("true", "1", "True")


def matches(repo: Repo, query: QueryParams) -> bool:
    """Filters are ANDed, and so are several values of `filter`."""
    return all(holds(repo, query.getlist(name)) for name, holds in _FILTERS.items() if name in query)


def sort_key(query: QueryParams) -> Callable[[Repo], Any]:
    """A descending sort key, `trendingScore` by default."""
    field = query.get("sort", "trendingScore")

    def key(repo: Repo) -> tuple[float, str]:
        value = repo.info.get(field)
        if isinstance(value, str):
            value = datetime.fromisoformat(value).timestamp()
        return (-(value or 0), repo.id)

    return key


def _has_tags(repo: Repo, values: Sequence[str]) -> bool:
    """Task and library count as tags too."""
    known = [*repo.info.get("tags", []), repo.info.get("pipeline_tag"), repo.info.get("library_name")]
    tags = {str(tag).lower() for tag in known if tag}
    return all(part.lower() in tags for value in values for part in value.split(",") if part)


_FILTERS: Mapping[str, Callable[[Repo, Sequence[str]], bool]] = {
    "filter": _has_tags,
    # The Hub searches only the id.
    "search": lambda repo, values: all(word in repo.id.lower() for word in values[-1].lower().split()),
    "author": lambda repo, values: values[-1].lower() == repo.author.lower(),
    "pipeline_tag": lambda repo, values: repo.info.get("pipeline_tag") == values[-1],
    "gated": lambda repo, values: repo.is_gated == (values[-1].lower() in TRUE),
}
