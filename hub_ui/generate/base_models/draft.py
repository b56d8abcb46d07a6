"""What drafts are made with: a step-distilled LoRA and a small decoder, their download, and what they change."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from connectors.errors import AccessError, NeedsFetching, NetworkError, NoBase, NotFound, RateLimited
from connectors.ref import Ref
from hub_ui.generate.base_models.download import DownloadPlan, Source, fetch, plan_part
from hub_ui.generate.base_models.load import FAILURES
from hub_ui.generate.base_models.repo_layout import RepoCache
from hub_ui.generate.base_models.table import NETWORKS, Draft, PipelineSpec
from hub_ui.generate.request import Callbacks, GenerationRequest, LoraInput, replace_attribute
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


def _only(names: tuple[str, ...]) -> Callable[[Iterable[str]], Sequence[str]]:
    return lambda _there: names


def find_draft(
    spec: PipelineSpec, source: Source, request: GenerationRequest, callbacks: Callbacks, *, decoder: bool = False
) -> DraftFiles | None:
    """The files of a draft, downloaded where they are missing; None for images in full, which may get the `decoder`.

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
            piece = plan_part(repo, revision, "draft", _only(names), about, source)
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
        return None
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


def find_decoder(spec: PipelineSpec, source: Source) -> Any:
    """A base's small decoder, where it is on this disk; else None. A damaged one is said where a draft needs it."""
    folder = RepoCache(spec.draft.decoder, source.cache).folder_with(*_DECODER) if spec.draft.decoder else None
    with suppress(NoBase):
        return load_decoder(folder) if folder else None
    return None


def load_decoder(folder: Path, dtype: str = "float32", device: str = "cpu") -> Any:
    """The AutoencoderTiny in a folder. Raises NoBase for what is none."""
    import torch
    from diffusers import AutoencoderTiny

    try:
        kind: Any = AutoencoderTiny
        decoder = kind.from_pretrained(str(folder), local_files_only=True, use_safetensors=True)
        return decoder.to(device, getattr(torch, dtype))
    except FAILURES as error:
        text = _("The small decoder in {folder} can't be read. Delete it to have it fetched again.")
        raise NoBase(text.format(folder=folder)) from error


@contextmanager
def quick_parts(pipe: Any, decoder: Any, threshold: float) -> Iterator[None]:
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
