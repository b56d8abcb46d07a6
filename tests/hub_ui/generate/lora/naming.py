"""Small models and files by their names, for the tests of names; and patches and layers of one kind."""

from collections.abc import Mapping
from typing import Any

import diffusers.quantizers.gguf.utils as of_gguf
import torch
from diffusers import FluxTransformer2DModel
from gguf import GGMLQuantizationType
from gguf.quants import quantize
from torch import Tensor

from hub_ui.generate.lora import key_mapping
from hub_ui.generate.lora.algorithms import Factors, Rows
from hub_ui.generate.lora.module_names import Names, names_of
from hub_ui.generate.lora.modules import KeyMapping, Model, Shape
from hub_ui.generate.lora.patch import Patch

OUTPUTS, INPUTS, RANK = 8, 4, 2
Files = dict[str, Shape]


def model(*modules: str, component: str = "transformer", shape: Shape = (OUTPUTS, INPUTS)) -> Model:
    """A model of linear layers, all of one size."""
    return {component: {f"{module}.weight": shape for module in modules}}


def names(architecture: str, *modules: str, component: str = "transformer", shape: Shape = (OUTPUTS, INPUTS)) -> Names:
    return names_of(model(*modules, component=component, shape=shape), architecture)


def map_keys(shapes: Mapping[str, Shape], model: Model, architecture: str, *, low_noise: bool = False) -> KeyMapping:
    return key_mapping.map_keys(shapes, names_of(model, architecture), low_noise=low_noise)


def lora(*layers: str, outputs: int = OUTPUTS, inputs: int = INPUTS, ends: str = "AB") -> Files:
    """LoRA layers by PEFT's endings, or kohya's with an alpha ("kohya")."""
    shapes: Files = {}
    for layer in layers:
        if ends == "kohya":
            shapes[f"{layer}.lora_down.weight"] = (RANK, inputs)
            shapes[f"{layer}.lora_up.weight"] = (outputs, RANK)
            shapes[f"{layer}.alpha"] = ()
        else:
            shapes[f"{layer}.lora_A.weight"] = (RANK, inputs)
            shapes[f"{layer}.lora_B.weight"] = (outputs, RANK)
    return shapes


def modules(mapping: KeyMapping) -> list[str]:
    """Where the layers went, in their order: "transformer:blocks.0.attn1.to_q"."""
    return [f"{target.component}:{target.module}" for placed in mapping.layers for target in placed.targets]


def reasons(mapping: KeyMapping) -> dict[str, int]:
    return {missed.reason: len(missed.keys) for missed in mapping.missed}


def patch(algorithm: str, rows: Rows | None = None, /, **parts: Tensor) -> Patch:
    named: Any = parts
    return Patch(algorithm=algorithm, factors=Factors(parts=named, keys={}, rows=rows))


def gguf_linear(values: Tensor, dtype: torch.dtype = torch.float32) -> Any:
    """A layer with its weight packed as in a GGUF file: 32 inputs in a block of 34 bytes."""
    layer: Any = of_gguf.GGUFLinear
    module = layer(values.shape[1], values.shape[0], bias=True, compute_dtype=dtype)
    packed: Any = of_gguf.GGUFParameter
    kind = GGMLQuantizationType.Q8_0
    module.weight = packed(torch.from_numpy(quantize(values.numpy(), kind)), quant_type=kind)
    return module


def flux_network() -> Any:
    kind: Any = FluxTransformer2DModel
    return kind(
        in_channels=64, num_layers=1, num_single_layers=1, attention_head_dim=16, num_attention_heads=2,
        joint_attention_dim=32, pooled_projection_dim=32, axes_dims_rope=(4, 4, 8),
    )  # fmt: skip
