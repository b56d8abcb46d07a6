import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub_ui.generate.lora.key_mapping import find_candidates
from hub_ui.generate.lora.modules import Model, Shape, Target
from tests.hub_ui.generate.lora.naming import Files, lora, map_keys, model, modules, names, reasons

SD1: Model = {
    "unet": {"mid_block.attentions.0.proj_in.weight": (8, 4), "conv_in.weight": (8, 4, 3, 3), "conv_in.bias": (8,)},
    "text_encoder": {"encoder.layers.0.self_attn.k_proj.weight": (8, 4)},
}
TWO_ENCODERS: Model = {
    "unet": {"mid_block.attentions.0.proj_in.weight": (8, 4)},
    "text_encoder": {"encoder.layers.0.self_attn.k_proj.weight": (8, 4)},
    "text_encoder_2": {"text_model.encoder.layers.0.self_attn.k_proj.weight": (16, 6)},
}


@pytest.mark.parametrize(
    "layer",
    [
        "mid_block.attentions.0.proj_in",
        "unet.mid_block.attentions.0.proj_in",
        "base_model.model.mid_block.attentions.0.proj_in",
        "unet.base_model.model.mid_block.attentions.0.proj_in",
        "base_model.model.unet.mid_block.attentions.0.proj_in",
        "diffusion_model.mid_block.attentions.0.proj_in",
        "model.diffusion_model.mid_block.attentions.0.proj_in",
        "lora_unet_mid_block_attentions_0_proj_in",
        "lora_unet_unet_mid_block_attentions_0_proj_in",
        "lora_unet__mid_block_attentions_0_proj_in",
        "Hunyuan_video_I2V_lora_mid_block_attentions_0_proj_in",
        "conditional_transformer.mid_block.attentions.0.proj_in",
        "lycoris_mid_block_attentions_0_proj_in",
        "oft_unet_mid_block_attentions_0_proj_in",
        "lora_unet_middle_block_1_proj_in",
        "lora_unet_mid_block_attentions_0_proj_in_",
        "unet._orig_mod.mid_block.attentions.0.proj_in",
        "pipe.dit.mid_block.attentions.0.proj_in",
    ],
)
def test_a_layer_is_found_under_every_beginning(layer: str) -> None:
    found = map_keys(lora(layer), SD1, "sd1")
    assert modules(found) == ["unet:mid_block.attentions.0.proj_in"]
    assert found.missed == ()


@pytest.mark.parametrize(
    "layer",
    [
        "lora_te_text_model_encoder_layers_0_self_attn_k_proj",
        "lora_te__text_model_encoder_layers_0_self_attn_k_proj",
        "lora_te1_text_model_encoder_layers_0_self_attn_k_proj",
        "lora_te1.text_model.encoder.layers.0.self_attn.k_proj",
        "text_encoder.text_model.encoder.layers.0.self_attn.k_proj",
        "text_encoder.base_model.model.text_model.encoder.layers.0.self_attn.k_proj",
        "text_encoders.clip_l.transformer.text_model.encoder.layers.0.self_attn.k_proj",
        "clip_l.transformer.text_model.encoder.layers.0.self_attn.k_proj",
        "base_model.model.text_model.encoder.layers.0.self_attn.k_proj",
        "text_model.encoder.layers.0.self_attn.k_proj",
        "lycoris_text_model_encoder_layers_0_self_attn_k_proj",
        "text_encoder.text_model.encoder.layers.0.self_attn.to_k",
    ],
)
def test_a_text_encoder_is_found_under_every_beginning(layer: str) -> None:
    assert modules(map_keys(lora(layer), SD1, "sd1")) == ["text_encoder:encoder.layers.0.self_attn.k_proj"]


def test_the_encoder_that_has_the_size_is_meant_whatever_its_number() -> None:
    found = map_keys(
        lora("lora_te1_text_model_encoder_layers_0_self_attn_k_proj", outputs=16, inputs=6), TWO_ENCODERS, "sdxl"
    )
    assert modules(found) == ["text_encoder_2:text_model.encoder.layers.0.self_attn.k_proj"]


