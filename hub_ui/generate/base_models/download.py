"""Downloads base models to Hugging Face's cache at one commit, after a plan with sizes and licences."""

import errno
import glob
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from shutil import disk_usage
from typing import Any, Self

import httpx2
from huggingface_hub import DryRunFileInfo, HfApi, hf_hub_download, snapshot_download
from huggingface_hub import errors as hf
from huggingface_hub.constants import HF_HUB_CACHE
from huggingface_hub.hf_api import ModelInfo
from huggingface_hub.utils.tqdm import tqdm

from connectors.errors import Gated, HubUiError, NeedsFetching, NoBase
from connectors.federation import OPEN_SECONDS
from connectors.http.errors import huggingface_error
from connectors.registry import HubName
from hub_ui.format import size
from hub_ui.generate.base_models import BASES, PACKAGED, PipelineSpec, SharedComponent, repo_layout, resolve_base
from hub_ui.generate.base_models.repo_layout import LocalBase, RepoCache, RepoDownload
from hub_ui.generate.base_models.table import NETWORKS
from hub_ui.generate.request import Callbacks, GenerationRequest
from hub_ui.i18n import _

# Bytes that are downloaded without confirmation: a few seconds on a usual connection.
_WITHOUT_ASKING = 1_000_000_000
# Less than this is settings, which were read for the plan.
_WORTH_A_WORD = 50_000_000
# Bytes to leave free beside a download, for other programs.
_SPARE = 1_000_000_000


def bases_here(names: Collection[str] = (), *, demo: bool = False) -> list[str]:
    """The ids of the base models of which there are files on this disk. `names` empty: all, the demo's only there."""
    wanted = (base for base in BASES if (base.id in names if names else demo or base.source != str(PACKAGED)))
    return [base.id for base in wanted if is_on_disk(base, None)]


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


def is_on_disk(choice: PipelineSpec, cache: Path | None) -> bool:
    """Whether there are any files of it, all or some."""
    return Path(choice.source).is_dir() or bool(RepoCache(choice.source, cache).commits())


def plan_download(choice: PipelineSpec, source: Source) -> DownloadPlan:
    """Needs no hub if the whole base is on this disk. Raises NoBase for an unusable repo, and the hub's errors."""
    folder = Path(choice.source)
    if folder.is_dir():
        index = repo_layout.read_index(folder)
        return DownloadPlan(spec=resolve_base(choice, index) if index else choice)
    if choice.source == str(PACKAGED):
        raise NoBase(_("The tiny base model is not part of this installation. Install hub-ui from its wheel."))
    main, index = _plan_main(choice, source)
    choice = resolve_base(choice, index) if index else choice
    elsewhere = index.parts.items() if index else ()
    shared = [
        *choice.shared_components,
        *(
            SharedComponent(part=name, kind=part.kind, repo=part.repo, folder=part.folder)
            for name, part in elsewhere
            if part.repo is not None
        ),
    ]
    pieces = [main]
    for each in shared:
        select = partial(repo_layout.select_part_files, folder=each.folder, dtype=choice.dtype, kind=each.kind)
        piece = plan_part(each.repo, each.revision, each.part, select, choice, source)
        pieces.append(replace(piece, part=each.part, folder=each.folder))
    # The file on a hub that replaces some weights; a local file needs no download.
    if (file := choice.checkpoint) is not None and file.repo is not None:
        names = [file.file, *(name for _, name in file.beside)]
        pieces.append(plan_part(file.repo, file.revision, "network", lambda _there: names, choice, source))
    return DownloadPlan(spec=choice, repos=tuple(pieces), free=source.free())


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
    checkpoint = plan.spec.checkpoint
    file = Path(checkpoint.file) if checkpoint and checkpoint.repo is None else None
    if not plan.repos:
        return LocalBase(folder=Path(plan.spec.source), checkpoint=file)
    folders = [_download_piece(piece, plan.spec, source, on_bytes) for piece in plan.repos]
    parts = {piece.part: folder / piece.folder for piece, folder in zip(plan.repos, folders, strict=True) if piece.part}
    local = LocalBase(folder=folders[0], revision=plan.revision, parts=parts, checkpoint=file)
    if checkpoint is None or checkpoint.repo is None:
        return local
    beside = {part: folders[-1] / name for part, name in checkpoint.beside}
    return replace(local, checkpoint=folders[-1] / checkpoint.file, beside=beside)


