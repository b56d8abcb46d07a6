"""Networks that use a known one's names and are another: newer models, other sizes. None may be taken for the known."""

import pytest

from connectors.weights.lora_facts import read
from tests.connectors.weights.building import header, lora


def blocks(container: str, count: int, *layers: str) -> str:
    """The same layers in every block."""
    return ",".join(f"{container}.0..{count - 1}.{layer}" for layer in layers)


def streams(double: int, single: int, *, width: int = 3072, mlp: int = 12288) -> str:
    """FLUX.1's names in diffusers."""
    attention = f"attn.to_q {width}>{width}"
    first = blocks("transformer_blocks", double, attention, f"attn.add_q_proj {width}>{width}")
    return first + "," + blocks("single_transformer_blocks", single, attention, f"proj_mlp {width}>{mlp}")


def self_attention(count: int, width: int) -> str:
    return blocks("transformer_blocks", count, f"attn1.to_q {width}>{width}", f"ff.net.0.proj {width}>{4 * width}")


def cross_attention(count: int, width: int, text: int) -> str:
    return self_attention(count, width) + "," + blocks("transformer_blocks", count, f"attn2.to_k {text}>{width}")


def transformer(block: str, width: int, text: int) -> str:
    inside = f"{block}.transformer_blocks.0"
    return f"{inside}.attn1.to_q {width}>{width},{inside}.attn2.to_k {text}>{width}"


