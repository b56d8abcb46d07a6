from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import FluxTransformer2DModel, UNet2DConditionModel
from safetensors.torch import load_file, save_file

from connectors.errors import UsageError
from hub_ui.generate.lora.blocks import BLOCKS, block_names, blocks_of, module_factors, parse_block_weights
from hub_ui.generate.lora.load import LoraCache
from hub_ui.generate.lora.manager import AdapterManager
from hub_ui.generate.lora.module_names import modules_of
from hub_ui.generate.lora.modules import Shape
from tests.hub_ui.generate.building import adapter, drawn, save_kohya

Sizes = dict[str, dict[str, Shape]]


def sizes_of(component: str, kind: Any, **config: Any) -> Sizes:
    """The modules of a network of the published depth, without any memory."""
    with torch.device("meta"):
        network = kind(**config)
    parameters = {name: tuple(value.shape) for name, value in network.named_parameters()}
    return {component: modules_of(parameters), "text_encoder": {"text_model.encoder.layers.0.mlp.fc1": (4, 4)}}


@pytest.fixture(scope="module")
def sd1() -> Sizes:
    return sizes_of("unet", UNet2DConditionModel, cross_attention_dim=768)


@pytest.fixture(scope="module")
def sdxl() -> Sizes:
    return sizes_of(
        "unet", UNet2DConditionModel, down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"), block_out_channels=(320, 640, 1280),
        transformer_layers_per_block=(1, 2, 10), attention_head_dim=(5, 10, 20), cross_attention_dim=2048,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("module", "block"),
    [
        ("conv_in", "IN00"),
        ("down_blocks.0.attentions.0.proj_in", "IN01"),
        ("down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q", "IN04"),
        ("down_blocks.2.attentions.1.proj_out", "IN08"),
        ("down_blocks.3.resnets.1.conv1", "IN11"),
        ("mid_block.attentions.0.proj_in", "M00"),
        ("up_blocks.1.attentions.0.proj_in", "OUT03"),
        ("up_blocks.3.attentions.2.proj_in", "OUT11"),
    ],
)
def test_a_module_of_stable_diffusion_is_in_the_block_of_the_original_code(sd1: Sizes, module: str, block: str) -> None:
    assert dict(blocks_of(sd1, "sd1"))["unet", module] == block


@pytest.mark.parametrize("architecture", ["sd1", "sdxl"])
def test_the_usual_list_has_blocks_with_attention_alone(architecture: str, request: pytest.FixtureRequest) -> None:
    found = list(blocks_of(request.getfixturevalue(architecture), architecture))
    with_attention = {block for (_, module), block in found if ".attentions." in module}
    assert with_attention | {"BASE"} == set(BLOCKS[architecture][0])
    assert {block for _, block in found} == set(BLOCKS[architecture][1])


def test_flux_has_19_double_and_38_single_blocks() -> None:
    sizes = sizes_of("transformer", FluxTransformer2DModel)
    sizes["text_encoder_2"] = {"encoder.block.0.layer.0.SelfAttention.q": (4, 4)}
    assert {block for _, block in blocks_of(sizes, "flux1")} == set(block_names("flux1", 61))


# As scripts/lbwpresets.txt of sd-webui-lora-block-weight has them, with the text encoder on as in its later versions.
@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("NONE", "0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0"),
        ("ALL", "1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1"),
        ("INS", "1,1,1,1,0,0,0,0,0,0,0,0,0,0,0,0,0"),
        ("IND", "1,0,0,0,1,1,1,0,0,0,0,0,0,0,0,0,0"),
        ("INALL", "1,1,1,1,1,1,1,0,0,0,0,0,0,0,0,0,0"),
        ("MIDD", "1,0,0,0,1,1,1,1,1,1,1,1,0,0,0,0,0"),
        ("OUTD", "1,0,0,0,0,0,0,0,1,1,1,1,0,0,0,0,0"),
        ("OUTS", "1,0,0,0,0,0,0,0,0,0,0,0,1,1,1,1,1"),
        ("OUTALL", "1,0,0,0,0,0,0,0,1,1,1,1,1,1,1,1,1"),
        ("ALL0.5", ",".join(["0.5"] * 17)),
        ("IN05", "0,0,0,0,1,0,0,0,0,0,0,0,0,0,0,0,0"),
        ("NMID", "1,1,1,1,1,1,1,0,1,1,1,1,1,1,1,1,1"),
    ],
)
def test_a_name_stands_for_the_numbers_of_the_extension(name: str, numbers: str) -> None:
    assert parse_block_weights(f"lbw={name}", "sd1") == parse_block_weights(numbers, "sd1")


