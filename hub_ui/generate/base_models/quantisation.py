"""Networks and text encoders in fewer bits: GGUF files, bitsandbytes, and storage in 8-bit floats."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from connectors.errors import HubUiError
from connectors.weights.gguf_header import read_gguf_header
from connectors.weights.header import FileReader
from hub_ui.generate.base_models.precision import WORTH_STORING, Precision

if TYPE_CHECKING:
    from torch import nn

# Moves a layer that has been converted out of the computer's memory, where it need not stay there.
Settle = Callable[["nn.Module"], None]

# Not the last layer of T5's blocks, whose input is cast to the type of its weights before it can unpack them.
_KEPT = ("lm_head", "wo")


def keep(_layer: nn.Module) -> None:
    """Leaves it in the computer's memory."""


def read_gguf(kind: Any, file: Path, folder: Path, part: str, dtype: Any, options: Mapping[str, Any]) -> Any:
    """A network of class `kind` that unpacks weights to `dtype` in each call. The base in `folder` has its settings."""
    from diffusers import GGUFQuantizationConfig

    try:
        with file.open("rb") as opened:
            read_gguf_header(FileReader(opened))
    except HubUiError as error:
        raise ValueError(error.message) from error
    config: Any = GGUFQuantizationConfig
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


def bitsandbytes_config(precision: Precision, dtype: Any) -> Any:
    """Of a network in the precision "nf4" or "int8"."""
    from diffusers import BitsAndBytesConfig

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