def _plan_main(choice: PipelineSpec, source: Source) -> tuple[RepoDownload, repo_layout.Index | None]:
    """The base's own repo and its index."""
    brings = choice.brings
    if found := RepoCache(choice.source, source.cache).find_base(choice.revision, choice.dtype, brings):
        piece, known = found
        return replace(piece, license=choice.license, gated=choice.gated), known
    remote = _Remote.of(choice.source, choice, source)
    info = remote.ask(choice.revision)
    index = remote.fetch_index(info)
    if choice.assumed:
        for config in {f"{network}/config.json" for network in NETWORKS}.intersection(_names(info)):
            repo_layout.check_packing(choice.label, remote.fetch(config, info).parent)
    names = repo_layout.select_files(_names(info), index, choice.dtype, replaced_parts=brings)
    return remote.plan(info, names, license=choice.license), index


def plan_part(
    repo: str,
    revision: str | None,
    part: str,
    select: Callable[[Iterable[str]], Sequence[str]],
    choice: PipelineSpec,
    source: Source,
) -> RepoDownload:
    """A part in another repo: the files that `select` finds in it."""
    if found := RepoCache(repo, source.cache).find(revision, select):
        return found
    remote = _Remote.of(repo, choice, source)
    info = remote.ask(revision)
    names = select(_names(info))
    if not names:
        text = _("{repo} has no {part} for {label}. Choose another base.")
        raise NoBase(text.format(repo=repo, part=part.replace("_", " "), label=choice.label))
    return remote.plan(info, names)


# Not their subclasses: a connection that breaks is an OSError too.
_OF_THIS_DISK = (OSError, PermissionError, NotADirectoryError, FileExistsError, IsADirectoryError)
_HUGGING_FACE = "https://huggingface.co"
_FAILURES = (hf.HfHubHTTPError, hf.EntryNotFoundError, hf.OfflineModeIsEnabled, httpx2.HTTPError, OSError)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Remote:
    """A repo on the hub, for the base of that `label`. `gated`: users must accept terms first."""

    label: str
    repo: str
    gated: bool
    source: Source

    @classmethod
    def of(cls, repo: str, choice: PipelineSpec, source: Source) -> Self:
        return cls(label=choice.label, repo=repo, gated=choice.gated and repo == choice.source, source=source)

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

    def ask(self, revision: str | None) -> ModelInfo:
        with self.errors_as_messages():
            api = HfApi(endpoint=self.source.endpoint, token=self.source.token or False)
            info = api.model_info(self.repo, revision=revision, timeout=OPEN_SECONDS)
        # The hub describes a gated repo to everyone, and refuses its files only.
        if info.gated and self.source.token is None:
            raise self._access_error()
        return info

    def fetch(self, name: str, info: ModelInfo) -> Path:
        with self.errors_as_messages():
            return Path(hf_hub_download(self.repo, name, revision=info.sha, **self.options))

    def fetch_index(self, info: ModelInfo) -> repo_layout.Index | None:
        """None where the repo has none."""
        names = _names(info)
        name = next((name for name in repo_layout.INDEXES if name in names), None)
        if name is None:
            return None
        try:
            data = json.loads(self.fetch(name, info).read_text(encoding="utf-8"))
            return repo_layout.parse_index(data, self.repo, names)
        except ValueError as error:
            text = _("{repo}'s {name} can't be read. Choose another base.")
            raise NoBase(text.format(repo=self.repo, name=name)) from error

    def plan(self, info: ModelInfo, names: Iterable[str], *, license: str = "") -> RepoDownload:
        """Asks for each file's size, which shows before the download whether this key may read it."""
        with self.errors_as_messages():
            files = snapshot_download(
                self.repo,
                revision=info.sha,
                allow_patterns=[glob.escape(name) for name in names],
                tqdm_class=_progress_bar(lambda _count: None),
                dry_run=True,
                **self.options,
            )
        card: Any = info.card_data or {}
        # "other" means that the name stands beside it.
        named = card.get("license_name") if card.get("license") == "other" else card.get("license")
        return RepoDownload(
            repo=self.repo,
            revision=str(info.sha),
            files=tuple(sorted(files, key=lambda file: file.filename)),
            license=named if isinstance(named, str) else license,
            gated=bool(info.gated),
        )

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


def _names(info: ModelInfo) -> list[str]:
    return [sibling.rfilename for sibling in info.siblings or ()]


def _download_piece(piece: RepoDownload, choice: PipelineSpec, source: Source, on_bytes: Callable[[int], None]) -> Path:
    remote = replace(_Remote.of(piece.repo, choice, source), gated=piece.gated)
    with remote.errors_as_messages():
        folder = snapshot_download(
            piece.repo,
            revision=piece.revision,
            allow_patterns=[glob.escape(file.filename) for file in piece.files],
            tqdm_class=_progress_bar(on_bytes),
            # What is here needs no hub.
            local_files_only=not any(file.will_download for file in piece.files),
            **remote.options,
        )
    return Path(folder)


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
