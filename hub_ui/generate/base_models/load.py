"""Loads a base model from files on this disk into memory, and what drafts with it need besides.

Only safetensors and GGUF files are loaded.
"""

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from connectors.errors import AccessError, NeedsFetching, NetworkError, NoBase, NotFound, RateLimited
from connectors.ref import Ref
from hub_ui.generate.base_models import precision, repo_layout
from hub_ui.generate.base_models.download import DownloadPlan, Source, plan_part
from hub_ui.generate.base_models.repo_layout import LocalBase, RepoCache
from hub_ui.generate.base_models.table import Draft, PipelineSpec
from hub_ui.generate.memory import Device, base_too_large, is_out_of_memory
from hub_ui.generate.offload import WHOLE, Placement, first_fit, layer_mover, prepare
from hub_ui.generate.request import LoraInput, replace_attribute
from hub_ui.i18n import _


def load_single_file(
    kind: Any,
    choice: PipelineSpec,
    fetched: LocalBase,
    index: repo_layout.Index,
    file: Path,
    parts: Mapping[str, Any],
    options: Mapping[str, Any],
) -> Any:
    """A pipeline of class `kind`. Its folder has everything but the weights in `file`, and those of the networks beside
    it; `parts` are loaded already.
    """
    folder, brings = fetched.folder, choice.brings
    if brings.isdisjoint(precision.NETWORKS):
        raise NoBase(_("{name} has no network to generate with. Choose another checkpoint.").format(name=file.name))
    rest = {
        name: _load_part(part, folder / name, options)
        for name, part in index.parts.items()
        if part.has_weights and name not in brings and name not in parts
    }
    # The safety checker is not downloaded; diffusers asks for confirmation that this is meant.
    if kind.__name__ == "StableDiffusionPipeline":
        rest |= {"requires_safety_checker": False, "safety_checker": None}
    if not brings <= set(precision.NETWORKS):
        if not hasattr(kind, "from_single_file"):
            text = _(
                "diffusers can't read {name} as a whole checkpoint. Choose a base in diffusers' layout, or "
                "a file that holds the diffusion model alone."
            )
            raise NoBase(text.format(name=file.name))
        return kind.from_single_file(str(file), config=str(folder), **rest, **parts, **options)
    [name] = brings - fetched.beside.keys()
    for part, path in {name: file, **fetched.beside}.items():
        network = _part_class(index.parts[part]) if part in index.parts else None
        if network is None or not hasattr(network, "from_single_file"):
            text = _("diffusers can't read {name} as a {name2}. Choose a base in diffusers' layout.")
            raise NoBase(text.format(name=path.name, name2=part))
        if path.suffix.lower() == ".gguf":
            rest[part] = precision.read_gguf(network, path, folder, part, options)
        else:
            rest[part] = network.from_single_file(str(path), config=str(folder), subfolder=part, **options)
    return kind.from_pretrained(str(folder), **rest, **parts, **options)


def _load_part(part: repo_layout.Part, folder: Path, options: Mapping[str, Any]) -> Any:
    more: dict[str, Any] = {"variant": part.variant} if part.variant else {}
    return _part_class(part).from_pretrained(str(folder), use_safetensors=True, **more, **options)


def _part_class(part: repo_layout.Part) -> Any:
    import diffusers
    import transformers

    # Parts that one pipeline alone has are in its own folder, as LTX-2's connectors are.
    own = getattr(diffusers.pipelines, part.library, diffusers)
    return getattr({"diffusers": diffusers, "transformers": transformers}.get(part.library, own), part.kind)


# What diffusers, transformers and torch raise for files that are missing, truncated, or another model's.
FAILURES = (
    OSError, ValueError, TypeError, AttributeError, KeyError, RuntimeError, ImportError, MemoryError, SafetensorError,
)  # fmt: skip