def test_of_encoders_of_one_size_the_number_decides() -> None:
    twins: Model = {name: {"layers.0.mlp.weight": (8, 4)} for name in ("text_encoder", "text_encoder_2")}
    assert modules(map_keys(lora("lora_te2_layers_0_mlp"), twins, "sdxl")) == ["text_encoder_2:layers.0.mlp"]


def test_flux_has_its_t5_second_which_kohya_calls_the_third() -> None:
    t5 = "encoder.block.0.layer.0.SelfAttention.q"
    flux: Model = {
        "text_encoder": {"encoder.layers.0.self_attn.k_proj.weight": (8, 4)},
        **model(t5, component="text_encoder_2"),
    }
    for number in (2, 3):
        found = map_keys(lora(f"lora_te{number}_encoder_block_0_layer_0_SelfAttention_q"), flux, "flux1")
        assert modules(found) == [f"text_encoder_2:{t5}"]


ENCODER = "lora_te2_text_model_encoder_layers_0_self_attn_k_proj"


@pytest.mark.parametrize(
    ("file", "base", "reason", "tensors"),
    [
        (lora(ENCODER, ends="kohya", outputs=16), SD1, "of text encoder 2, which this base does not have", 3),
        (lora(ENCODER.replace("2", "")), model("a"), "of the text encoder, which this base does not have", 2),
        (lora("b.30.a", "b.31.a"), model("b.0.a"), "of layers this base does not have (b.30.a and 1 more)", 4),
        (lora("c", outputs=9), model("c"), "of layers that have other sizes than this base's (9 x 4 against 8 x 4)", 2),
    ],
)
def test_a_layer_that_has_no_place_is_told_with_the_reason(file: Files, base: Model, reason: str, tensors: int) -> None:
    assert reasons(map_keys(file, base, "sd1")) == {reason: tensors}


def test_a_convolution_counts_its_window() -> None:
    shapes: dict[str, Shape] = {
        "lora_unet_conv_in.lora_down.weight": (2, 4, 3, 3),
        "lora_unet_conv_in.lora_up.weight": (8, 2, 1, 1),
    }
    assert modules(map_keys(shapes, SD1, "sd1")) == ["unet:conv_in"]
    shapes["lora_unet_conv_in.lora_down.weight"] = (2, 4, 1, 1)
    assert reasons(map_keys(shapes, SD1, "sd1")) == {
        "of layers that have other sizes than this base's (8 x 4 against 8 x 36)": 2
    }


def test_a_layer_with_broken_shapes_is_missed() -> None:
    shapes: dict[str, Shape] = {"unet.conv_in.lora_A.weight": (2,), "unet.conv_in.lora_B.weight": (8, 2)}
    assert reasons(map_keys(shapes, SD1, "sd1")) == {
        "of layers whose tensors have other shapes than their algorithm's (unet.conv_in)": 2
    }


def test_xlabs_patches_the_layers_that_its_processors_stand_in() -> None:
    parts = [f"transformer_blocks.0.attn.{name}" for name in ("to_q", "to_k", "to_v", "to_add_out")]
    shapes: dict[str, Shape] = {
        "double_blocks.0.processor.qkv_lora1.down.weight": (2, 4),
        "double_blocks.0.processor.qkv_lora1.up.weight": (24, 2),
        "double_blocks.0.processor.proj_lora2.down.weight": (2, 4),
        "double_blocks.0.processor.proj_lora2.up.weight": (8, 2),
    }
    assert modules(map_keys(shapes, model(*parts), "flux1")) == [f"transformer:{part}" for part in parts]


def test_early_diffusers_patched_attention_by_its_processors() -> None:
    shapes: dict[str, Shape] = {
        "mid_block.attn1.processor.to_out_lora.down.weight": (2, 4),
        "mid_block.attn1.processor.to_out_lora.up.weight": (8, 2),
    }
    base = model("mid_block.attn1.to_out.0", component="unet")
    assert modules(map_keys(shapes, base, "sd1")) == ["unet:mid_block.attn1.to_out.0"]


