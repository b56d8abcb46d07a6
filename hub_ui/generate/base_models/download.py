"""Repos of Hugging Face: what of a commit is in the cache on this disk and what the hub has, and their download.

A download has a plan first, with sizes and licences.
"""

from __future__ import annotations

import errno
import glob
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from shutil import disk_usage
from typing import Any, Self

import httpx2
from huggingface_hub import DryRunFileInfo, HfApi, get_cached_repo_tree, hf_hub_download, snapshot_download
from huggingface_hub import errors as hf
from huggingface_hub.constants import HF_HUB_CACHE
from huggingface_hub.file_download import repo_folder_name
from huggingface_hub.hf_api import ModelInfo
from huggingface_hub.utils.tqdm import tqdm

from connectors.errors import Gated, HubUiError, NeedsFetching, NoBase
from connectors.federation import OPEN_SECONDS
from connectors.http.errors import huggingface_error
from connectors.registry import HubName
from hub_ui.base.format import size
from hub_ui.base.i18n import _
from hub_ui.generate.base_models import PipelineSpec
from hub_ui.generate.base_models.repo_layout import LocalBase
from hub_ui.generate.request import Callbacks, GenerationRequest

# Bytes that are downloaded without confirmation: a few seconds on a usual connection.
_WITHOUT_ASKING = 1_000_000_000
# Less than this is settings, which were read for the plan.
_WORTH_A_WORD = 50_000_000
# Bytes to leave free beside a download, for other programs.
_SPARE = 1_000_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """The hub for base models. Its key goes to this endpoint only. `cache` None is the default cache."""

    endpoint: str
    cache: Path | None
    keys: Mapping[HubName, str] = field(default_factory=dict, repr=False)

    @property
    def token(self) -> str | None:
        return self.keys.get("huggingface")

    def free(self) -> int:
        """Free bytes on the disk that downloads go to."""
        folder = Path(self.cache or HF_HUB_CACHE).expanduser().resolve()
        return disk_usage(next(path for path in (folder, *folder.parents) if path.exists())).free


@dataclass(frozen=True, kw_only=True, slots=True)
class RepoDownload:
    """The files needed of one repo at one commit: all of the base, or a `part` of the pipeline in `folder`."""

    repo: str
    revision: str
    files: tuple[DryRunFileInfo, ...] = ()
    license: str = ""
    gated: bool = False
    part: str | None = None
    folder: str = ""


class RepoCache:
    """The cached files of one repo."""

    def __init__(self, repo: str, cache: Path | None) -> None:
        self.repo = repo
        self.cache = Path(cache or HF_HUB_CACHE).expanduser().resolve()
        self._folder = self.cache / repo_folder_name(repo_id=repo, repo_type="model")

    def snapshot(self, revision: str) -> Path:
        return self._folder / "snapshots" / revision

    def commits(self) -> list[str]:
        """Commits with any file: the last known `main` first, then the newest."""
        main = self._folder / "refs" / "main"
        first = main.read_text(encoding="utf-8").strip() if main.is_file() else ""
        found = sorted(self._folder.glob("snapshots/*"), key=lambda path: (path.name != first, -path.stat().st_mtime))
        return [path.name for path in found]

    def tree(self, revision: str) -> list[str] | None:
        """The file names of a commit on the hub; None where an older client made the snapshot."""
        try:
            return [file.path for file in get_cached_repo_tree(self.repo, revision=revision, cache_dir=self.cache)]
        except (hf.CachedRepoTreeNotFoundError, OSError):
            return None

    def files(self, revision: str, names: Iterable[str]) -> tuple[DryRunFileInfo, ...] | None:
        """These files of a snapshot, without a request to the hub; None unless all of them are on this disk."""
        try:
            return tuple(
                hf_hub_download(
                    self.repo, name, revision=revision, cache_dir=self.cache, local_files_only=True, dry_run=True
                )
                for name in names
            )
        except OSError:
            return None

    def folder_with(self, *names: str) -> Path | None:
        """The snapshot of the first commit of which all these files are on this disk."""
        folders = map(self.snapshot, self.commits())
        return next((folder for folder in folders if all((folder / name).is_file() for name in names)), None)