DIFFUSERS: dict[str, str] = {
    # FLUX.1's names: deeper, shallower, narrower, with other MLPs or other texts.
    "twelve double and twenty-four single blocks": streams(12, 24),
    "one single block more than FLUX.1": streams(19, 39),
    "one double block less than HunyuanVideo": streams(19, 40),
    "four blocks of each": streams(4, 4),
    "width 2560": streams(19, 38, width=2560),
    "Motif-Video": streams(12, 24, width=1536),
    "MLPs three times as wide": streams(19, 38, mlp=9216),
    "gated MLPs as in Ovis-Image, but deeper": streams(19, 38, mlp=24576),
    "LongCat-Image's text embedding, but FLUX.1's depth": streams(19, 38) + ",context_embedder 3584>3072",
    "Bria's timestep embedding": streams(19, 38) + ",time_embed.timestep_embedder.linear_1 256>3072",
    "FIBO's captions, but FLUX.1's depth": streams(19, 38) + ",caption_projection.0.linear 2048>1536",
    "twelve double blocks": blocks("transformer_blocks", 12, "attn.to_q 3072>3072"),
    "thirty single blocks": blocks("single_transformer_blocks", 30, "attn.to_q 3072>3072"),
    "thirty modulated single blocks": blocks("single_transformer_blocks", 30, "norm.linear 3072>9216"),
    "AuraFlow's single blocks, four less": blocks("single_transformer_blocks", 28, "attn.to_out.0 3072>3072"),
    "FLUX.2's, between two sizes": blocks("single_transformer_blocks", 30, "attn.to_qkv_mlp_proj 4096>36864"),
    # One stream, told by width and depth.
    "SD3 of eighteen blocks": blocks("transformer_blocks", 18, "attn.to_q 1536>1536", "attn.add_k_proj 1536>1536"),
    "SD3 of width 1152": blocks("transformer_blocks", 18, "attn.to_q 1152>1152", "attn.add_k_proj 1152>1152"),
    "Qwen-Image of forty blocks": blocks("transformer_blocks", 40, "attn.to_q 3072>3072", "img_mod.1 3072>18432"),
    "Qwen-Image of width 2560": blocks("transformer_blocks", 60, "attn.to_q 2560>2560", "img_mod.1 2560>15360"),
    "HunyuanVideo 1.5 of forty blocks": blocks(
        "transformer_blocks", 40, "attn.to_q 2048>2048", "attn.add_q_proj 2048>2048"
    ),
    "MiniMax Music": blocks("transformer_blocks", 36, "attn.to_q 2048>2048", "ff_in 2048>16384"),
    "CogView3-Plus or GLM-Image": self_attention(30, 2560),
    "CogVideoX of thirty-six blocks": self_attention(36, 3072),
    "Mochi or EasyAnimate": self_attention(48, 3072),
    "a prior of Kandinsky 2": self_attention(20, 2048),
    "DiT-XL": self_attention(28, 1152),
    "PixArt of forty blocks": cross_attention(40, 1152, 1152),
    "Latte's blocks of one picture": blocks(
        "transformer_blocks", 28, "attn1.to_q 1152>1152", "attn2.to_q 1152>1152", "ff.net.0.proj 1152>9216"
    ),
    "Sana of thirty blocks": cross_attention(30, 2240, 2240),
    "LTX-Video of forty blocks": cross_attention(40, 2048, 2048),
    "LTX-Video 13B or LTX-2": cross_attention(48, 4096, 4096),
    "Anima or Cosmos-Predict2": cross_attention(28, 2048, 1024),
    "Cosmos of forty blocks": cross_attention(40, 5120, 1024),
    "Allegro of twenty blocks": cross_attention(20, 2304, 2304),
    "Stable Audio 3's cross-attention": blocks("transformer_blocks", 24, "cross_attn.to_q 1536>3072"),
    # Networks in their own names.
    "Z-Image of forty layers": blocks("layers", 40, "attention.to_q 3840>3840"),
    "Lumina-Next": blocks("layers", 24, "attn1.to_q 2304>2304", "attn2.to_q 2304>2304"),
    "Lumina 2 of thirty layers": blocks("layers", 30, "attn.to_q 2304>2304"),
    "FIBO 2 of fifty layers": blocks("layers", 50, "attention.to_q 3584>3584"),
    "a perceiver as wide as ERNIE-Image": blocks("perceiver.layers", 4, "self_attention.to_q 4096>4096"),
    "ERNIE-Image of width 2560": blocks("layers", 24, "self_attention.to_q 2560>2560"),
    "Wan of width 2048": blocks("blocks", 32, "attn1.to_q 2048>2048", "attn2.to_q 2048>2048"),
    "Wan of sixty blocks": blocks("blocks", 60, "attn1.to_q 5120>5120"),
    "a diffusion transformer for speech": blocks("blocks", 24, "self_attn.to_q 1536>1536", "cross_attn.to_q 1536>1536"),
    "PRX of twelve blocks": blocks("blocks", 12, "attention.img_qkv_proj 1792>5376"),
    "HiDream of twelve and twenty-four blocks": blocks("double_stream_blocks", 12, "block.attn1.to_q 2560>2560"),
    "Krea 2 of width 4096": blocks("transformer_blocks", 28, "attn.to_gate 4096>4096", "attn.to_q 4096>4096"),
    "Kandinsky 5 of forty blocks": blocks("visual_transformer_blocks", 40, "cross_attention.to_query 1792>1792"),
    "Kandinsky 6's upscaler": blocks("visual_transformer_blocks", 32, "self_attention.to_query 1792>1792"),
}
UNETS: dict[str, str] = {
    "DeepFloyd IF XL": "down_blocks.1.attentions.0.to_q 1408>1408,up_blocks.0.attentions.0.add_k_proj 4096>2816",
    "DeepFloyd IF M": "down_blocks.1.attentions.0.to_q 384>384,up_blocks.0.attentions.0.add_k_proj 768>768",
    "Kandinsky 2.2": "up_blocks.0.attentions.0.to_q 1536>1536,up_blocks.0.attentions.0.add_k_proj 768>1536",
    "Kandinsky 3": "up_blocks.0.attentions.0.attention.to_q 1536>1536,down_blocks.1.resnets_in.0.projection 192>192:1",
    "a U-Net without texts": "down_blocks.1.attentions.0.to_q 448>448,up_blocks.0.attentions.0.to_q 896>896",
    "a U-Net for sound": "down_blocks.2.attentions.0.query 64>64,up_blocks.0.attentions.0.proj_attn 64>64",
    "the SDXL refiner": transformer("down_blocks.1.attentions.0", 768, 1280),
    "the upscaler by four": transformer("up_blocks.0.attentions.0", 512, 1024),
    "texts of width 1280": transformer("down_blocks.0.attentions.0", 320, 1280),
    "texts of width 4096": transformer("up_blocks.0.attentions.0", 1280, 4096),
    "ModelScope's film model": transformer("down_blocks.0.attentions.0", 320, 1024)
    + ",down_blocks.0.temp_attentions.0.transformer_blocks.0.attn1.to_q 320>320",
    "AudioLDM 2": transformer("down_blocks.1.attentions.0", 256, 1024)
    + ","
    + transformer("down_blocks.3.attentions.0", 640, 768),
    "Würstchen": "down_blocks.0.2.attention.to_q 320>320,down_blocks.0.0.channelwise.0 320>1280",
    "keys for fewer heads": "down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k 2048>80",
}
ORIGINAL: dict[str, str] = {
    "ten double blocks with modulation": blocks("double_blocks", 10, "img_mod.lin 3072>18432"),
    "FLUX.1 of width 2560": blocks("double_blocks", 19, "img_attn.qkv 2560>7680", "img_mod.lin 2560>15360"),
    "thirty single blocks": blocks("single_blocks", 30, "linear1 3072>21504", "modulation.lin 3072>9216"),
    "HunyuanVideo of twelve double blocks": blocks(
        "double_blocks", 12, "img_attn_qkv 3072>9216", "img_mlp.fc1 3072>12288"
    ),
    "HunyuanImage of ten double blocks": blocks("double_blocks", 10, "img_attn.qkv 3584>10752"),
    "HunyuanVideo 1.5 of forty double blocks": blocks("double_blocks", 40, "img_attn_q 2048>2048"),
    "SD3 of thirty blocks": blocks("joint_blocks", 30, "x_block.attn.qkv 1536>4608"),
    "SD3 of width 2048": blocks("joint_blocks", 24, "x_block.attn.qkv 2048>6144"),
    "Wan of width 4096": blocks("blocks", 40, "self_attn.q 4096>4096"),
    "Krea 2 of twenty blocks": blocks("blocks", 20, "attn.wq 6144>6144"),
    "Cosmos-Predict of thirty-two blocks": blocks("blocks", 32, "self_attn.q_proj 2048>2048"),
    "Ideogram 4 of twenty layers": blocks("layers", 20, "attention.qkv 4608>13824"),
}


