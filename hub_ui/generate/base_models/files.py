"""Which files a base and its drafts need, and where they are."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from connectors.errors import AccessError, NeedsFetching, NetworkError, NoBase, NotFound, RateLimited
from connectors.ref import Ref
from hub_ui.base.i18n import _
from hub_ui.generate.base_models import BASES, PACKAGED, PipelineSpec, SharedComponent, repo_layout, resolve_base
from hub_ui.generate.base_models.download import DownloadPlan, Repo, RepoCache, RepoDownload, Source, fetch, plan_part
from hub_ui.generate.base_models.table import NETWORKS, Draft
from hub_ui.generate.request import Callbacks, GenerationRequest, LoraInput


def bases_here(names: Collection[str] = (), *, demo: bool = False) -> list[str]:
    """The ids of the base models of which there are files on this disk. `names` empty: all, the demo's only there."""
    wanted = (base for base in BASES if (base.id in names if names else demo or base.source != str(PACKAGED)))
    return [base.id for base in wanted if is_on_disk(base, None)]


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
    choice = resolve_base(choice, index)
    elsewhere = (
        SharedComponent(part=name, kind=part.kind, repo=part.repo, folder=part.folder)
        for name, part in index.parts.items()
        if part.repo is not None
    )
    pieces = [main]
    for each in (*choice.shared_components, *elsewhere):
        select = partial(repo_layout.select_part_files, folder=each.folder, dtype=choice.dtype, kind=each.kind)
        piece = plan_part(each.repo, each.revision, each.part, select, choice, source)
        pieces.append(replace(piece, part=each.part, folder=each.folder))
    # The file on a hub that replaces some weights; a local file needs no download.
    if (file := choice.checkpoint) is not None and file.repo is not None:
        names = [file.file, *(name for _, name in file.beside)]
        pieces.append(plan_part(file.repo, file.revision, "network", partial(_only, names), choice, source))
    return DownloadPlan(spec=choice, repos=tuple(pieces), free=source.free())


def _plan_main(choice: PipelineSpec, source: Source) -> tuple[RepoDownload, repo_layout.Index]:
    """The base's own repo and its index."""
    settings = [f"{network}/config.json" for network in NETWORKS if choice.assumed]
    indexes: list[str] = []
    for commit in Repo.of(choice.source, choice, source).commits(choice.revision):
        commit.fetch_settings([*repo_layout.INDEXES, *settings])
        folder, names = commit.folder, commit.names
        index = repo_layout.read_index(folder, choice.source, names)
        if names is None:
            if index is None or repo_layout.missing_parts(folder, index, choice.brings):
                continue
            names = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
        indexes = [name for name in repo_layout.INDEXES if name in names]
        if index is None and (commit.info is None or indexes):
            continue
        for file in settings:
            repo_layout.check_packing(choice.label, (folder / file).parent)
        needed = repo_layout.select_files(names, index, choice.dtype, replaced_parts=choice.brings)
        if index is not None and (found := commit.plan(needed)):
            return found, index
    text = _("{repo}'s {name} can't be read. Choose another base.")
    raise NoBase(text.format(repo=choice.source, name=" and ".join(indexes)))


# What diffusers reads an AutoencoderTiny from.
_DECODER = ("config.json", "diffusion_pytorch_model.safetensors")


@dataclass(frozen=True, kw_only=True, slots=True)
class DraftFiles:
    """`draft` is the base's row without what could not be had. The `followers` go with each image at their own weight;
    `refs` name all files. `decoder` is the folder of the small one, which gives images in full their first previews.
    """

    draft: Draft
    followers: tuple[LoraInput, ...] = ()
    decoder: Path | None = None
    refs: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def find_draft(
    spec: PipelineSpec, source: Source, request: GenerationRequest, callbacks: Callbacks, *, decoder: bool = False
) -> DraftFiles:
    """The files of a draft, downloaded where they are missing. Images in full get the decoder that is here, or with
    `decoder` the hub's.

    It goes on without what can't be had, but for what a person may still agree to.
    """
    draft, lora, refs, notes = spec.draft, spec.draft.lora if request.draft else None, dict[str, Ref](), list[str]()
    folders: dict[str, Path] = {}
    wanted: list[tuple[str, str | None, tuple[str, ...]]] = []
    wanted += [(lora.repo, lora.revision, (lora.file,))] if lora else []
    wanted += [(draft.decoder, None, _DECODER)] if draft.decoder and (request.draft or decoder) else []
    for repo, revision, names in wanted:
        about = replace(spec, label=_("What drafts with {base} need").format(base=spec.label), checkpoint=None)
        about = replace(about, precision="full", license=lora.license if lora and repo == lora.repo else "")
        try:
            piece = plan_part(repo, revision, "draft", partial(_only, names), about, source)
            local = fetch(DownloadPlan(spec=about, repos=(piece,), free=source.free()), source, request, callbacks)
            if not all((local.folder / name).is_file() for name in names):
                raise NotFound(_("A file is gone from there."))
        except (AccessError, NetworkError, NoBase, NotFound, RateLimited) as error:
            if request.may_complete and isinstance(error, NeedsFetching):
                raise
            notes.append(_("The draft was made without {repo}: {reason}").format(repo=repo, reason=error.message))
            continue
        folders[repo] = local.folder
        refs[repo] = Ref(hub="huggingface", id=repo, version=local.revision, file=names[0] if names[1:] == () else None)
    if not request.draft:
        here = RepoCache(draft.decoder, source.cache).folder_with(*_DECODER) if draft.decoder else None
        return DraftFiles(draft=draft, decoder=here)
    followers: tuple[LoraInput, ...] = ()
    if lora and lora.repo in folders:
        path = folders[lora.repo] / lora.file
        followers = (LoraInput(ref=refs[lora.repo], path=path, title=path.stem, weight=lora.weight),)
    return DraftFiles(
        draft=replace(draft, lora=lora if followers else None),
        followers=followers,
        decoder=folders.get(draft.decoder),
        refs=tuple(map(str, refs.values())),
        notes=tuple(notes),
    )


def _only(names: Sequence[str], _there: Iterable[str]) -> Sequence[str]:
    return names
