"""Networks and text encoders in fewer bits: GGUF files, bitsandbytes, and storage in 8-bit floats."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from connectors.errors import HubUiError
from connectors.weights.gguf_header import read_gguf_header
from connectors.weights.header import FileReader
from hub_ui.generate.base_models.precision import WORTH_STORING, Precision

if TYPE_CHECKING:
    from torch import nn

# They cast their input to the type of a layer's weights, so that the whole block has to be in the compute type.
_CAST_AS_A_WHOLE = ("T5DenseActDense", "T5DenseGatedActDense", "UMT5DenseActDense", "UMT5DenseGatedActDense")


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


def store_network(network: Any, dtype: Any) -> Any:
    """In 8-bit floats; `dtype` is the compute type. Norms, embeddings, the first and the last layers keep it, as
    diffusers advises.
    """
    import torch

    network.enable_layerwise_casting(storage_dtype=torch.float8_e4m3fn, compute_dtype=dtype)
    return network


def store_text_encoder(encoder: Any, dtype: Any, *, least: int = WORTH_STORING) -> Any:
    """The same for an encoder of at least so many parameters. Embeddings, norms and the head keep their type."""
    if sum(parameter.numel() for parameter in encoder.parameters()) >= least:
        _store_layers(encoder, dtype)
    return encoder


def _store_layers(module: nn.Module, dtype: Any) -> None:
    import diffusers.hooks
    import torch

    apply: Any = diffusers.hooks.apply_layerwise_casting  # type: ignore[attr-defined]
    for name, child in module.named_children():
        if type(child).__name__ in _CAST_AS_A_WHOLE or (isinstance(child, torch.nn.Linear) and name != "lm_head"):
            apply(child, torch.float8_e4m3fn, dtype, skip_modules_pattern=None)
        else:
            _store_layers(child, dtype)
