"""Names of modules, and those that no converter of diffusers knows, as a network's own code or a trainer has them.

The others are held against the converters in test_key_maps_real.py.
"""

import pytest

from hub_ui.generate.lora.module_names import (
    TABLES,
    Entry,
    flat,
    is_numbered,
    modules_of,
    names_of,
    plain,
    table,
    targets_by_number,
)
from hub_ui.generate.lora.modules import Model, Shape, Target
from tests.hub_ui.generate.lora.naming import map_keys, modules, names, reasons


@pytest.mark.parametrize(
    ("architecture", "original", "module"),
    [
        ("bria-fibo2", "layers.1.cross_out", "layers.1.cross_attention.to_out.0"),
        ("bria-fibo2", "perceiver.layers.0.cross_q", "perceiver.layers.0.cross_attention.to_q"),
        ("bria-fibo2", "perceiver.layers.0.self_v", "perceiver.layers.0.self_attention.to_v"),
        ("bria-fibo2", "all_x_embedder.2-1", "x_embedder"),
        ("flux1", "double_blocks.18.proj_lora2", "transformer_blocks.18.attn.to_add_out"),
        ("flux2", "single_blocks.47.linear1", "single_transformer_blocks.47.attn.to_qkv_mlp_proj"),
        ("flux2", "single_blocks.47.linear2", "single_transformer_blocks.47.attn.to_out"),
        ("flux2", "sformer_blocks.0.attn.to_q", "transformer_blocks.0.attn.to_q"),
        ("flux3", "content_mode_blocks.image.0.mlp_in", "mode_blocks.image.0.ff.linear_in"),
        ("hunyuan-image", "guidance_in.mlp.0", "time_guidance_embed.guidance_embedder.linear_1"),
        ("hunyuan-video-1.5", "double_blocks.53.img_attn_q", "transformer_blocks.53.attn.to_q"),
        ("hunyuan-video-1.5", "byt5_in.fc3", "context_embedder_2.linear_3"),
        ("ideogram4", "layers.33.attention.o", "layers.33.attention.to_out.0"),
        ("ltx-video-2", "prompt_adaln_single.linear", "prompt_adaln.linear"),
        (
            "ltx-video-2",
            "audio_prompt_adaln_single.emb.timestep_embedder.linear_1",
            "audio_prompt_adaln.emb.timestep_embedder.linear_1",
        ),
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
        ("anima", "blocks.0.self_attn.qkv_proj", "transformer_blocks.0.attn1.{to_q,to_k,to_v}"),
        ("anima", "blocks.0.cross_attn.kv_proj", "transformer_blocks.0.attn2.{to_k,to_v}"),
        ("ideogram4", "layers.0.attention.qkv", "layers.0.attention.{to_q,to_k,to_v}"),
        ("flux1", "double_blocks.0.qkv_lora2", "transformer_blocks.0.attn.{add_q_proj,add_k_proj,add_v_proj}"),
        ("flux1", "single_blocks.0.qkv", "single_transformer_blocks.0.attn.{to_q,to_k,to_v}"),
    ],
)
def test_a_fused_name_is_its_parts_in_their_order(architecture: str, original: str, modules: str) -> None:
    before, _, parts = modules.rstrip("}").partition("{")
    expected = [before + part for part in parts.split(",")]
    targets = names(architecture, *expected).network[flat(original)]
    assert [target.module for target in targets] == expected
    assert [target.rows for target in targets] == [((8 * n, 8 * n + 8),) for n in range(len(expected))]


def test_sd3_s_last_block_swaps_where_it_has_no_gates() -> None:
    original, module = "joint_blocks_0_context_block_adaLN_modulation_1", "transformer_blocks.0.norm1_context.linear"
    assert names("sd3", module, shape=(24, 4)).network[original][0].rows is None
    assert names("sd3", module, shape=(8, 4)).network[original][0].rows == ((4, 8), (0, 4))


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
    assert table({"a.{}": {"to": "b.{}", "rows": ["_sd3_text"]}, "": {"rows": ["_fc"]}}) == {
        "a.{}.attn.qkv": Entry(modules=("b.{}.attn.add_q_proj", "b.{}.attn.add_k_proj", "b.{}.attn.add_v_proj")),
        "a.{}.attn.proj": Entry(modules=("b.{}.attn.to_add_out",)),
        "a.{}.attn.ln_q": Entry(modules=("b.{}.attn.norm_added_q",)),
        "a.{}.attn.ln_k": Entry(modules=("b.{}.attn.norm_added_k",)),
        "a.{}.mlp.fc1": Entry(modules=("b.{}.ff_context.net.0.proj",)),
        "a.{}.mlp.fc2": Entry(modules=("b.{}.ff_context.net.2",)),
        "a.{}.adaLN_modulation.1": Entry(modules=("b.{}.norm1_context.linear",), swap="two"),
        "fc1": Entry(modules=("linear_1",)),
        "fc2": Entry(modules=("linear_2",)),
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


def test_a_module_is_known_by_its_weight_and_a_bare_parameter_by_its_name() -> None:
    parameters = {"a.weight": (8, 4), "a.bias": (8,), "table": (2, 8), "pos.bias": (3,)}
    assert modules_of(parameters) == {"a": (8, 4), "table": (2, 8), "pos.bias": (3,)}


def test_a_model_s_own_names_are_believed_before_the_original_ones() -> None:
    # "proj_out" is a layer of the model; the table's row of that name in the original code is another one.
    found = names("sana", "patch_embed.proj", "x_embedder.proj").network["x_embedder_proj"]
    assert found == (Target(component="transformer", module="x_embedder.proj"),)


def test_a_row_whose_modules_the_model_lacks_says_nothing() -> None:
    assert "double_blocks_0_img_attn_qkv" not in names("flux1", "transformer_blocks.0.attn.to_q").network


def test_rows_are_written_out_for_the_blocks_that_are_there() -> None:
    found = names("wan", "blocks.0.attn1.to_q", "blocks.7.attn1.to_q").network
    assert sorted(name for name in found if "self_attn" in name) == ["blocks_0_self_attn_q", "blocks_7_self_attn_q"]


def test_encoders_are_listed_in_their_order() -> None:
    both = {name: {"layers.0.mlp.weight": (8, 4)} for name in ("text_encoder", "text_encoder_2")}
    found = names_of(both, "sdxl").encoders["layers_0_mlp"]
    assert [targets[0].component for targets in found] == ["text_encoder", "text_encoder_2"]