@dataclass(frozen=True, kw_only=True, slots=True)
class DownloadPlan:
    """`spec` is the base as its own index describes it. No repos: everything is in a folder. In bytes: `bytes` is the
    base's size, `present` is on this disk, `missing` is not, `free` is the room.
    """

    spec: PipelineSpec
    repos: tuple[RepoDownload, ...] = ()
    free: int = 0

    @property
    def label(self) -> str:
        return self.spec.precise_label

    @property
    def repo(self) -> str:
        return self.repos[0].repo if self.repos else self.spec.source

    @property
    def origin(self) -> str:
        """The repos of the base and of its network, where that is a file of another one."""
        file = self.spec.checkpoint
        return " and ".join(dict.fromkeys([self.repo, file.repo if file and file.repo else self.repo]))

    @property
    def revision(self) -> str | None:
        return self.repos[0].revision if self.repos else None

    @property
    def files(self) -> tuple[DryRunFileInfo, ...]:
        return tuple(file for piece in self.repos for file in piece.files)

    @property
    def bytes(self) -> int:
        return sum(file.file_size or 0 for file in self.files)

    @property
    def missing(self) -> int:
        return sum(file.file_size or 0 for file in self.files if file.will_download)

    @property
    def present(self) -> int:
        return self.bytes - self.missing

    @property
    def license(self) -> str:
        """What the hub says, or our table where it says nothing."""
        return "; ".join(dict.fromkeys(piece.license for piece in self.repos if piece.license)) or self.spec.license

    @property
    def gated(self) -> bool:
        return any(piece.gated for piece in self.repos)


def fetch(plan: DownloadPlan, source: Source, request: GenerationRequest, callbacks: Callbacks) -> LocalBase:
    """Downloads what is missing, as far as the request allows that."""
    check_download(plan, request.may_fetch, may_complete=request.may_complete)
    done, total = 0, plan.missing

    def on_bytes(count: int) -> None:
        nonlocal done
        callbacks.raise_if_cancelled()
        done += count
        # Restarted downloads count bytes twice: never show more than all of it.
        callbacks.report(f"Fetching {plan.label} ({size(total, precise=True)})", min(done, total), total)

    return download(plan, source, on_bytes)


def check_download(plan: DownloadPlan, may_fetch: bool, *, may_complete: bool = True) -> None:
    """Raises NeedsFetching for a large download without the user's consent, NoBase if it would not fit on the disk.

    Without `may_complete`, nothing is fetched, not even what is small.
    """
    if plan.missing == 0:
        return
    what = f"{plan.label} ({size(plan.missing, precise=True)} from {plan.origin})"
    free = size(plan.free, precise=True)
    if may_complete and plan.missing + _SPARE > plan.free:
        text = _(
            "There is no room for {what}: {free} are free on this disk, and a gigabyte should stay so. "
            "Make room, point HF_HOME to another disk, or choose a smaller base."
        )
        raise NoBase(text.format(what=what, free=free))
    if may_complete and (plan.missing <= _WITHOUT_ASKING or may_fetch):
        return
    there = f" {size(plan.present, precise=True)} of it are here already." if plan.present > _WORTH_A_WORD else ""
    raise NeedsFetching(
        _(
            "{what} has to be downloaded first, under {value}.{there} {free} are free on this disk. Agree to "
            "the download (--fetch), or choose another base."
        ).format(what=what, value=plan.license or "a licence that its page names", there=there, free=free),
        label=plan.label,
        repo=plan.repo,
        bytes=plan.missing,
        present=plan.present,
        free=plan.free,
        license=plan.license,
        gated=plan.gated,
    )


def download(plan: DownloadPlan, source: Source, on_bytes: Callable[[int], None]) -> LocalBase:
    """Resumes an interrupted download. `on_bytes` gets the bytes since its last call, and may raise to cancel."""
    folders = [Repo.of(piece.repo, plan.spec, source).download(piece, on_bytes) for piece in plan.repos]
    parts = {piece.part: folder / piece.folder for piece, folder in zip(plan.repos, folders, strict=True) if piece.part}
    main = folders[0] if folders else Path(plan.spec.source)
    local = LocalBase(folder=main, revision=plan.revision, parts=parts)
    if (own := plan.spec.checkpoint) is None:
        return local
    at = folders[-1] if own.repo else Path()
    return replace(local, checkpoint=at / own.file, beside={part: at / name for part, name in own.beside})


