"""A handful of names of each family, as its own code has them, and what diffusers calls them."""

from __future__ import annotations

import pytest

from hub_ui.generate.lora.key_maps import Entry, swap_halves, within
from hub_ui.generate.lora.key_maps.image import is_numbered, plain, targets_by_number
from hub_ui.generate.lora.module_names import TABLES, flat
from hub_ui.generate.lora.modules import Model, Shape
from tests.hub_ui.generate.lora.naming import map_keys, modules, names, reasons

_FLUX_DOUBLE = "transformer_blocks.18."
_FLUX_SINGLE = "single_transformer_blocks.37."


@pytest.mark.parametrize(
    ("architecture", "original", "module"),
    [
        ("flux1", "double_blocks.18.img_mod.lin", _FLUX_DOUBLE + "norm1.linear"),
        ("flux1", "double_blocks.18.txt_mod.lin", _FLUX_DOUBLE + "norm1_context.linear"),
        ("flux1", "double_blocks.18.img_attn.proj", _FLUX_DOUBLE + "attn.to_out.0"),
        ("flux1", "double_blocks.18.txt_attn.proj", _FLUX_DOUBLE + "attn.to_add_out"),
        ("flux1", "double_blocks.18.img_mlp.0", _FLUX_DOUBLE + "ff.net.0.proj"),
        ("flux1", "double_blocks.18.txt_mlp.2", _FLUX_DOUBLE + "ff_context.net.2"),
        ("flux1", "double_blocks.18.txt_attn.norm.key_norm", _FLUX_DOUBLE + "attn.norm_added_k"),
        ("flux1", "double_blocks.18.proj_lora2", _FLUX_DOUBLE + "attn.to_add_out"),
        ("flux1", "single_blocks.37.linear2", _FLUX_SINGLE + "proj_out"),
        ("flux1", "single_blocks.37.modulation.lin", _FLUX_SINGLE + "norm.linear"),
        ("flux1", "img_in", "x_embedder"),
        ("flux1", "txt_in", "context_embedder"),
        ("flux1", "time_in.out_layer", "time_text_embed.timestep_embedder.linear_2"),
        ("flux1", "vector_in.in_layer", "time_text_embed.text_embedder.linear_1"),
        ("flux1", "guidance_in.in_layer", "time_text_embed.guidance_embedder.linear_1"),
        ("flux1", "final_layer.linear", "proj_out"),
        ("chroma", "distilled_guidance_layer.layers.4.in_layer", "distilled_guidance_layer.layers.4.linear_1"),
        ("flux2", "double_blocks.0.img_mlp.2", "transformer_blocks.0.ff.linear_out"),
        ("flux2", "single_blocks.47.linear1", "single_transformer_blocks.47.attn.to_qkv_mlp_proj"),
        ("flux2", "single_blocks.47.linear2", "single_transformer_blocks.47.attn.to_out"),
        ("flux2", "double_stream_modulation_img.lin", "double_stream_modulation_img.linear"),
        ("flux2", "sformer_blocks.0.attn.to_q", "transformer_blocks.0.attn.to_q"),
        ("flux3", "content_mode_blocks.image.0.mlp_in", "mode_blocks.image.0.ff.linear_in"),
        ("sd3", "joint_blocks.23.x_block.mlp.fc1", "transformer_blocks.23.ff.net.0.proj"),
        ("sd3", "joint_blocks.23.context_block.attn.proj", "transformer_blocks.23.attn.to_add_out"),
        ("sd3", "joint_blocks.0.x_block.attn2.proj", "transformer_blocks.0.attn2.to_out.0"),
        ("sd3", "y_embedder.mlp.0", "time_text_embed.text_embedder.linear_1"),
        ("auraflow", "double_layers.3.attn.w1q", "joint_transformer_blocks.3.attn.add_q_proj"),
        ("auraflow", "double_layers.3.mlpX.c_proj", "joint_transformer_blocks.3.ff.out_projection"),
        ("auraflow", "single_layers.31.attn.w1o", "single_transformer_blocks.31.attn.to_out.0"),
        ("auraflow", "cond_seq_linear", "context_embedder"),
        ("mochi", "blocks.0.attn.proj_y", "transformer_blocks.0.attn1.to_add_out"),
        ("mochi", "blocks.47.mod_y", "transformer_blocks.47.norm1_context.linear_1"),
        ("lumina2", "layers.25.feed_forward.w3", "layers.25.feed_forward.linear_3"),
        ("lumina2", "noise_refiner.1.adaLN_modulation.1", "noise_refiner.1.norm1.linear"),
        ("lumina2", "context_refiner.0.attention.out", "context_refiner.0.attn.to_out.0"),
        ("lumina2", "final_layer.linear", "norm_out.linear_2"),
        ("z-image", "layers.29.attention.out", "layers.29.attention.to_out.0"),
        ("z-image", "x_embedder", "all_x_embedder.2-1"),
        ("wan", "blocks.39.self_attn.o", "blocks.39.attn1.to_out.0"),
        ("wan", "blocks.39.cross_attn.k_img", "blocks.39.attn2.add_k_proj"),
        ("wan", "blocks.39.ffn.2", "blocks.39.ffn.net.2"),
        ("wan", "blocks.39.norm3", "blocks.39.norm2"),
        ("wan", "head.head", "proj_out"),
        ("wan", "time_projection.1", "condition_embedder.time_proj"),
        ("wan", "img_emb.proj.3", "condition_embedder.image_embedder.ff.net.2"),
        ("hunyuan-video", "double_blocks.19.img_attn_proj", "transformer_blocks.19.attn.to_out.0"),
        ("hunyuan-video", "double_blocks.19.txt_mlp.fc2", "transformer_blocks.19.ff_context.net.2"),
        ("hunyuan-video", "single_blocks.39.modulation.linear", "single_transformer_blocks.39.norm.linear"),
        (
            "hunyuan-video",
            "txt_in.individual_token_refiner.blocks.1.mlp.fc1",
            "context_embedder.token_refiner.refiner_blocks.1.ff.net.0.proj",
        ),
        ("hunyuan-image", "guidance_in.mlp.0", "time_guidance_embed.guidance_embedder.linear_1"),
        ("hunyuan-video-1.5", "double_blocks.53.img_attn_q", "transformer_blocks.53.attn.to_q"),
        ("hunyuan-video-1.5", "byt5_in.fc3", "context_embedder_2.linear_3"),
        ("ltx-video", "patchify_proj", "proj_in"),
        ("ltx-video", "adaln_single.linear", "time_embed.linear"),
        ("ltx-video-2", "av_ca_a2v_gate_adaln_single.linear", "av_cross_attn_video_a2v_gate.linear"),
        ("ltx-video-2", "audio_patchify_proj", "audio_proj_in"),
        ("anima", "blocks.27.self_attn.output_proj", "transformer_blocks.27.attn1.to_out.0"),
        ("anima", "blocks.27.adaln_modulation_mlp.2", "transformer_blocks.27.norm3.linear_2"),
        ("anima", "blocks.27.mlp.layer1", "transformer_blocks.27.ff.net.0.proj"),
        ("anima", "t_embedder.1.linear_2", "time_embed.t_embedder.linear_2"),
        ("krea2", "blocks.27.attn.gate", "transformer_blocks.27.attn.to_gate"),
        ("krea2", "txtfusion.refiner_blocks.1.mlp.down", "text_fusion.refiner_blocks.1.ff.down"),
        ("krea2", "first", "img_in"),
        ("krea2", "txtmlp.3", "txt_in.linear_2"),
        ("minimax-h3", "blocks.49.attn.out_proj", "transformer_blocks.49.attn.to_out.0"),
        ("minimax-h3", "token_refiner.blocks.1.mlp.fc2", "token_refiner.refiner_blocks.1.ff.net.2"),
        ("minimax-h3", "time_embedder.proj_in", "time_embedder.linear_1"),
        ("ideogram4", "layers.33.attention.o", "layers.33.attention.to_out.0"),
        ("sana", "blocks.19.mlp.point_conv.conv", "transformer_blocks.19.ff.conv_point"),
        ("sana", "t_block.1", "time_embed.linear"),
        ("pixart", "blocks.27.cross_attn.q_linear", "transformer_blocks.27.attn2.to_q"),
        ("pixart", "ar_embedder.mlp.2", "adaln_single.emb.aspect_ratio_embedder.linear_2"),
    ],
)
def test_an_original_name_is_one_module(architecture: str, original: str, module: str) -> None:
    targets = names(architecture, module).network[flat(original)]
    assert [(target.component, target.module, target.rows) for target in targets] == [("transformer", module, None)]


