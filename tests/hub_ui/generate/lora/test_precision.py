from __future__ import annotations

from typing import Any

import diffusers.quantizers.gguf.utils as of_gguf
import torch
from diffusers import FluxTransformer2DModel
from gguf import GGMLQuantizationType
from torch import nn

from hub_ui.generate.lora.parameters import param_handles
from hub_ui.generate.lora.precision import compute_dtype, is_quantised, logical_shape

Q8_0 = GGMLQuantizationType.Q8_0


def gguf_linear() -> Any:
    """64 inputs: two blocks of 34 bytes for each output."""
    layer: Any = of_gguf.GGUFLinear
    module = layer(64, 3, bias=True, compute_dtype=torch.bfloat16)
    packed: Any = of_gguf.GGUFParameter
    module.weight = packed(torch.zeros(3, 68, dtype=torch.uint8), quant_type=Q8_0)
    return module


def test_a_plain_weight_computes_in_its_own_type() -> None:
    module = nn.Linear(3, 2).to(torch.bfloat16)
    assert (compute_dtype(module), is_quantised(module)) == (torch.bfloat16, False)


def test_a_layer_of_a_gguf_file_computes_in_the_type_that_it_converts_to() -> None:
    module = gguf_linear()
    assert (compute_dtype(module), is_quantised(module)) == (torch.bfloat16, True)


def test_a_plain_weight_of_a_gguf_file_in_another_type_counts_as_quantised() -> None:
    module = gguf_linear()
    module.weight = nn.Parameter(torch.zeros(3, 64))
    assert (compute_dtype(module), is_quantised(module)) == (torch.bfloat16, True)


def test_the_shape_of_packed_values_is_that_of_the_layer() -> None:
    module = gguf_linear()
    assert tuple(module.weight.shape) == (3, 68)
    assert logical_shape(module, module.weight) == (3, 64)
    assert param_handles(nn.ModuleDict({"a": module}), "a")["weight"].shape == (3, 64)


def test_whole_numbers_of_eight_bits_compute_in_the_type_of_the_bias() -> None:
    module = nn.Linear(3, 2).to(torch.bfloat16)
    module.weight = nn.Parameter(torch.zeros(2, 3, dtype=torch.int8), requires_grad=False)
    assert (compute_dtype(module), is_quantised(module)) == (torch.bfloat16, True)


def test_weights_stored_in_eight_bit_floats_compute_in_the_type_that_they_are_cast_to() -> None:
    network: Any = FluxTransformer2DModel
    model = network(num_layers=1, num_single_layers=1, attention_head_dim=16, num_attention_heads=2, in_channels=4,
                    joint_attention_dim=32, pooled_projection_dim=32, axes_dims_rope=(4, 4, 8))  # fmt: skip
    model.enable_layerwise_casting(storage_dtype=torch.float8_e4m3fn, compute_dtype=torch.bfloat16)
    module = model.transformer_blocks[0].attn.to_q
    assert module.weight.dtype == torch.float8_e4m3fn
    assert (compute_dtype(module), is_quantised(module)) == (torch.bfloat16, True)


def test_a_bare_parameter_is_asked_for_by_its_name() -> None:
    holder = nn.Module()
    holder.table = nn.Parameter(torch.zeros(1, 4, dtype=torch.float16))
    assert (compute_dtype(holder, "table"), is_quantised(holder, "table")) == (torch.float16, False)
