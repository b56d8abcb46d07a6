"""The precisions that a base's network can be stored in, and the files that hold them.

And how networks and text encoders get into fewer bits: GGUF files, bitsandbytes, SDNQ, and storage in 8-bit floats.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from connectors.errors import HubUiError
from connectors.weights.gguf_header import read_gguf_header
from connectors.weights.header import FileReader
from hub_ui.generate.base_models.table import Checkpoint, ModelSize, PipelineSpec

Method = Literal["full", "gguf", "fp8", "bitsandbytes", "sdnq"]
Quality = Literal["fast", "balanced", "full"]
NETWORKS = ("unet", "transformer", "transformer_2", "unconditional_transformer")
# Below this, in parameters, a text encoder is too small to be worth the rounding: CLIP is, T5-XXL is not.
WORTH_STORING = 1_000_000_000
# The parameters of the largest layer that a text encoder unpacks.
_STORED_LAYER = 4096 * 10240


@dataclass(frozen=True, kw_only=True, slots=True)
class Precision:
    """`bits` are those of one weight with its share of the scales. `devices` are torch's names of what it runs on.
    `unpacking` is what unpacking a layer takes for each of its weights, in bytes of the GPU; None is the type's width.

    `package` is the one it needs that is not always installed. `in_float16`: layers compute in it, whatever the base
    does. `levels`: how many offload levels it has. Of bitsandbytes' layers in 8 bits all stays behind, else the scales.
    `is_rough`: "balanced" does not take it, since it rounds what a file of as many bits has rounded with care.
    """

    id: str
    label: str
    method: Method
    bits: float
    devices: tuple[str, ...] = ("cuda", "xpu", "mps", "cpu")
    package: str | None = None
    in_float16: bool = False
    levels: int = 4
    is_rough: bool = False
    unpacking: float | None = None

    def runs_on(self, device: str) -> bool:
        return device in self.devices and (self.package is None or find_spec(self.package) is not None)


_FILE = tomllib.loads(Path(__file__).with_name("precisions.toml").read_text(encoding="utf-8"))
# The best first.
PRECISIONS = msgspec.convert(_FILE["precision"], tuple[Precision, ...])
FULL = PRECISIONS[0]
_KEPT_OF_T5 = {int(parameters): int(kept) for parameters, kept in _FILE["kept_of_t5"].items()}
_NOT_LINEAR = {int(parameters): int(kept) for parameters, kept in _FILE["not_linear"].items()}


def precision_by_id(name: str) -> Precision | None:
    return next((precision for precision in PRECISIONS if precision.id == name), None)


def precision_name(name: str) -> str:
    """The label of a precision by its id; the id of one that a later version has."""
    found = precision_by_id(name)
    return found.label if found else name


def precision_of(spec: PipelineSpec) -> Precision:
    return precision_by_id(spec.precision) or FULL


def stores_text_encoders(device: str) -> bool:
    """Whether the large text encoders of a quantised base are stored in 8-bit floats, as they are where these exist."""
    return any(precision.method == "fp8" and precision.runs_on(device) for precision in PRECISIONS)


def in_precision(spec: PipelineSpec, precision: str) -> PipelineSpec | None:
    """The base with its network in another precision; None where there is no such file, or the network is a file."""
    if precision == spec.precision:
        return spec
    known, size = precision_by_id(precision), _file_size(spec, precision)
    own = spec.checkpoint if _file_size(spec, spec.precision) is None else None
    if known is None or own is not None or spec.is_modular or (known.method == "gguf" and size is None):
        return None
    checkpoint = None
    if spec.gguf is not None and size is not None:
        ending = f"-{_file_type(precision)}.gguf"
        beside = (("transformer_2", spec.gguf.second + ending),) if spec.gguf.second else ()
        brings = frozenset({"transformer", *(part for part, _ in beside)})
        checkpoint = Checkpoint(repo=spec.gguf.repo, file=spec.gguf.name + ending, brings=brings, beside=beside)
    return replace(spec, precision=precision, checkpoint=checkpoint)


def precise_label(spec: PipelineSpec) -> str:
    """ "FLUX.1 dev in Q4"; the base's label alone in full precision, and where it is a user's own file."""
    precision = precision_of(spec)
    is_own = spec.checkpoint is not None and spec.checkpoint.repo is None
    return spec.label if is_own or precision == FULL else f"{spec.label} in {precision.label}"


def precisions_of(spec: PipelineSpec, device: str) -> list[PipelineSpec]:
    """The base in every precision that it has on such a device and does not overflow in, the best first."""
    found = (
        in_precision(spec, precision.id)
        for precision in PRECISIONS
        if precision.runs_on(device) and (spec.runs_in_float16 or not precision.in_float16)
    )
    return [one for one in found if one is not None]


def bytes_of_part(spec: PipelineSpec, part: str, size: ModelSize, *, width: float, kind: str) -> tuple[int, int, int]:
    """The bytes of a part's weights and of its largest layer on a device of that kind, and what it takes more while the
    layer computes, which unpacks its weights for that. `width` are the bytes of one in the type that is computed in.
    """
    precision, layer = precision_of(spec), round(size.largest * width)
    if precision.method != "full" and part in NETWORKS:
        file = _file_size(spec, spec.precision)
        kept = _NOT_LINEAR.get(size.parameters, 0) if precision.method in ("bitsandbytes", "sdnq") else 0
        weights = file * 1e9 if file else (size.parameters - kept) * precision.bits / 8 + kept * width
        unpacking = width if precision.unpacking is None else precision.unpacking
        return round(weights), round(size.largest * precision.bits / 8), round(size.largest * unpacking)
    is_large = part.startswith("text_encoder") and size.parameters >= WORTH_STORING
    if precision.method != "full" and is_large and stores_text_encoders(kind):
        # The largest layer is the table of words, which keeps the type.
        kept = size.largest + _KEPT_OF_T5.get(size.parameters, 0)
        return round(size.parameters - kept + kept * width), layer, round(_STORED_LAYER * width)
    return round(size.parameters * (4 if part == "vae" and spec.decodes_in_float32 else width)), layer, 0


def _file_size(spec: PipelineSpec, precision: str) -> float | None:
    """That of the network's GGUF file, in GB; None where there is none."""
    return spec.gguf.gigabytes.get(_file_type(precision)) if spec.gguf else None


def _file_type(precision: str) -> str:
    """As files are named: "Q8_0" of gguf-q8_0."""
    return precision.removeprefix("gguf-").upper()


if TYPE_CHECKING:
    from torch import nn

# Moves a layer that has been converted out of the computer's memory, where it need not stay there.
Settle = Callable[["nn.Module"], None]

# Not the last layer of T5's blocks, whose input is cast to the type of its weights before it can unpack them.
_KEPT = ("lm_head", "wo")


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

    own = (network._keep_in_fp32_modules, network._skip_layerwise_casting_patterns)
    skipped = (*of_diffusers.DEFAULT_SKIP_MODULES_PATTERN, *chain.from_iterable(names or () for names in own))

    def is_stored(name: str, module: nn.Module) -> bool | None:
        return False if any(re.search(pattern, name) for pattern in skipped) else isinstance(module, _layers()) or None

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


def _layers() -> tuple[type, ...]:
    import torch.nn as of_torch

    convolutions = (of_torch.Conv1d, of_torch.Conv2d, of_torch.Conv3d)
    transposed = (of_torch.ConvTranspose1d, of_torch.ConvTranspose2d, of_torch.ConvTranspose3d)
    return (*convolutions, *transposed, of_torch.Linear, of_torch.Embedding)


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