@pytest.mark.parametrize(
    ("architecture", "original", "modules"),
    [
        ("flux1", "double_blocks.0.img_attn.qkv", "transformer_blocks.0.attn.{to_q,to_k,to_v}"),
        ("anima", "blocks.0.self_attn.qkv_proj", "transformer_blocks.0.attn1.{to_q,to_k,to_v}"),
        ("anima", "blocks.0.cross_attn.kv_proj", "transformer_blocks.0.attn2.{to_k,to_v}"),
        ("flux1", "double_blocks.0.qkv_lora2", "transformer_blocks.0.attn.{add_q_proj,add_k_proj,add_v_proj}"),
        ("flux1", "single_blocks.0.linear1", "single_transformer_blocks.0.{attn.to_q,attn.to_k,attn.to_v,proj_mlp}"),
        ("flux1", "single_blocks.0.qkv", "single_transformer_blocks.0.attn.{to_q,to_k,to_v}"),
        ("flux2", "double_blocks.0.txt_attn.qkv", "transformer_blocks.0.attn.{add_q_proj,add_k_proj,add_v_proj}"),
        ("sd3", "joint_blocks.0.x_block.attn2.qkv", "transformer_blocks.0.attn2.{to_q,to_k,to_v}"),
        (
            "sd3",
            "joint_blocks.0.context_block.attn.qkv",
            "transformer_blocks.0.attn.{add_q_proj,add_k_proj,add_v_proj}",
        ),
        ("lumina2", "context_refiner.1.attention.qkv", "context_refiner.1.attn.{to_q,to_k,to_v}"),
        ("z-image", "layers.0.attention.qkv", "layers.0.attention.{to_q,to_k,to_v}"),
        (
            "hunyuan-video",
            "single_blocks.0.linear1",
            "single_transformer_blocks.0.{attn.to_q,attn.to_k,attn.to_v,proj_mlp}",
        ),
        ("hunyuan-video", "double_blocks.0.img_attn_qkv", "transformer_blocks.0.attn.{to_q,to_k,to_v}"),
        ("qwen-image-2", "transformer_blocks.0.img_mlp.gate_up", "transformer_blocks.0.img_mlp.{gate_layer,proj}"),
        ("minimax-h3", "blocks.0.attn.qkv_proj", "transformer_blocks.0.attn.{to_q,to_k,to_v}"),
        ("sana", "blocks.0.cross_attn.kv_linear", "transformer_blocks.0.attn2.{to_k,to_v}"),
        ("mochi", "blocks.0.attn.qkv_y", "transformer_blocks.0.attn1.{add_q_proj,add_k_proj,add_v_proj}"),
    ],
)
def test_a_fused_name_is_its_parts_in_their_order(architecture: str, original: str, modules: str) -> None:
    before, _, parts = modules.rstrip("}").partition("{")
    expected = [before + part for part in parts.split(",")]
    targets = names(architecture, *expected).network[flat(original)]
    assert [target.module for target in targets] == expected
    assert [target.rows for target in targets] == [((8 * n, 8 * n + 8),) for n in range(len(expected))]