def test_wan_s_differences_reach_norms_tables_and_biases() -> None:
    sizes: dict[str, Shape] = {
        "blocks.0.norm2.weight": (8,), "blocks.0.norm2.bias": (8,), "blocks.0.scale_shift_table": (1, 6, 8),
        "proj_out.weight": (4, 8), "condition_embedder.time_embedder.linear_1.weight": (8, 4),
    }  # fmt: skip
    shapes: dict[str, Shape] = {
        "diffusion_model.blocks.0.norm3.diff": (8,), "diffusion_model.blocks.0.norm3.diff_b": (8,),
        "diffusion_model.blocks.0.modulation.diff": (1, 6, 8), "diffusion_model.head.head.diff": (4, 8),
        "diffusion_model.time_embedding.0.diff_b": (8,),
    }  # fmt: skip
    found = map_keys(shapes, {"transformer": sizes}, "wan")
    assert found.missed == ()
    assert sorted(modules(found)) == [
        "transformer:blocks.0.norm2",
        "transformer:blocks.0.scale_shift_table",
        "transformer:condition_embedder.time_embedder.linear_1",
        "transformer:proj_out",
    ]


def test_a_control_lora_widens_the_picture_s_way_in() -> None:
    flux = model("x_embedder")
    found = map_keys(lora("transformer.x_embedder", inputs=8), flux, "flux1")
    assert found.layers[0].targets == (Target(component="transformer", module="x_embedder", inputs=8),)
    assert modules(map_keys(lora("img_in", inputs=8), flux, "flux1")) == ["transformer:x_embedder"]
    assert map_keys(lora("transformer.x_embedder", inputs=12), flux, "flux1").layers == ()
    assert map_keys(lora("transformer.x_embedder", inputs=8), flux, "chroma").layers == ()


def test_a_fused_layer_goes_to_all_its_parts_by_rows() -> None:
    parts = {f"layers.0.attn.to_{x}.weight": (rows, 4) for x, rows in (("q", 8), ("k", 2), ("v", 2))}
    found = map_keys(lora("layers.0.attention.qkv", outputs=12), {"transformer": parts}, "lumina2")
    assert [(target.module[-4:], target.rows) for target in found.layers[0].targets] == [
        ("to_q", ((0, 8),)),
        ("to_k", ((8, 10),)),
        ("to_v", ((10, 12),)),
    ]


def test_halves_that_stand_the_other_way_round_are_swapped() -> None:
    found = map_keys(lora("final_layer.adaLN_modulation.1"), model("norm_out.linear"), "flux1")
    assert found.layers[0].targets[0].rows == ((4, 8), (0, 4))


def test_a_fused_layer_that_the_file_repeats_in_parts_counts_once() -> None:
    base = model(*(f"layers.0.attention.to_{x}" for x in "qkv"))
    both = {
        **lora("diffusion_model.layers.0.attention.qkv", outputs=24),
        **lora(*(f"diffusion_model.layers.0.attention.to.{x}" for x in "qkv")),
    }
    found = map_keys(both, base, "z-image")
    assert modules(found) == [f"transformer:layers.0.attention.to_{x}" for x in "qkv"]
    assert reasons(found) == {"of layers that the file holds a second time (diffusion_model.layers.0.attention.qkv)": 2}


def test_a_fused_layer_keeps_the_rows_that_are_in_the_file_once() -> None:
    base = model(*(f"layers.0.attention.to_{x}" for x in "qkv"))
    both = {**lora("layers.0.attention.qkv", outputs=24), **lora("layers.0.attention.to_q")}
    assert sorted(modules(map_keys(both, base, "z-image"))) == [f"transformer:layers.0.attention.to_{x}" for x in "kqv"]


def test_low_noise_goes_to_wan_s_second_network() -> None:
    wan: Model = {name: {"blocks.0.attn1.to_q.weight": (8, 4)} for name in ("transformer", "transformer_2")}
    file = lora("diffusion_model.blocks.0.self_attn.q")
    assert modules(map_keys(file, wan, "wan")) == ["transformer:blocks.0.attn1.to_q"]
    assert modules(map_keys(file, wan, "wan", low_noise=True)) == ["transformer_2:blocks.0.attn1.to_q"]
    assert modules(map_keys(lora("transformer_2.blocks.0.attn1.to_q"), wan, "wan")) == [
        "transformer_2:blocks.0.attn1.to_q"
    ]