def test_the_names_of_sdxl_follow_its_three_levels() -> None:
    assert parse_block_weights("MIDD", "sdxl") == (1, 0, 0, 1, 1, 1, 1, 1, 1, 0, 0, 0)
    assert parse_block_weights("OUTS", "sdxl") == (1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1)


@pytest.mark.parametrize(
    ("text", "architecture", "message"),
    [
        ("1,2,3", "sd1", "sd1 takes 17 or 26 block weights, and these are 3."),
        ("1,x", None, "“x” is no block weight."),
        ("1,inf", None, "“inf” is no block weight."),
        ("WHAT", "sdxl", "“WHAT” are no block weights. Give 12 or 20 numbers"),
        ("OUTALL", "flux1", "“OUTALL” are no block weights. Give 61 numbers"),
        ("ALL", "wan", "not for wan"),
        ("ALL", None, "Write the numbers."),
    ],
)
def test_other_texts_are_refused_with_what_would_do(text: str, architecture: str | None, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_block_weights(text, architecture)


def test_a_block_that_the_list_leaves_out_gets_nothing_and_the_time_embedding_stays(sd1: Sizes) -> None:
    ones = adapter(Path("a"), block_weights=(1.0,) * 17)
    factors = module_factors(ones, sd1, "sd1")
    assert factors["unet", "conv_in"] == 0
    assert ("unet", "time_embedding.linear_1") not in factors


def test_the_clip_weight_multiplies_the_block_weight_of_the_text_encoder(sd1: Sizes) -> None:
    one = adapter(Path("a"), block_weights=(0.5,) + (1.0,) * 16, text_encoder_scale=0.5)
    assert module_factors(one, sd1, "sd1")["text_encoder", "text_model.encoder.layers.0.mlp.fc1"] == 0.25


def latents(pipe: Any, path: Path, **fields: Any) -> torch.Tensor:
    manager = AdapterManager(pipe, "sd1", LoraCache(10**8))
    manager.set_adapters([adapter(path, **fields)])
    try:
        return drawn(pipe)
    finally:
        manager.disable()


def scaled(path: Path, to: Path, part: str, factor: float) -> Path:
    """The file with another scale for the layers whose names contain `part`."""
    save_file(
        {
            name: value * factor if name.endswith(".alpha") and part in name else value
            for name, value in load_file(path).items()
        },
        to,
    )
    return to


def test_block_weights_are_those_of_the_layers_in_these_blocks(pipe: Any, tmp_path: Path) -> None:
    path = save_kohya(tmp_path / "a.safetensors", text=True)
    # This U-Net's middle, beside its IN03 and OUT00.
    weights = tuple(0.25 if block == "M00" else 1.0 for block in block_names("sd1", 26))
    found = latents(pipe, path, block_weights=weights, weight=0.8)
    assert torch.equal(found, latents(pipe, scaled(path, tmp_path / "b.safetensors", "mid_block", 0.25), weight=0.8))


def test_a_clip_weight_is_that_of_the_text_encoders_layers(pipe: Any, tmp_path: Path) -> None:
    path = save_kohya(tmp_path / "a.safetensors", text=True)
    found = latents(pipe, path, text_encoder_scale=0.5, weight=0.8)
    assert torch.equal(found, latents(pipe, scaled(path, tmp_path / "b.safetensors", "lora_te", 0.5), weight=0.8))


def test_without_any_block_the_picture_is_the_bases(pipe: Any, tmp_path: Path) -> None:
    path = save_kohya(tmp_path / "a.safetensors", text=True)
    assert torch.equal(latents(pipe, path, block_weights=(0.0,) * 26), latents(pipe, path, weight=0.0))


def test_each_image_of_a_batch_has_its_weight_in_each_block(pipe: Any, tmp_path: Path) -> None:
    path = save_kohya(tmp_path / "a.safetensors")
    weights = tuple(0.25 if block == "M00" else 1.0 for block in block_names("sd1", 26))
    manager = AdapterManager(pipe, "sd1", LoraCache(10**8))
    manager.set_adapters([adapter(path, block_weights=weights)])
    with manager.row_weights([(0.8,), (0.3,)]):
        found = drawn(pipe, 2)
    manager.disable()
    alone = [latents(pipe, path, block_weights=weights, weight=weight) for weight in (0.8, 0.3)]
    torch.testing.assert_close(found, torch.cat(alone), atol=1e-4, rtol=1e-4)