@pytest.mark.parametrize(
    ("architecture", "original", "module"),
    [
        ("flux1", "final_layer.adaLN_modulation.1", "norm_out.linear"),
        ("flux2", "final_layer.adaLN_modulation.1", "norm_out.linear"),
        ("sd3", "final_layer.adaLN_modulation.1", "norm_out.linear"),
        ("hunyuan-video", "final_layer.adaLN_modulation.1", "norm_out.linear"),
        ("auraflow", "modF.1", "norm_out.linear"),
        ("mochi", "blocks.0.mlp_x.w1", "transformer_blocks.0.ff.net.0.proj"),
        ("minimax-h3", "blocks.0.mlp.fc1", "transformer_blocks.0.ff.net.0.proj"),
    ],
)
def test_swapped_halves(architecture: str, original: str, module: str) -> None:
    assert names(architecture, module).network[flat(original)][0].rows == ((4, 8), (0, 4))


def test_sd3_s_last_block_swaps_where_it_has_no_gates() -> None:
    original, module = "joint_blocks_0_context_block_adaLN_modulation_1", "transformer_blocks.0.norm1_context.linear"
    assert names("sd3", module, shape=(24, 4)).network[original][0].rows is None
    assert names("sd3", module, shape=(8, 4)).network[original][0].rows == ((4, 8), (0, 4))


