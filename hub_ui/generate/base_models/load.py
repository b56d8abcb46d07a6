"""Loads a base model from files on this disk into memory.

Only safetensors and GGUF files are loaded.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError

from connectors.errors import HubUiError, NoBase
from connectors.weights.gguf_header import read_gguf_header
from connectors.weights.header import FileReader
from hub_ui.base.i18n import _
from hub_ui.generate.base_models import repo_layout
from hub_ui.generate.base_models.repo_layout import LocalBase
from hub_ui.generate.base_models.table import NETWORKS, WORTH_STORING, PipelineSpec, Precision, stores_text_encoders
from hub_ui.generate.memory.device import Device, OffloadLevel, is_out_of_memory, weights_folder
from hub_ui.generate.memory.offload import WHOLE, Placement, first_fit, prepare
from hub_ui.generate.memory.plan import base_too_large

if TYPE_CHECKING:
    from torch import nn

# Moves a layer that has been converted out of the computer's memory, where it need not stay there.
Settle = Callable[["nn.Module"], None]

# Not the last layer of T5's blocks, whose input is cast to the type of its weights before it can unpack them.
_KEPT = ("lm_head", "wo")


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
    if brings.isdisjoint(NETWORKS):
        raise NoBase(_("{name} has no network to generate with. Choose another checkpoint.").format(name=file.name))
    rest = {
        name: _load_part(part, folder / name, options)
        for name, part in index.parts.items()
        if part.has_weights and name not in brings and name not in parts
    }
    # The safety checker is not downloaded; diffusers asks for confirmation that this is meant.
    if kind.__name__ == "StableDiffusionPipeline":
        rest |= {"requires_safety_checker": False, "safety_checker": None}
    if not brings <= set(NETWORKS):
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
            rest[part] = read_gguf(network, path, folder, part, options)
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
    kind, index = _pipeline_class(choice), fetched.index(choice.label, choice.brings, choice.dtype)
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
        raise NoBase(text.format(label=choice.label, reason=reason, fetched=fetched.advice)) from error
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


def _build(
    kind: Any,
    choice: PipelineSpec,
    fetched: LocalBase,
    index: repo_layout.Index,
    device: Device,
    settle: Settle,
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
    settle: Settle,
) -> dict[str, Any]:
    """`parts` with the networks that are quantised while they load, and the large text encoders. One after the other,
    and each layer is settled: all of them at once need not fit into memory.
    """
    import torch

    stored, dtype = choice.storage, getattr(torch, device.dtype)
    quantised = dict(parts)
    for name, part in index.parts.items():
        if stored.method == "full" or not part.has_weights or name in choice.brings:
            continue
        load = partial(_load_part, part, fetched.folder / name)
        if name.startswith("text_encoder") and stores_text_encoders(device.kind):
            encoder = parts[name] if name in parts else load(options)
            quantised[name] = store_text_encoder(encoder, dtype, settle)
        elif name in NETWORKS and stored.method == "fp8":
            quantised[name] = store_network(load(options), dtype, settle)
        elif name in NETWORKS and stored.method in ("bitsandbytes", "sdnq"):
            config = quantisation(stored, dtype, device.name)
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
        raise NoBase(text.format(label=choice.label, lacking=", ".join(lacking), fetched=fetched.advice))
    return pipe


@contextmanager
def layer_mover(device: Device, level: OffloadLevel) -> Iterator[Callable[[Any], None]]:
    """Yields what takes a layer out of the computer's memory as soon as it is loaded, where it won't stay there: to the
    device, or to a file, which is there until the pipeline has files of its own.
    """
    is_full = False

    def to_device(layer: Any) -> None:
        """Until its memory is full: the pipeline is put on a lower level then."""
        nonlocal is_full
        try:
            if not is_full:
                layer.to(device.name)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            is_full = True

    if not device.traits.has_own_memory or level not in ("whole", "disk_offload"):
        yield lambda layer: None
    elif level == "whole":
        yield to_device
    else:
        folder, delete = weights_folder()
        try:
            yield partial(_map, folder)
        finally:
            delete()


def _map(folder: Path, layer: Any) -> None:
    """Has the system read a layer's weights from a file when they are needed."""
    from safetensors.torch import load_file, save_file

    path = str(folder / f"{id(layer)}.safetensors")
    save_file({name: value.data.contiguous() for name, value in layer.named_parameters()}, path)
    weights = load_file(path)
    for name, value in layer.named_parameters():
        value.data = weights[name]


def keep(_layer: nn.Module) -> None:
    """Leaves it in the computer's memory."""


