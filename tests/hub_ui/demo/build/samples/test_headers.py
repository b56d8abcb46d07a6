import json
from typing import Any

import pytest

from hub_ui.demo.build.samples.headers import fold_tensors, spec
from hub_ui.demo.build.samples.sample import Layout, Weights
from hub_ui.demo.hubs.content import expand_tensors


def tensors(**said: Any) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = spec(Weights(**said))["tensors"]
    return found


def test_writes_the_names_of_kohya() -> None:
    found = tensors(network="sdxl", layout="kohya", rank=8, alpha=4, encoders=("te2",), dtype="F16")
    stem = "lora_unet_output_blocks_3_1_transformer_blocks_0_attn2_to_k"
    assert found[f"{stem}.lora_down.weight"] == ["F16", [8, 2048]]
    assert found[f"{stem}.lora_up.weight"] == ["F16", [640, 8]]
    assert found["lora_te2_text_model_encoder_layers_31_mlp_fc1.lora_up.weight"] == ["F16", [5120, 8]]


def test_writes_the_names_of_diffusers() -> None:
    found = tensors(network="flux1 diffusers", layout="diffusers", rank=4, only=(".attn.",))
    assert found["transformer.transformer_blocks.18.attn.add_k_proj.lora_B.weight"] == ["BF16", [3072, 4]]
    assert not any("proj_mlp" in name for name in found)


def test_writes_the_names_of_ai_toolkit() -> None:
    found = tensors(network="z-image", layout="ai-toolkit", rank=4)
    assert found["diffusion_model.layers.0.attention.to_q.lora_A.weight"] == ["BF16", [4, 3840]]


def test_a_control_lora_takes_128_channels() -> None:
    found = tensors(network="flux1 control", layout="diffusers", rank=16, only=("x_embedder",))
    assert found["transformer.x_embedder.lora_A.weight"] == ["BF16", [16, 128]]


def test_a_convolution_keeps_its_window() -> None:
    found = tensors(network="sdxl convolutions", layout="kohya", rank=4, only=("in_layers", "out_layers"))
    assert found["lora_unet_output_blocks_7_0_out_layers_3.lora_down.weight"] == ["BF16", [4, 320, 3, 3]]
    assert found["lora_unet_output_blocks_7_0_out_layers_3.lora_up.weight"] == ["BF16", [320, 4, 1, 1]]


def test_a_loha_is_two_products() -> None:
    found = tensors(network="sd1", layout="kohya", rank=4, algorithm="loha", only=("mid_block.attentions.0.proj_in",))
    assert {name.partition(".")[2]: shape for name, (_, shape) in found.items()} == {
        "hada_w1_a": [1280, 4],
        "hada_w1_b": [4, 1280],
        "hada_w2_a": [1280, 4],
        "hada_w2_b": [4, 1280],
    }


def test_a_lokr_is_split_by_its_factor() -> None:
    found = tensors(network="sdxl", layout="kohya", rank=8, algorithm="lokr", only=("middle_block.1.proj_in",))
    assert {name.partition(".")[2]: shape for name, (_, shape) in found.items()} == {
        "lokr_w1": [8, 8],
        "lokr_w2_a": [160, 8],
        "lokr_w2_b": [8, 160],
    }


def test_a_dora_has_magnitudes() -> None:
    found = tensors(network="sdxl", layout="kohya", rank=4, algorithm="dora", only=("middle_block.1.proj_in",))
    assert found["lora_unet_middle_block_1_proj_in.dora_scale"] == ["BF16", [1280, 1]]


def test_alphas_are_numbers_without_a_shape() -> None:
    made = spec(Weights(network="flux1", layout="kohya", rank=4, alpha=2))
    assert made["tensors"]["lora_unet_double_blocks_0_img_attn_qkv.alpha"] == ["BF16", []]
    assert made["scalars"] == {"*.alpha": 2}


def test_kohya_notes_base_rank_and_words() -> None:
    weights = Weights(
        network="sdxl", layout="kohya", rank=8, alpha=4, trained_on="ponyDiffusionV6XL.safetensors", words=("abc", "d")
    )
    metadata = spec(weights)["metadata"]
    assert metadata["ss_base_model_version"] == "sdxl_base_v1-0"
    assert metadata["ss_sd_model_name"] == "ponyDiffusionV6XL.safetensors"
    assert metadata["ss_network_dim"] == "8"
    assert metadata["modelspec.trigger_phrase"] == "abc, d"
    assert json.loads(metadata["ss_dataset_dirs"]) == {"10_abc": {"n_repeats": 10, "img_count": 40}}


def test_diffusers_notes_the_adapter() -> None:
    metadata = spec(Weights(network="flux1 diffusers", layout="diffusers", rank=8, alpha=16))["metadata"]
    adapter = json.loads(metadata["lora_adapter_metadata"])
    assert (adapter["transformer.r"], adapter["transformer.lora_alpha"]) == (8, 16)


def test_a_silent_file_notes_nothing() -> None:
    assert spec(Weights(network="sdxl", layout="kohya", rank=4, silent=True))["metadata"] == {}


@pytest.mark.parametrize(("network", "layout"), [("flux1", "kohya"), ("sdxl", "diffusers"), ("wan 14b", "kohya")])
def test_a_folded_table_is_written_out_again_as_it_was(network: str, layout: Layout) -> None:
    table = spec(Weights(network=network, layout=layout, rank=4, alpha=2))["tensors"]
    blocks = fold_tensors(table)
    assert len(blocks) < len(table) / 10
    assert list(expand_tensors(blocks).items()) == list(table.items())