UNET = (
    "conv_in", "conv_out", "conv_norm_out", "time_embedding.linear_1", "add_embedding.linear_2",
    "down_blocks.0.resnets.0.conv1", "down_blocks.0.resnets.1.conv1", "down_blocks.0.downsamplers.0.conv",
    "down_blocks.1.resnets.0.conv_shortcut", "down_blocks.1.attentions.1.transformer_blocks.0.attn1.to_q",
    "mid_block.resnets.1.time_emb_proj", "mid_block.attentions.0.proj_in",
    "up_blocks.0.resnets.2.conv2", "up_blocks.0.attentions.2.proj_out", "up_blocks.0.upsamplers.0.conv",
    "up_blocks.1.resnets.0.norm1", "up_blocks.1.upsamplers.0.conv",
)  # fmt: skip


@pytest.mark.parametrize(
    ("original", "module"),
    [
        ("input_blocks.0.0", "conv_in"),
        ("out.0", "conv_norm_out"),
        ("out.2", "conv_out"),
        ("time_embed.0", "time_embedding.linear_1"),
        ("label_emb.0.2", "add_embedding.linear_2"),
        ("input_blocks.1.0.in_layers.2", "down_blocks.0.resnets.0.conv1"),
        ("input_blocks.2.0.in_layers.2", "down_blocks.0.resnets.1.conv1"),
        ("input_blocks.3.0.op", "down_blocks.0.downsamplers.0.conv"),
        ("input_blocks.4.0.skip_connection", "down_blocks.1.resnets.0.conv_shortcut"),
        (
            "input_blocks.5.1.transformer_blocks.0.attn1.to_q",
            "down_blocks.1.attentions.1.transformer_blocks.0.attn1.to_q",
        ),
        ("middle_block.2.emb_layers.1", "mid_block.resnets.1.time_emb_proj"),
        ("middle_block.1.proj_in", "mid_block.attentions.0.proj_in"),
        ("output_blocks.2.0.out_layers.3", "up_blocks.0.resnets.2.conv2"),
        ("output_blocks.2.1.proj_out", "up_blocks.0.attentions.2.proj_out"),
        ("output_blocks.2.2.conv", "up_blocks.0.upsamplers.0.conv"),
        ("output_blocks.3.0.in_layers.0", "up_blocks.1.resnets.0.norm1"),
        ("output_blocks.5.1.conv", "up_blocks.1.upsamplers.0.conv"),
    ],
)
def test_a_unet_s_blocks_are_counted_through(original: str, module: str) -> None:
    targets = names("sdxl", *UNET, component="unet").network[flat(original)]
    assert [(target.component, target.module) for target in targets] == [("unet", module)]


def test_the_way_out_of_an_attention_may_be_no_list() -> None:
    assert names("sd1", "a.to_out.0", component="unet").network["a_to_out"][0].module == "a.to_out.0"