@pytest.mark.parametrize("style", ["diffusers", "kohya"])
@pytest.mark.parametrize("name", DIFFUSERS)
def test_a_transformer_of_another_size_is_named_after_none(name: str, style: str) -> None:
    found = read(header(lora(DIFFUSERS[name], style=style)))
    assert (found.what, found.architecture) == ("lora", None)


@pytest.mark.parametrize("layers", [streams(8, 38), streams(2, 2)], ids=["FLUX.1 lite or Bria FIBO", "two blocks each"])
def test_what_several_networks_have_is_named_after_the_usual_one_with_a_doubt(layers: str) -> None:
    found = read(header(lora(layers, style="diffusers")))
    assert (found.architecture, str(found.doubt).partition(":")[0]) == ("flux1", "Probably FLUX.1")
    assert [claim.source for claim in found.claims if claim.field == "architecture"] == ["probably"]


@pytest.mark.parametrize("style", ["unet", "kohya"])
@pytest.mark.parametrize("name", UNETS)
def test_a_u_net_that_is_not_stable_diffusions_is_named_after_none(name: str, style: str) -> None:
    found = read(header(lora(UNETS[name], style=style)))
    assert (found.what, found.architecture) == ("lora", None)


@pytest.mark.parametrize("style", ["kohya", "ai-toolkit"])
@pytest.mark.parametrize("name", ORIGINAL)
def test_original_names_of_another_size_are_named_after_none(name: str, style: str) -> None:
    found = read(header(lora(ORIGINAL[name], style=style)))
    assert (found.what, found.architecture) == ("lora", None)


def test_a_file_that_lost_its_second_halves_still_has_a_size() -> None:
    shapes = {
        name: shape for name, shape in lora(streams(19, 38, width=2560), style="diffusers").items() if "lora_A" in name
    }
    assert read(header(shapes)).architecture is None
