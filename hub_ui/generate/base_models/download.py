"""A base model from a hub to this disk, in two steps: what it would take, and then the download itself.

plan -> what would be fetched and how large it is, under which licence -> check -> a person agrees -> fetch

Downloads go to Hugging Face's own cache, at one commit, so that nothing is fetched twice and other programs find it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, hf_hub_download, snapshot_download
from huggingface_hub.hf_api import ModelInfo, RepoSibling
from huggingface_hub.utils.tqdm import tqdm

from connectors.errors import NeedsFetching, NoBase
from hub_ui.generate.base_models import PACKAGED, PipelineSpec, SharedComponent, download_errors, repo_layout, settled
from hub_ui.generate.base_models.download_errors import FAILURES, Asked
from hub_ui.generate.base_models.hub_cache import Cached, RemoteFile
from hub_ui.terminal import size

# What is fetched without asking: a few seconds of a usual connection.
_WITHOUT_ASKING = 1_000_000_000
# Less than this is settings, which were read for the plan.
_WORTH_A_WORD = 50_000_000
# Left free beside a download, for everything else that the computer does meanwhile.
_SPARE = 1_000_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """Where base models are fetched from. The token goes to this endpoint only."""

    endpoint: str
    token: str | None
    cache: Path | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Piece:
    """What is needed of one repo, at one commit. `part` names the pipeline's part that it is, None for the main one."""

    repo: str
    revision: str
    files: tuple[RemoteFile, ...]
    license: str = ""
    gated: bool = False
    part: str | None = None
    folder: str = ""

    @property
    def whole(self) -> bool:
        return all(file.present for file in self.files)


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """`choice` is the one asked for as its own index says it is. No pieces: everything lies in a folder already.

    `bytes` is what the base takes, `present` how much of that is on this disk, `missing` the rest. `free` is the room.
    """

    choice: PipelineSpec
    pieces: tuple[Piece, ...] = ()
    free: int = 0

    @property
    def repo(self) -> str:
        return self.pieces[0].repo if self.pieces else self.choice.source

    @property
    def revision(self) -> str | None:
        return self.pieces[0].revision if self.pieces else None

    @property
    def files(self) -> tuple[RemoteFile, ...]:
        return tuple(file for piece in self.pieces for file in piece.files)

    @property
    def bytes(self) -> int:
        return sum(file.size for file in self.files)

    @property
    def present(self) -> int:
        return sum(file.size for file in self.files if file.present)

    @property
    def missing(self) -> int:
        return self.bytes - self.present

    @property
    def license(self) -> str:
        """The hub's word, our table's where the hub has none."""
        return "; ".join(dict.fromkeys(piece.license for piece in self.pieces if piece.license)) or self.choice.license

    @property
    def gated(self) -> bool:
        return any(piece.gated for piece in self.pieces)


@dataclass(frozen=True, kw_only=True, slots=True)
class Fetched:
    """A base on this disk. `parts` are those that lie elsewhere than in `folder`, by their names.

    `checkpoint` is the file whose weights replace those of some parts.
    """

    folder: Path
    revision: str | None = None
    parts: Mapping[str, Path] = field(default_factory=dict)
    checkpoint: Path | None = None


def plan(choice: PipelineSpec, source: Source) -> Plan:
    """What is to be fetched for a base. What is whole on this disk needs no hub."""
    folder = Path(choice.source)
    if folder.is_dir():
        index = repo_layout.read_index(folder)
        return Plan(choice=settled(choice, index) if index else choice)
    if choice.source == str(PACKAGED):
        raise NoBase("The tiny base model is not part of this installation. Install hub-ui from its wheel.")
    main, index = _main_piece(choice, source)
    found = settled(choice, index) if index else choice
    others = tuple(_borrowed_piece(borrowed, found, source) for borrowed in _borrowed(found, index))
    return Plan(
        choice=found,
        pieces=(main, *others, *_checkpoint_piece(found, source)),
        free=Cached(choice.source, source.cache).free(),
    )


def check(plan: Plan, may_fetch: bool) -> None:
    """Raises NeedsFetching before gigabytes come that nobody agreed to, NoBase where they would not fit on the disk."""
    if plan.missing == 0:
        return
    what = f"{plan.choice.label} ({size(plan.missing)} from {plan.repo})"
    if plan.missing + _SPARE > plan.free:
        raise NoBase(
            f"There is no room for {what}: {size(plan.free)} are free on this disk, and a gigabyte should stay so. "
            "Make room, point HF_HOME to another disk, or choose a smaller base."
        )
    if plan.missing <= _WITHOUT_ASKING or may_fetch:
        return
    there = f" {size(plan.present)} of it are here already." if plan.present > _WORTH_A_WORD else ""
    raise NeedsFetching(
        f"{what} has to be downloaded first, under {plan.license or 'a licence that its page names'}.{there} "
        f"{size(plan.free)} are free on this disk. Agree to the download (--fetch), or choose another base.",
        label=plan.choice.label,
        repo=plan.repo,
        bytes=plan.missing,
        present=plan.present,
        free=plan.free,
        license=plan.license,
        gated=plan.gated,
    )