def load_pipeline(
    choice: PipelineSpec, fetched: LocalBase, device: Device, placement: Placement = WHOLE
) -> tuple[Any, Placement]:
    """Returns the base on its device, and how it is kept in memory: in that placement, or lower where memory ran out.

    Raises NoBase when diffusers can't build a pipeline from the files.
    """
    kind, index = _pipeline_class(choice), _read_index(choice, fetched)
    import diffusers

    try:
        with layer_mover(device, placement.level) as settle:
            pipe = _build(kind, choice, fetched, index, device, settle)
            if choice.scheduler is not None:
                # In place of the repo's, whose settings stay where the table has none.
                scheduler = getattr(diffusers, choice.scheduler)
                known = inspect.signature(scheduler.__init__).parameters
                settings = {**pipe.scheduler.config, **choice.scheduler_options}
                pipe.scheduler = scheduler(**{key: value for key, value in settings.items() if key in known})
            pipe.set_progress_bar_config(disable=True)
            prepare(pipe, device)
            placement = first_fit(pipe, device, placement)
    except FAILURES as error:
        if is_out_of_memory(error):
            raise base_too_large(choice, device) from error
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        text = _("{label} can't be loaded from its files ({reason}). {fetched}")
        raise NoBase(text.format(label=choice.label, reason=reason, fetched=_advice(fetched))) from error
    return pipe, placement


def _pipeline_class(choice: PipelineSpec) -> Any:
    from transformers.utils import logging

    # Progress bars and warnings on stderr would end up between the lines of our own commands.
    of_transformers: Any = logging  # untyped
    of_transformers.set_verbosity_error()
    of_transformers.disable_progress_bar()
    import diffusers
    from diffusers.utils import logging as of_diffusers

    of_diffusers.disable_progress_bar()
    of_diffusers.set_verbosity_error()
    kind = getattr(diffusers, choice.pipeline, None)
    if kind is None:
        text = _("{label} needs a newer diffusers ({pipeline}). Update it: pip install -U diffusers")
        raise NoBase(text.format(label=choice.label, pipeline=choice.pipeline))
    return kind


def _read_index(choice: PipelineSpec, fetched: LocalBase) -> repo_layout.Index:
    """Names what is missing, because diffusers' own errors don't."""
    index = repo_layout.read_index(fetched.folder)
    if index is None:
        text = _("{folder} holds no model_index.json, so it is no base for diffusers. Choose another base.")
        raise NoBase(text.format(folder=fetched.folder))
    not_here = repo_layout.missing_parts(fetched.folder, index, choice.brings)
    if missing := [name for name in not_here if name not in fetched.parts]:
        parts = ", ".join(missing).replace("_", " ")
        text = _("{label} is not whole: its {parts} can't be found. {fetched}")
        raise NoBase(text.format(label=choice.label, parts=parts, fetched=_advice(fetched)))
    for name in index.parts:
        repo_layout.check_packing(choice.label, fetched.folder / name)
    return repo_layout.with_variants(index, fetched.folder, choice.dtype)


def _build(
    kind: Any,
    choice: PipelineSpec,
    fetched: LocalBase,
    index: repo_layout.Index,
    device: Device,
    settle: precision.Settle,
) -> Any:
    import torch
    import transformers

    dtype = getattr(torch, device.dtype)
    options: dict[str, Any] = {"dtype": dtype, "local_files_only": True}
    variant = {"variant": index.variant} if index.variant else {}
    if choice.is_modular:
        return _build_modular(kind, choice, fetched, {**options, **variant})
    parts: dict[str, Any] = {}
    for shared in (shared for shared in choice.shared_components if shared.part in fetched.parts):
        has_weights = repo_layout.Part(library="transformers", kind=shared.kind).has_weights
        parts[shared.part] = getattr(transformers, shared.kind).from_pretrained(
            str(fetched.parts[shared.part]),
            local_files_only=True,
            **({"dtype": dtype, "use_safetensors": True} if has_weights else {}),
        )
    if choice.decodes_in_float32 and "vae" in index.parts:
        parts["vae"] = _load_part(index.parts["vae"], fetched.folder / "vae", {**options, "dtype": torch.float32})
    parts = _quantised_parts(choice, fetched, index, device, parts, options, settle)
    if fetched.checkpoint is not None and choice.checkpoint is not None:
        return load_single_file(kind, choice, fetched, index, fetched.checkpoint, parts, options)
    takes = inspect.signature(kind.__init__).parameters
    # Parts that were not downloaded are named in the index all the same; None keeps diffusers from looking for them.
    options |= {name: None for name in repo_layout.parts_to_leave_out(choice.pipeline) if name in takes} | variant
    if "requires_safety_checker" in takes:
        options["requires_safety_checker"] = False
    return kind.from_pretrained(str(fetched.folder), use_safetensors=True, **parts, **options)