def read_gguf(kind: Any, file: Path, folder: Path, part: str, options: Mapping[str, Any]) -> Any:
    """A network of class `kind` that unpacks weights in each call. The base in `folder` has its settings."""
    from diffusers import GGUFQuantizationConfig

    try:
        with file.open("rb") as opened:
            read_gguf_header(FileReader(opened))
    except HubUiError as error:
        raise ValueError(error.message) from error
    config: Any = GGUFQuantizationConfig
    dtype = options["dtype"]
    network = kind.from_single_file(
        str(file), config=str(folder), subfolder=part, quantization_config=config(compute_dtype=dtype), **options
    )
    _unpack_others(network, dtype)
    return network


def _unpack_others(network: nn.Module, dtype: Any) -> None:
    """What is in bfloat16 is packed in GGUF's eyes too: norms and tables, which nothing would unpack, and first layers,
    which a control LoRA widens.
    """
    import diffusers.quantizers.gguf.utils as of_gguf
    from torch.nn import Parameter

    unpack: Any = of_gguf.dequantize_gguf_tensor  # untyped
    kind: Any = of_gguf.GGUFParameter
    for module in network.modules():
        packed = {name: value for name, value in module._parameters.items() if isinstance(value, kind)}
        for name, value in packed.items():
            is_weight = name == "weight" and isinstance(module, of_gguf.GGUFLinear)
            if not is_weight or value.quant_type.name == "BF16":
                module._parameters[name] = Parameter(unpack(value).to(dtype), requires_grad=False)


def quantisation(precision: Precision, dtype: Any, device: str) -> Any:
    """Of a network that bitsandbytes or SDNQ packs while diffusers loads it, the latter on that device."""
    from diffusers import BitsAndBytesConfig

    if precision.method == "sdnq":
        kind = precision.id.removeprefix("sdnq-")
        return {"quant_method": "sdnq", "weights_dtype": kind, "quantization_device": device, "return_device": "cpu"}
    config: Any = BitsAndBytesConfig
    if precision.id == "int8":
        return config(load_in_8bit=True)
    return config(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=dtype)


def store_network(network: Any, dtype: Any, settle: Settle = keep) -> Any:
    """In 8-bit floats; `dtype` is the compute type. Norms, embeddings, the first and the last layers keep it, as
    diffusers advises.
    """
    import diffusers.hooks.layerwise_casting as of_diffusers
    import torch.nn as of_torch

    own = (network._keep_in_fp32_modules, network._skip_layerwise_casting_patterns)
    convolutions = (of_torch.Conv1d, of_torch.Conv2d, of_torch.Conv3d)
    transposed = (of_torch.ConvTranspose1d, of_torch.ConvTranspose2d, of_torch.ConvTranspose3d)
    layers = (*convolutions, *transposed, of_torch.Linear, of_torch.Embedding)
    skipped = (*of_diffusers.DEFAULT_SKIP_MODULES_PATTERN, *chain.from_iterable(names or () for names in own))

    def is_stored(name: str, module: nn.Module) -> bool | None:
        return False if any(re.search(pattern, name) for pattern in skipped) else isinstance(module, layers) or None

    _store(network, "", dtype, is_stored, settle)
    return network


def store_text_encoder(encoder: Any, dtype: Any, settle: Settle = keep, *, least: int = WORTH_STORING) -> Any:
    """The same for an encoder of at least so many parameters. Embeddings, norms and the head keep their type."""
    import torch

    def is_stored(name: str, module: nn.Module) -> bool | None:
        return (isinstance(module, torch.nn.Linear) and name.rpartition(".")[2] not in _KEPT) or None

    if sum(parameter.numel() for parameter in encoder.parameters()) >= least:
        _store(encoder, "", dtype, is_stored, settle)
    return encoder


def _store(
    module: nn.Module, name: str, dtype: Any, is_stored: Callable[[str, nn.Module], bool | None], settle: Settle
) -> None:
    """`is_stored` says of a module whether it is, or None where its own modules have to be asked. Each layer is settled
    before the next one is converted.
    """
    import diffusers.hooks
    import torch

    cast: Any = diffusers.hooks.apply_layerwise_casting  # type: ignore[attr-defined]
    for own, child in module.named_children():
        path = f"{name}.{own}" if name else own
        found = is_stored(path, child)
        if found:
            cast(child, torch.float8_e4m3fn, dtype, skip_modules_pattern=None)
            settle(child)
        elif found is None:
            _store(child, path, dtype, is_stored, settle)