def fetch(plan: Plan, source: Source, on_bytes: Callable[[int], None]) -> Fetched:
    """Everything of the plan, on this disk. `on_bytes` is told how many more have come, and may raise to stop it."""
    checkpoint = plan.choice.checkpoint
    own = Path(checkpoint.file) if checkpoint and checkpoint.repo is None else None
    if not plan.pieces:
        return Fetched(folder=Path(plan.choice.source), checkpoint=own)
    folders = [_folder(piece, plan.choice, source, on_bytes) for piece in plan.pieces]
    parts = {
        piece.part: folder / piece.folder for piece, folder in zip(plan.pieces, folders, strict=True) if piece.part
    }
    if checkpoint and checkpoint.repo:
        own = folders[-1] / checkpoint.file
    return Fetched(folder=folders[0], revision=plan.pieces[0].revision, parts=parts, checkpoint=own)


def folder(choice: PipelineSpec, source: Source, on_bytes: Callable[[int], None]) -> Path:
    """The base's files on this disk, fetched without asking if need be."""
    return fetch(plan(choice, source), source, on_bytes).folder


def _main_piece(choice: PipelineSpec, source: Source) -> tuple[Piece, repo_layout.Index | None]:
    brought = choice.checkpoint.brings if choice.checkpoint else frozenset[str]()
    cached = Cached(choice.source, source.cache)
    for revision in [choice.revision] if choice.revision else cached.commits():
        if (held := _held(cached, revision, choice, brought)) is not None:
            return held
    asked = Asked(
        label=choice.label,
        repo=choice.source,
        gated=choice.gated,
        key=source.token is not None,
        endpoint=source.endpoint,
    )
    info = _asked(asked, choice.revision, source)
    index = _index(asked, info, source)
    files = _files(info, cached)
    names = repo_layout.wanted([file.name for file in files], index, choice.dtype, brought=brought)
    return _piece(info, files, names, choice.license), index


def _held(
    cached: Cached, revision: str, choice: PipelineSpec, brought: frozenset[str]
) -> tuple[Piece, repo_layout.Index] | None:
    """The base from the cache alone, if a commit is whole there."""
    index = repo_layout.read_index(cached.snapshot(revision))
    if index is None:
        return None
    listed = cached.listing(revision)
    if listed is None and repo_layout.missing(cached.snapshot(revision), index, brought):
        return None
    files = listed or cached.held(cached.files(revision), revision)
    names = repo_layout.wanted([file.name for file in files], index, choice.dtype, brought=brought)
    chosen = tuple(file for file in files if file.name in names)
    piece = Piece(repo=cached.repo, revision=revision, files=chosen, license=choice.license, gated=choice.gated)
    return (piece, index) if piece.whole else None


def _borrowed(choice: PipelineSpec, index: repo_layout.Index | None) -> Iterator[SharedComponent]:
    """Parts that lie in other repos: those our table knows of, and those that a modular index points to."""
    yield from choice.borrowed
    for name, part in index.parts.items() if index else ():
        if part.repo is not None:
            yield SharedComponent(part=name, kind=part.kind, repo=part.repo, folder=part.folder)


def _borrowed_piece(borrowed: SharedComponent, choice: PipelineSpec, source: Source) -> Piece:
    cached = Cached(borrowed.repo, source.cache)
    for revision in [borrowed.revision] if borrowed.revision else cached.commits():
        listed = cached.listing(revision)
        piece = _part_of(listed or (), borrowed, revision, choice)
        if listed and piece.files and piece.whole:
            return piece
    asked = Asked(
        label=choice.label, repo=borrowed.repo, gated=False, key=source.token is not None, endpoint=source.endpoint
    )
    info = _asked(asked, borrowed.revision, source)
    if info.gated:
        _admitted(asked, info, source)
    piece = _part_of(_files(info, cached), borrowed, str(info.sha), choice)
    if not piece.files:
        part = borrowed.part.replace("_", " ")
        raise NoBase(f"{borrowed.repo} has no {part} for {choice.label}. Choose another base.")
    return _described(piece, info, "")


def _part_of(files: Iterable[RemoteFile], borrowed: SharedComponent, revision: str, choice: PipelineSpec) -> Piece:
    listed = tuple(files)
    names = repo_layout.of_part([file.name for file in listed], borrowed.folder, choice.dtype, kind=borrowed.kind)
    chosen = tuple(file for file in listed if file.name in names)
    return Piece(repo=borrowed.repo, revision=revision, files=chosen, part=borrowed.part, folder=borrowed.folder)