def _quantised_parts(
    choice: PipelineSpec,
    fetched: LocalBase,
    index: repo_layout.Index,
    device: Device,
    parts: Mapping[str, Any],
    options: Mapping[str, Any],
    settle: precision.Settle,
) -> dict[str, Any]:
    """`parts` with the networks that are quantised while they load, and the large text encoders. One after the other,
    and each layer is settled: all of them at once need not fit into memory.
    """
    import torch

    stored, dtype = precision.precision_of(choice), getattr(torch, device.dtype)
    quantised = dict(parts)
    for name, part in index.parts.items():
        if stored.method == "full" or not part.has_weights or name in choice.brings:
            continue
        load = partial(_load_part, part, fetched.folder / name)
        if name.startswith("text_encoder") and precision.stores_text_encoders(device.kind):
            encoder = parts[name] if name in parts else load(options)
            quantised[name] = precision.store_text_encoder(encoder, dtype, settle)
        elif name in precision.NETWORKS and stored.method == "fp8":
            quantised[name] = precision.store_network(load(options), dtype, settle)
        elif name in precision.NETWORKS and stored.method in ("bitsandbytes", "sdnq"):
            config = precision.quantisation(stored, dtype, device.name)
            quantised[name] = load({**options, "quantization_config": config})
    return quantised


def _build_modular(kind: Any, choice: PipelineSpec, fetched: LocalBase, options: Mapping[str, Any]) -> Any:
    """diffusers reads the index first, and the parts in a second step. It only logs what fails there."""
    import diffusers

    blocks = getattr(diffusers, kind.default_blocks_name)()
    for name in repo_layout.LEFT_OUT:
        blocks.sub_blocks.pop(name, None)
    pipe = kind(blocks=blocks, pretrained_model_name_or_path=str(fetched.folder), local_files_only=True)
    where = {name: str(fetched.parts.get(name, fetched.folder)) for name in pipe.pretrained_component_names}
    pipe.load_components(
        names=list(where),
        pretrained_model_name_or_path=where,
        subfolder={name: "" if name in fetched.parts else name for name in where},
        revision=dict.fromkeys(where),
        **options,
    )
    lacking = [name for name in where if getattr(pipe, name, None) is None]
    if lacking:
        text = _("{label} can't be loaded: its {lacking} can't be read. {fetched}")
        raise NoBase(text.format(label=choice.label, lacking=", ".join(lacking), fetched=_advice(fetched)))
    return pipe


def _advice(fetched: LocalBase) -> str:
    """What to do about files in Hugging Face's cache, which counts even damaged files as downloaded."""
    if fetched.revision is None:
        return "Choose another base."
    return f"Delete {fetched.folder.parents[1]} to have it fetched again, or choose another base."


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
    spec: PipelineSpec, source: Source, fetch: Callable[[DownloadPlan], LocalBase], *, may_ask: bool
) -> DraftFiles:
    """What drafts with a base are made with; `fetch` downloads what is missing. They go on without what can't be had.

    `may_ask`: whether it may raise NeedsFetching, for a person to agree to.
    """
    draft, lora, refs, notes = spec.draft, spec.draft.lora, dict[str, Ref](), list[str]()
    folders: dict[str, Path] = {}
    wanted = [(lora.repo, lora.revision, (lora.file,))] if lora else []
    for repo, revision, names in [*wanted, *([(draft.decoder, None, _DECODER)] if draft.decoder else [])]:
        about = replace(spec, label=_("What drafts with {base} need").format(base=spec.label), checkpoint=None)
        about = replace(about, precision="full", license=lora.license if lora and repo == lora.repo else "")
        try:
            piece = plan_part(repo, revision, "draft", _only(names), about, source)
            local = fetch(DownloadPlan(spec=about, repos=(piece,), free=RepoCache(repo, source.cache).free()))
            if not all((local.folder / name).is_file() for name in names):
                raise NotFound(_("A file is gone from there."))
        except (AccessError, NetworkError, NoBase, NotFound, RateLimited) as error:
            if may_ask and isinstance(error, NeedsFetching):
                raise
            notes.append(_("The draft was made without {repo}: {reason}").format(repo=repo, reason=error.message))
            continue
        folders[repo] = local.folder
        refs[repo] = Ref(hub="huggingface", id=repo, version=local.revision, file=names[0] if names[1:] == () else None)
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
    networks: list[Any] = [getattr(pipe, name, None) for name in precision.NETWORKS if threshold]
    with ExitStack() as stack:
        if decoder is not None:
            stack.enter_context(replace_attribute(pipe, "vae", decoder))
        for network in networks:
            if hasattr(network, "enable_cache"):
                network.enable_cache(config(threshold=threshold))
                stack.callback(network.disable_cache)
        yield