@pytest.mark.parametrize(
    ("original", "modules"),
    [
        ("resblocks.0.attn.in_proj", ["q_proj", "k_proj", "v_proj"]),
        ("resblocks.0.attn.out_proj", ["out_proj"]),
        ("encoder.layers.0.self_attn.to_out", ["out_proj"]),
    ],
)
def test_open_clip_and_early_diffusers_call_attention_otherwise(original: str, modules: list[str]) -> None:
    own = [f"text_model.encoder.layers.0.self_attn.{name}" for name in ("q_proj", "k_proj", "v_proj", "out_proj")]
    candidates = names("sd2", *own, component="text_encoder").encoders[flat(original)]
    assert [target.module.rpartition(".")[2] for target in candidates[0]] == modules


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("text_model.encoder.layers.0", "encoder.layers.0"),
        ("text_model_encoder_layers_0", "encoder_layers_0"),
        ("transformer.text_model.encoder.layers.0", "encoder.layers.0"),
        ("model.language_model.layers.0", "layers.0"),
        ("encoder.block.0", "encoder.block.0"),
    ],
)
def test_wrappers_around_an_encoder_are_left_out(name: str, expected: str) -> None:
    assert plain(name) == expected


def test_rows_of_a_block_have_its_name_before_them() -> None:
    assert within("a.{}", "b.{}", {"q": "x", "qk": ("x", "y"), "m": swap_halves("z"), "": ""}) == {
        "a.{}.q": Entry(modules=("b.{}.x",)),
        "a.{}.qk": Entry(modules=("b.{}.x", "b.{}.y")),
        "a.{}.m": Entry(modules=("b.{}.z",), swap="always"),
        "a.{}": Entry(modules=("b.{}",)),
    }


def test_no_row_of_a_table_names_a_module_twice() -> None:
    twice = [
        (architecture, original)
        for architecture, table in TABLES.items()
        for original, entry in table.items()
        if len(set(entry.modules)) < len(entry.modules) or (entry.swap != "never" and len(entry.modules) > 1)
    ]
    assert twice == []


def numbered_model() -> Model:
    block = "{}.transformer_blocks.0."
    parts = ("attn1.to_q", "attn1.to_k", "attn1.to_v", "attn1.to_out.0", "attn2.to_q", "attn2.to_k", "attn2.to_v",
             "attn2.to_out.0", "ff.net.0.proj")  # fmt: skip
    places = {"down_blocks.0.attentions.0": 8, "mid_block.attentions.0": 16, "up_blocks.0.attentions.0": 8}
    return {
        "unet": {
            block.format(place) + f"{part}.weight": (width, 4) for place, width in places.items() for part in parts
        }
    }


def numbered_file(*widths: int) -> dict[str, Shape]:
    shapes: dict[str, Shape] = {}
    for number in range(27):
        shapes[f"unet:{number}:down"] = (2, 4)
        shapes[f"unet:{number}:up"] = (widths[number // 9], 2)
    return shapes


def test_numbered_layers_follow_the_order_of_the_model() -> None:
    found = modules(map_keys(numbered_file(8, 8, 16), numbered_model(), "sd1"))
    assert found[4] == "unet:down_blocks.0.attentions.0.transformer_blocks.0.ff.net.0.proj"
    assert found[5] == "unet:down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_q"
    assert found[9] == "unet:up_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"
    assert found[18] == "unet:mid_block.attentions.0.transformer_blocks.0.attn1.to_q"


def test_numbered_layers_in_another_order_are_refused_all() -> None:
    assert reasons(map_keys(numbered_file(8, 16, 8), numbered_model(), "sd1")) == {
        "of layers that are only numbered, and do not fit this base in the order of their numbers": 54
    }


def test_a_text_encoder_counts_keys_first() -> None:
    sizes = {
        "text_encoder": {
            f"encoder.layers.{n}.self_attn.{x}_proj": (8, 8) for n in (0, 10, 9) for x in ("q", "k", "v", "out")
        }
    }
    found = targets_by_number(sizes)
    assert [found[f"text_encoder:{n}"].module.split(".")[2:] for n in (0, 1, 2, 3, 4, 8)] == [
        ["0", "self_attn", "k_proj"],
        ["0", "self_attn", "v_proj"],
        ["0", "self_attn", "q_proj"],
        ["0", "self_attn", "out_proj"],
        ["9", "self_attn", "k_proj"],
        ["10", "self_attn", "k_proj"],
    ]


def test_a_number_is_no_name() -> None:
    assert is_numbered("unet:0")
    assert is_numbered("text_encoder:11")
    assert not is_numbered("unet.0")