def _checkpoint_piece(choice: PipelineSpec, source: Source) -> tuple[Piece, ...]:
    """The file on a hub that replaces some weights; a file of this disk takes nothing."""
    checkpoint = choice.checkpoint
    if checkpoint is None or checkpoint.repo is None:
        return ()
    cached = Cached(checkpoint.repo, source.cache)
    for revision in [checkpoint.revision] if checkpoint.revision else cached.commits():
        if (cached.snapshot(revision) / checkpoint.file).is_file():
            files = cached.held([checkpoint.file], revision)
            return (Piece(repo=checkpoint.repo, revision=revision, files=files),)
    asked = Asked(
        label=choice.label, repo=checkpoint.repo, gated=False, key=source.token is not None, endpoint=source.endpoint
    )
    info = _asked(asked, checkpoint.revision, source)
    return (_piece(info, _files(info, cached), (checkpoint.file,), ""),)


def _asked(asked: Asked, revision: str | None, source: Source) -> ModelInfo:
    api = HfApi(endpoint=source.endpoint, token=source.token or False)
    try:
        return api.model_info(asked.repo, revision=revision, files_metadata=True)
    except FAILURES as error:
        raise download_errors.told(asked, error) from error


def _index(asked: Asked, info: ModelInfo, source: Source) -> repo_layout.Index | None:
    """None where the repo has none."""
    names = {sibling.rfilename for sibling in info.siblings or ()}
    name = next((name for name in repo_layout.INDEXES if name in names), None)
    if name is None:
        return None
    try:
        index = repo_layout.parse_index(json.loads(_small_file(asked, info, name, source)))
    except ValueError as error:
        raise NoBase(f"{asked.repo}'s {name} can't be read. Choose another base.") from error
    return repo_layout.at_home(index, asked.repo, names)


def _admitted(asked: Asked, info: ModelInfo, source: Source) -> None:
    """Raises Gated now rather than after a person agreed to the download."""
    name = next((s.rfilename for s in info.siblings or () if s.rfilename.endswith("config.json")), None)
    if name is not None:
        _small_file(asked, info, name, source)


def _small_file(asked: Asked, info: ModelInfo, name: str, source: Source) -> str:
    if info.gated and source.token is None:
        raise download_errors.gated(asked)
    try:
        path = hf_hub_download(
            asked.repo,
            name,
            revision=info.sha,
            endpoint=source.endpoint,
            token=source.token or False,
            cache_dir=source.cache,
        )
    except FAILURES as error:
        raise download_errors.told(asked, error) from error
    return Path(path).read_text(encoding="utf-8")


def _files(info: ModelInfo, cached: Cached) -> tuple[RemoteFile, ...]:
    found = [_remote(sibling) for sibling in info.siblings or ()]
    revision = str(info.sha)
    return tuple(
        RemoteFile(name=file.name, size=file.size, blob=file.blob, present=cached.has(file, revision)) for file in found
    )


def _remote(sibling: RepoSibling) -> RemoteFile:
    blob = sibling.lfs.sha256 if sibling.lfs else sibling.blob_id
    return RemoteFile(name=sibling.rfilename, size=sibling.size or 0, blob=blob)


def _piece(info: ModelInfo, files: Iterable[RemoteFile], names: Iterable[str], license: str) -> Piece:
    wanted = frozenset(names)
    chosen = tuple(file for file in files if file.name in wanted)
    return _described(Piece(repo=info.id, revision=str(info.sha), files=chosen), info, license)


def _described(piece: Piece, info: ModelInfo, license: str) -> Piece:
    return Piece(
        repo=piece.repo,
        revision=piece.revision,
        files=piece.files,
        license=_license(info) or license,
        gated=bool(info.gated),
        part=piece.part,
        folder=piece.folder,
    )


def _license(info: ModelInfo) -> str:
    """A card's "other" means that the name stands beside it."""
    card: Any = info.card_data or {}
    license = card.get("license")
    said = card.get("license_name") if license == "other" else license
    return said if isinstance(said, str) else ""


def _folder(piece: Piece, choice: PipelineSpec, source: Source, on_bytes: Callable[[int], None]) -> Path:
    snapshot = Cached(piece.repo, source.cache).snapshot(piece.revision)
    if all((snapshot / file.name).is_file() for file in piece.files):
        return snapshot
    asked = Asked(
        label=choice.label, repo=piece.repo, gated=piece.gated, key=source.token is not None, endpoint=source.endpoint
    )
    try:
        return _snapshot(piece, source, on_bytes)
    except FAILURES as error:
        raise download_errors.told(asked, error) from error


def _snapshot(piece: Piece, source: Source, on_bytes: Callable[[int], None]) -> Path:
    class Bar(tqdm):
        """Tells bytes instead of drawing. Other bars count files, and what came over the line while still packed."""

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            self._counts_bytes = kwargs.get("unit") == "B" and kwargs.get("desc") != "Downloading bytes"
            super().__init__(*args, **{**kwargs, "disable": True})  # type: ignore[no-untyped-call]

        def update(self, n: float | None = 1) -> bool | None:
            on_bytes(int(n or 0) if self._counts_bytes else 0)
            return None

    return Path(
        snapshot_download(
            piece.repo,
            revision=piece.revision,
            endpoint=source.endpoint,
            token=source.token or False,
            cache_dir=source.cache,
            allow_patterns=[file.name for file in piece.files],
            tqdm_class=Bar,
        )
    )
