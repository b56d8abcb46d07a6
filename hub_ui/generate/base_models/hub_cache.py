"""Hugging Face's own cache of downloads on this disk, which other programs fill and read too."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from shutil import disk_usage

from huggingface_hub import get_cached_repo_tree
from huggingface_hub.constants import HF_HUB_CACHE
from huggingface_hub.errors import CachedRepoTreeNotFoundError
from huggingface_hub.file_download import repo_folder_name


@dataclass(frozen=True, kw_only=True, slots=True)
class RemoteFile:
    """A file of a commit. `blob` names its bytes: a sha256 for large files, git's hash for small ones."""

    name: str
    size: int
    blob: str | None = None
    present: bool = False


class Cached:
    """What the cache holds of one repo."""

    def __init__(self, repo: str, cache: Path | None) -> None:
        self.repo = repo
        self.cache = Path(cache or HF_HUB_CACHE).expanduser().resolve()
        self._folder = self.cache / repo_folder_name(repo_id=repo, repo_type="model")

    def snapshot(self, revision: str) -> Path:
        return self._folder / "snapshots" / revision

    def commits(self) -> Iterator[str]:
        """Those there is something of: what `main` was when last asked for, then the newest."""
        main = self._folder / "refs" / "main"
        first = main.read_text(encoding="utf-8").strip() if main.is_file() else ""
        kept = self._folder / "snapshots"
        found = sorted(kept.iterdir(), key=lambda path: -path.stat().st_mtime) if kept.is_dir() else []
        names = [path.name for path in found]
        yield from sorted(names, key=lambda name: name != first)

    def has(self, file: RemoteFile, revision: str) -> bool:
        """Its bytes are there, be it from another commit."""
        return (self.snapshot(revision) / file.name).is_file() or (
            file.blob is not None and (self._folder / "blobs" / file.blob).is_file()
        )

    def listing(self, revision: str) -> tuple[RemoteFile, ...] | None:
        """All files of a commit, as the hub told them at the download; None where an older client made it."""
        try:
            tree = get_cached_repo_tree(self.repo, revision=revision, cache_dir=self.cache)
        except (CachedRepoTreeNotFoundError, OSError):
            return None
        return tuple(self._local(file.path, file.size, revision) for file in tree)

    def held(self, names: Iterable[str], revision: str) -> tuple[RemoteFile, ...]:
        """Files of a snapshot by what lies on the disk."""
        folder = self.snapshot(revision)
        return tuple(self._local(name, (folder / name).stat().st_size, revision) for name in names)

    def files(self, revision: str) -> tuple[str, ...]:
        folder = self.snapshot(revision)
        return tuple(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())

    def free(self) -> int:
        """Room on the disk that downloads go to."""
        there = next(path for path in (self.cache, *self.cache.parents) if path.exists())
        return disk_usage(there).free

    def _local(self, name: str, size: int, revision: str) -> RemoteFile:
        return RemoteFile(name=name, size=size, present=(self.snapshot(revision) / name).is_file())
