"""A Space of the local Hugging Face Hub: its commits, and the settings that are not in its repo."""

import base64
import binascii
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from hub_ui.demo.hubs.content import Content, InMemory
from hub_ui.demo.hubs.folder import Json
from hub_ui.demo.hubs.huggingface_store import CARD, Commit, Repo, RepoFile, front_matter, hub_tags, stable_hex

# What the Hub puts into a new repo.
_FIRST_FILES = {
    ".gitattributes": "".join(
        f"*.{suffix} filter=lfs diff=lfs merge=lfs -text\n" for suffix in ("bin", "safetensors", "zst")
    ),
}
_LFS_BYTES = 10_000_000


class CommitError(Exception):
    """A commit that the Hub refuses: with `status`, and a code of its own where there is one."""

    def __init__(self, status: int, text: str, code: str | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.code = code


@dataclass(kw_only=True)
class Space:
    """`hardware` is what was asked for. Secrets can be set and deleted, and never read."""

    id: str
    sdk: str
    private: bool = False
    hardware: str = "cpu-basic"
    sleep: int | None = None
    paused: bool = False
    variables: dict[str, Json] = field(default_factory=dict)
    secrets: dict[str, Json] = field(default_factory=dict)
    commits: list[Commit] = field(default_factory=list)
    starts: int = 0

    def __post_init__(self) -> None:
        card = f"---\ntitle: {self.id.partition('/')[2]}\nsdk: {self.sdk}\n---\n"
        first = {**_FIRST_FILES, CARD: card}
        files = {path: RepoFile(path=path, content=InMemory(data=text.encode())) for path, text in first.items()}
        self._add("initial commit", files)

    @property
    def files(self) -> Mapping[str, RepoFile]:
        return self.commits[0].files

    @property
    def card(self) -> Json:
        content = self.files[CARD].content if CARD in self.files else None
        return front_matter(content.read(0, content.size).decode(errors="replace")) if content else {}

    @property
    def repo(self) -> Repo:
        card, newest, oldest = self.card, self.commits[0], self.commits[-1]
        info = {
            "_id": stable_hex(b"space", self.id.encode())[:24],
            "id": self.id,
            "author": self.id.partition("/")[0],
            "sha": newest.sha,
            "createdAt": oldest.date,
            "lastModified": newest.date,
            "private": self.private,
            **dict.fromkeys(("gated", "disabled"), False),
            "likes": 0,
            "sdk": card.get("sdk", self.sdk),
            "subdomain": self.id.lower().replace("/", "-").replace("_", "-").replace(".", "-"),
            "tags": [str(card.get("sdk", self.sdk)), *hub_tags(card, ())],
            "cardData": card,
            "models": [],
            "runtime": self.runtime(),
        }
        return Repo(id=self.id, info=info, commits=tuple(self.commits))

    def runtime(self) -> Json:
        app = str(self.card.get("app_file", "app.py"))
        stage = "PAUSED" if self.paused else "RUNNING" if app in self.files else "NO_APP_FILE"
        current = self.hardware if stage == "RUNNING" else None
        return {
            "stage": stage,
            "hardware": {"current": current, "requested": self.hardware},
            "storage": None,
            "gcTimeout": self.sleep,
            "replicas": {"current": 1 if current else 0, "requested": 1},
        }

    def commit(self, lines: Iterable[Json], uploads: Mapping[str, Content]) -> Commit:
        """Makes a commit of the lines of its NDJSON. `uploads` are large files by SHA-256. Raises CommitError."""
        files, title, operations = dict(self.files), "", 0
        for line in lines:
            value = line.get("value")
            if not isinstance(value, dict):
                raise CommitError(400, "Invalid commit payload")
            if line.get("key") == "header":
                title = str(value.get("summary") or "")
                if value.get("parentCommit") not in (None, self.commits[0].sha):
                    raise CommitError(412, "A commit has happened since. Please refresh and try again.")
                continue
            operations += 1
            apply_operation(str(line.get("key")), value, files, uploads)
        if not title or not operations:
            raise CommitError(400, "A commit needs a summary and at least one operation")
        return self._add(title, files)

    def _add(self, title: str, files: Mapping[str, RepoFile]) -> Commit:
        date = now()
        tree = "\n".join(f"{path} {file.oid}" for path, file in sorted(files.items()))
        parent = self.commits[0].sha if self.commits else self.id
        sha = stable_hex(parent.encode(), title.encode(), date.encode(), tree.encode())
        commit = Commit(sha=sha, date=date, title=title, files=dict(sorted(files.items())))
        self.commits.insert(0, commit)
        self.starts += 1
        return commit


def now() -> str:
    """As the Hub writes times."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def is_large(path: str, size: int, sample: bytes) -> bool:
    """Whether the Hub keeps a file outside git: by its name, its size, or because it is no text."""
    try:
        # The sample may end within a character.
        sample.decode()
        is_text = b"\0" not in sample
    except UnicodeDecodeError as error:
        is_text = error.start > len(sample) - 4 and b"\0" not in sample
    return size > 0 and (not is_text or RepoFile(path=path, recorded={"size": size}).is_lfs or size > _LFS_BYTES)


def apply_operation(key: str, value: Json, files: dict[str, RepoFile], uploads: Mapping[str, Content]) -> None:
    path = value.get("path")
    if not isinstance(path, str) or not path or path.startswith("/") or ".." in path.split("/"):
        raise CommitError(400, "Invalid path in a commit")
    if key == "file":
        try:
            data = base64.b64decode(str(value.get("content", "")), validate=True)
        except binascii.Error:
            raise CommitError(400, f"The content of {path} is not in base64") from None
        if is_large(path, len(data), data[:512]):
            raise CommitError(400, f"{path} is a binary file. Binary files are stored outside git.")
        files[path] = RepoFile(path=path, content=InMemory(data=data))
    elif key == "lfsFile":
        content = uploads.get(str(value.get("oid")))
        if content is None:
            raise CommitError(400, f"LFS pointer pointed to a file that does not exist. Paths: {path}")
        lfs = {"sha256": content.sha256, "size": content.size}
        files[path] = RepoFile(path=path, content=content, recorded={"lfs": lfs})
    elif key == "deletedFile":
        if files.pop(path, None) is None:
            raise CommitError(404, f"A file with this name doesn't exist: {path}", "EntryNotFound")
    elif key == "deletedFolder":
        prefix = path.rstrip("/") + "/"
        gone = [name for name in files if name.startswith(prefix)]
        if not gone:
            raise CommitError(404, f"A folder with this name doesn't exist: {path}", "EntryNotFound")
        for name in gone:
            del files[name]
    else:
        raise CommitError(400, f"Unknown operation in a commit: {key[:40]}")


_COLORS = ("red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray")
_SDKS = ("gradio", "docker", "static")
_DESCRIPTION = 60
_RULES: tuple[tuple[str, Any], ...] = (
    ("colorFrom", lambda value: None if value in _COLORS else f'"colorFrom" must be one of {list(_COLORS)}'),
    ("colorTo", lambda value: None if value in _COLORS else f'"colorTo" must be one of {list(_COLORS)}'),
    ("sdk", lambda value: None if value in _SDKS else f'"sdk" must be one of {list(_SDKS)}'),
    (
        "short_description",
        lambda value: (
            None
            if len(str(value)) <= _DESCRIPTION
            else f'"short_description" length must be less than or equal to {_DESCRIPTION} characters long'
        ),
    ),
)


def card_problems(text: str) -> list[str]:
    """What the Hub refuses of a Space's card."""
    data = front_matter(text)
    missing = [f'"{name}" is required' for name in ("sdk",) if name not in data]
    return missing + [found for name, rule in _RULES if name in data and (found := rule(data[name]))]