# Not their subclasses: a connection that breaks is an OSError too.
_OF_THIS_DISK = (OSError, PermissionError, NotADirectoryError, FileExistsError, IsADirectoryError)
_HUGGING_FACE = "https://huggingface.co"
_FAILURES = (hf.HfHubHTTPError, hf.EntryNotFoundError, hf.OfflineModeIsEnabled, httpx2.HTTPError, OSError)


@dataclass(frozen=True, kw_only=True, slots=True)
class Repo:
    """A repo of files for the base of that `label`. `gated`: users must accept terms first. `license` is that of our
    table.
    """

    label: str
    repo: str
    gated: bool
    license: str
    source: Source

    @classmethod
    def of(cls, repo: str, choice: PipelineSpec, source: Source) -> Self:
        own = repo == choice.source
        license = choice.license if own else ""
        return cls(label=choice.label, repo=repo, gated=own and choice.gated, license=license, source=source)

    @property
    def cache(self) -> RepoCache:
        return RepoCache(self.repo, self.source.cache)

    @property
    def options(self) -> dict[str, Any]:
        source = self.source
        key = source.token or False
        return {"endpoint": source.endpoint, "token": key, "cache_dir": source.cache, "etag_timeout": OPEN_SECONDS}

    @contextmanager
    def errors_as_messages(self) -> Iterator[None]:
        try:
            yield
        except _FAILURES as error:
            raise self._message(error) from error

    def commits(self, revision: str | None) -> Iterator[Commit]:
        """Those on this disk, then the hub's, which is only asked if it is needed. `revision` None is the newest."""
        for found in [revision] if revision else self.cache.commits():
            yield Commit(repo=self, revision=found, names=self.cache.tree(found))
        with self.errors_as_messages():
            api = HfApi(endpoint=self.source.endpoint, token=self.source.token or False)
            info = api.model_info(self.repo, revision=revision, timeout=OPEN_SECONDS)
        # The hub describes a gated repo to everyone, and refuses its files only.
        if info.gated and self.source.token is None:
            raise self._access_error()
        names = [sibling.rfilename for sibling in info.siblings or ()]
        yield Commit(repo=self, revision=str(info.sha), names=names, info=info)

    def download(self, piece: RepoDownload, on_bytes: Callable[[int], None]) -> Path:
        with replace(self, gated=piece.gated).errors_as_messages():
            folder = snapshot_download(
                self.repo,
                revision=piece.revision,
                allow_patterns=[glob.escape(file.filename) for file in piece.files],
                tqdm_class=_progress_bar(on_bytes),
                # What is here needs no hub.
                local_files_only=not any(file.will_download for file in piece.files),
                **self.options,
            )
        return Path(folder)

    def _message(self, error: Exception) -> HubUiError:
        if isinstance(error, OSError) and type(error) in _OF_THIS_DISK:
            if error.errno == errno.ENOSPC:
                return NoBase(
                    f"The disk is full, and {self.label} is not whole yet. Make room and try again: it goes on."
                )
            return NoBase(
                f"{self.label} can't be kept on this disk ({error.strerror}). Check Hugging Face's cache folder "
                "(HF_HOME)."
            )
        # The hub doesn't tell an anonymous caller whether a gated repo exists.
        if isinstance(error, hf.GatedRepoError) or (self.gated and isinstance(error, hf.RepositoryNotFoundError)):
            return self._access_error()
        if isinstance(error, hf.RevisionNotFoundError):
            return NoBase(
                f"The commit of {self.repo} that this version of the program uses is gone from Hugging Face. Choose "
                "another base, or update hub-ui."
            )
        if isinstance(error, hf.RemoteEntryNotFoundError):
            return NoBase(f"A file of {self.repo} is gone from Hugging Face. Choose another base, or update hub-ui.")
        if not isinstance(error, hf.RepositoryNotFoundError):
            found = huggingface_error(error, self.label)
            message = f"{self.label} could not be fetched: {found.message} What is there is kept."
            return type(found)(message, hub=found.hub, retry_after=found.retry_after)
        if self.source.endpoint == _HUGGING_FACE:
            return NoBase(f"There is no base model {self.repo} on Hugging Face, or not for you. Choose another base.")
        # A mirror, and the demo's local hub, have only some of the repos.
        return NoBase(
            f"There is no base model {self.repo} at {self.source.endpoint}, which HF_ENDPOINT names in place of "
            "Hugging Face. Choose another base, or unset HF_ENDPOINT."
        )

    def _access_error(self) -> Gated:
        page = f"https://huggingface.co/{self.repo}"
        if self.source.token:
            message = (
                f"Hugging Face doesn't give out {self.label} for your key yet: open {page} signed in as the key's "
                "owner and agree to its licence (some authors answer by hand), then try again; or choose another base."
            )
        else:
            message = (
                f"{self.label} is given out after you agree to its licence: open {page}, agree, and set HF_TOKEN to a "
                "key of yours; or choose another base."
            )
        return Gated(message, hub="huggingface", url=page)


