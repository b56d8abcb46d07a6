"""Drafts: images made the quick way that stands beside their base in the table: few steps, a small decoder, a cache.

Their files come as those of a base do. A draft goes on without what can't be had, and says so.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from connectors.errors import AccessError, NeedsFetching, NetworkError, NoBase, NotFound, RateLimited
from connectors.ref import Ref
from hub_ui.generate.base_models import PipelineSpec
from hub_ui.generate.base_models.download import DownloadPlan, LocalBase, RepoCache, Source, plan_part
from hub_ui.generate.base_models.load import FAILURES
from hub_ui.generate.base_models.precision import NETWORKS
from hub_ui.generate.base_models.table import Draft, DraftLora
from hub_ui.generate.request import LoraInput, replace_attribute
from hub_ui.i18n import _

# What diffusers reads an AutoencoderTiny from.
_DECODER = ("config.json", "diffusion_pytorch_model.safetensors")


@dataclass(frozen=True, kw_only=True, slots=True)
class DraftFiles:
    """`draft` is the base's row without what could not be had. The `followers` go with each image at their own weight,
    and `decoder` is a folder; `refs` name all of them.
    """

    draft: Draft
    followers: tuple[LoraInput, ...] = ()
    decoder: Path | None = None
    refs: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def plan_lora(lora: DraftLora, spec: PipelineSpec, source: Source) -> DownloadPlan:
    """The download of a base's LoRA for drafts. Raises as plan_download does."""
    return _plan(lora.repo, lora.revision, (lora.file,), replace(spec, license=lora.license), source)


def plan_decoder(spec: PipelineSpec, source: Source) -> DownloadPlan:
    """The download of a base's small decoder. Raises as plan_download does."""
    return _plan(spec.draft.decoder, None, _DECODER, spec, source)


def _plan(repo: str, revision: str | None, names: tuple[str, ...], spec: PipelineSpec, source: Source) -> DownloadPlan:
    label = _("What drafts with {base} need").format(base=spec.label)
    about = replace(spec, label=label, checkpoint=None, precision="full")
    piece = plan_part(repo, revision, "draft", lambda _there: names, about, source)
    if len(piece.files) < len(names):
        raise NotFound(_("{repo} has no {part}.").format(repo=repo, part=names[-1]))
    return DownloadPlan(spec=about, repos=(piece,), free=RepoCache(repo, source.cache).free())


def find_files(
    spec: PipelineSpec, source: Source, fetch: Callable[[DownloadPlan], LocalBase], *, may_ask: bool
) -> DraftFiles:
    """What drafts with a base are made with; `fetch` downloads what is missing. `may_ask`: whether it may raise
    NeedsFetching, for a person to agree to.
    """
    found = DraftFiles(draft=spec.draft)
    if (lora := spec.draft.lora) is not None:
        try:
            local = fetch(plan_lora(lora, spec, source))
            found = _with_lora(found, lora, local, spec.architecture)
        except _NOT_TO_BE_HAD as error:
            if may_ask and isinstance(error, NeedsFetching):
                raise
            without = replace(found.draft, lora=None)
            found = replace(found, draft=without, notes=(_without(lora.repo, error.message),))
    if spec.draft.decoder:
        try:
            local = fetch(plan_decoder(spec, source))
            ref = Ref(hub="huggingface", id=spec.draft.decoder, version=local.revision)
            found = replace(found, decoder=local.folder, refs=(*found.refs, str(ref)))
        except _NOT_TO_BE_HAD as error:
            without = replace(found.draft, decoder="")
            found = replace(found, draft=without, notes=(*found.notes, _without(spec.draft.decoder, error.message)))
    return found


_NOT_TO_BE_HAD = (AccessError, NetworkError, NoBase, NotFound, RateLimited)


def _without(repo: str, reason: str) -> str:
    return _("The draft was made without {repo}: {reason}").format(repo=repo, reason=reason)


def _with_lora(found: DraftFiles, lora: DraftLora, local: LocalBase, architecture: str) -> DraftFiles:
    ref = Ref(hub="huggingface", id=lora.repo, version=local.revision, file=lora.file)
    path = local.folder / lora.file
    follower = LoraInput(ref=ref, path=path, title=path.stem, weight=lora.weight, architecture=architecture)
    return replace(found, followers=(follower,), refs=(str(ref),))


def find_decoder(spec: PipelineSpec, source: Source) -> Path | None:
    """The folder of a base's small decoder, where it is on this disk."""
    cached = RepoCache(spec.draft.decoder, source.cache) if spec.draft.decoder else None
    commits = cached.commits() if cached else []
    return next((cached.snapshot(each) for each in commits if cached and cached.files(each, _DECODER)), None)


def load_decoder(folder: Path, device: str = "cpu", dtype: Any = None) -> Any:
    """The AutoencoderTiny in a folder. Raises NoBase for what is none."""
    from diffusers import AutoencoderTiny

    try:
        kind: Any = AutoencoderTiny
        return kind.from_pretrained(str(folder), local_files_only=True, use_safetensors=True).to(device, dtype)
    except FAILURES as error:
        raise NoBase(
            _("The small decoder in {folder} can't be read. Delete it to have it fetched again.").format(folder=folder)
        ) from error


@contextmanager
def using(pipe: Any, decoder: Any, threshold: float) -> Iterator[None]:
    """Within it, the pipeline decodes by `decoder`, unless that is None, and its networks cache as of this threshold.

    Networks that diffusers has no cache for go without.
    """
    import diffusers

    config: Any = diffusers.FirstBlockCacheConfig  # untyped
    networks: list[Any] = [getattr(pipe, name, None) for name in NETWORKS if threshold]
    with ExitStack() as stack:
        if decoder is not None:
            stack.enter_context(replace_attribute(pipe, "vae", decoder))
        for network in networks:
            if hasattr(network, "enable_cache"):
                network.enable_cache(config(threshold=threshold))
                stack.callback(network.disable_cache)
        yield