def test_low_noise_means_nothing_to_a_base_of_one_network() -> None:
    assert modules(map_keys(lora("blocks.0.self_attn.q"), model("blocks.0.attn1.to_q"), "wan", low_noise=True)) == [
        "transformer:blocks.0.attn1.to_q"
    ]


def test_anima_s_adapter_of_the_language_model_is_a_component_of_its_own() -> None:
    anima: Model = {
        **model("transformer_blocks.0.attn1.to_q"),
        **model("blocks.0.self_attn.q_proj", component="text_conditioner"),
    }
    for layer in (
        "lora_unet_llm_adapter_blocks_0_self_attn_q_proj",
        "diffusion_model.llm_adapter.blocks.0.self_attn.q_proj",
    ):
        assert modules(map_keys(lora(layer), anima, "anima")) == ["text_conditioner:blocks.0.self_attn.q_proj"]
    assert modules(map_keys(lora("blocks.0.self_attn.q_proj"), anima, "anima")) == [
        "transformer:transformer_blocks.0.attn1.to_q"
    ]


def test_diffsynth_sorts_minimax_s_rows_by_head() -> None:
    sizes = {f"transformer_blocks.0.attn.to_{x}.weight": (4, 4) for x in "qkv"}
    base: Model = {"transformer": {**sizes, "transformer_blocks.0.attn.norm_q.weight": (2,)}}
    shapes: dict[str, Shape] = {
        "blocks.0.attn.qkv_proj.lora_A.default.weight": (2, 4),
        "blocks.0.attn.qkv_proj.lora_B.default.weight": (12, 2),
    }
    found = map_keys(shapes, base, "minimax-h3")
    assert [target.rows for target in found.layers[0].targets] == [
        ((0, 2), (6, 8)),
        ((2, 4), (8, 10)),
        ((4, 6), (10, 12)),
    ]
    plain = map_keys({key.replace(".default", ""): shape for key, shape in shapes.items()}, base, "minimax-h3")
    assert [target.rows for target in plain.layers[0].targets] == [((0, 4),), ((4, 8),), ((8, 12),)]


def test_a_name_is_known_whatever_its_size() -> None:
    wan = names("wan", "blocks.0.attn1.to_q")
    assert find_candidates("lora_unet_blocks_0_self_attn_q", wan)[1]
    assert not find_candidates("lora_unet_blocks_1_self_attn_q", wan)[1]


def test_a_beginning_that_looks_like_a_wrapper_may_be_the_layer_s_own() -> None:
    base = model("transformer_blocks.0.attn.to_q")
    assert modules(map_keys(lora("lora_transformer_blocks_0_attn_to_q"), base, "qwen-image")) == [
        "transformer:transformer_blocks.0.attn.to_q"
    ]
    assert modules(map_keys(lora("lora_transformer_transformer_blocks_0_attn_to_q"), base, "qwen-image")) == [
        "transformer:transformer_blocks.0.attn.to_q"
    ]


ENDS = (".lora_down.weight", ".lora_up.weight", ".alpha", ".lora_A.weight", ".lora_B.weight", ".hada_w1_a", ".lokr_w1",
        ".lokr_w2", ".oft_blocks", ".diff", ".diff_b", ".w_norm", ".ia3_l", ".dora_scale", ".weight", "")  # fmt: skip
LAYERS = ("unet.conv_in", "lora_unet_mid_block_attentions_0_proj_in", "lora_te_text_model_encoder_layers_0_mlp_fc1",
          "text_encoder_2.a", "unet:3", "bundle_emb.a", "", "\n", "x.processor.to_q_lora")  # fmt: skip
SIZES = st.lists(st.integers(min_value=0, max_value=9), max_size=4).map(tuple)


@given(st.dictionaries(st.tuples(st.sampled_from(LAYERS), st.sampled_from(ENDS)).map("".join), SIZES, max_size=12))
def test_whatever_is_in_a_file_is_placed_or_missed(shapes: dict[str, Shape]) -> None:
    found = map_keys(shapes, SD1, "sd1")
    keys = [key for each in found.layers for key in each.keys.values()]
    assert sorted(keys + [key for each in found.missed for key in each.keys]) == sorted(shapes)