@dataclass(frozen=True, kw_only=True, slots=True)
class Commit:
    """A commit of a repo: the hub's, which says its `info`, or one on this disk. `names` are its files; None where an
    older client brought some of them here.
    """

    repo: Repo
    revision: str
    names: Sequence[str] | None
    info: ModelInfo | None = None

    @property
    def folder(self) -> Path:
        """Where its files are, once they are on this disk."""
        return self.repo.cache.snapshot(self.revision)

    def fetch_settings(self, names: Iterable[str]) -> None:
        """Brings those of these files here that the hub has."""
        with self.repo.errors_as_messages():
            for name in set(names).intersection(self.names or ()) if self.info else ():
                hf_hub_download(self.repo.repo, name, revision=self.revision, **self.repo.options)

    def plan(self, names: Sequence[str]) -> RepoDownload | None:
        """Asks the hub for each file's size, which shows before the download whether this key may read it. Of what is
        on this disk, None where a file is missing.
        """
        repo, info = self.repo, self.info
        found = RepoDownload(repo=repo.repo, revision=self.revision, license=repo.license, gated=repo.gated)
        if info is None:
            here = repo.cache.files(self.revision, names)
            return replace(found, files=here) if here else None
        with repo.errors_as_messages():
            files = snapshot_download(
                repo.repo,
                revision=self.revision,
                allow_patterns=[glob.escape(name) for name in names],
                tqdm_class=_progress_bar(lambda _count: None),
                dry_run=True,
                **repo.options,
            )
        card: Any = info.card_data or {}
        # "other" means that the name stands beside it.
        named = card.get("license_name") if card.get("license") == "other" else card.get("license")
        license = named if isinstance(named, str) else repo.license
        ordered = tuple(sorted(files, key=lambda file: file.filename))
        return replace(found, files=ordered, license=license, gated=bool(info.gated))


def plan_part(
    repo: str,
    revision: str | None,
    part: str,
    select: Callable[[Iterable[str]], Sequence[str]],
    choice: PipelineSpec,
    source: Source,
) -> RepoDownload:
    """A part in another repo: the files that `select` finds in it."""
    for commit in Repo.of(repo, choice, source).commits(revision):
        names = select(commit.names or ())
        if names and (found := commit.plan(names)):
            return found
    text = _("{repo} has no {part} for {label}. Choose another base.")
    raise NoBase(text.format(repo=repo, part=part.replace("_", " "), label=choice.label))


def _progress_bar(on_bytes: Callable[[int], None]) -> type[tqdm]:
    class Bar(tqdm):
        """Calls back instead of printing. Other bars count files, and compressed bytes in transfer."""

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            self._counts_bytes = kwargs.get("unit") == "B" and kwargs.get("desc") != "Downloading bytes"
            super().__init__(*args, **{**kwargs, "disable": True})  # type: ignore[no-untyped-call]

        def update(self, n: float | None = 1) -> bool | None:
            on_bytes(int(n or 0) if self._counts_bytes else 0)
            return None

    return Bar
