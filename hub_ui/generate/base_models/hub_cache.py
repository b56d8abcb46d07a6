"""Hugging Face's cache of downloads on this disk, which other programs fill and read too."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from shutil import disk_usage

from huggingface_hub import DryRunFileInfo, get_cached_repo_tree, hf_hub_download
from huggingface_hub.constants import HF_HUB_CACHE
from huggingface_hub.errors import CachedRepoTreeNotFoundError
from huggingface_hub.file_download import repo_folder_name


class Cached:
    """What the cache holds of one repo."""

    def __init__(self, repo: str, cache: Path | None) -> None:
        self.repo = repo
        self.cache = Path(cache or HF_HUB_CACHE).expanduser().resolve()
        self._folder = self.cache / repo_folder_name(repo_id=repo, repo_type="model")

    def snapshot(self, revision: str) -> Path:
        return self._folder / "snapshots" / revision

    def commits(self) -> list[str]:
        """Commits with any file: what `main` was when last asked for, then the newest."""
        main = self._folder / "refs" / "main"
        first = main.read_text(encoding="utf-8").strip() if main.is_file() else ""
        found = sorted(self._folder.glob("snapshots/*"), key=lambda path: (path.name != first, -path.stat().st_mtime))
        return [path.name for path in found]

    def tree(self, revision: str) -> list[str] | None:
        """The names of all files of a commit, as the hub listed them; None where an older client made the snapshot."""
        try:
            return [file.path for file in get_cached_repo_tree(self.repo, revision=revision, cache_dir=self.cache)]
        except (CachedRepoTreeNotFoundError, OSError):
            return None

    def names(self, revision: str) -> list[str]:
        """The names of the files of a snapshot that are on this disk."""
        folder = self.snapshot(revision)
        return [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]

    def files(self, revision: str, names: Iterable[str]) -> tuple[DryRunFileInfo, ...] | None:
        """These files of a snapshot, without asking the hub; None unless all of them are on this disk."""
        try:
            return tuple(
                hf_hub_download(
                    self.repo, name, revision=revision, cache_dir=self.cache, local_files_only=True, dry_run=True
                )
                for name in names
            )
        except OSError:
            return None

    def free(self) -> int:
        """Bytes of room on the disk that downloads go to."""
        return disk_usage(next(path for path in (self.cache, *self.cache.parents) if path.exists())).free
