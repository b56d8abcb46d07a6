from hub_ui.generate.lora.module_names import by_head, flat, modules_of, names_of
from hub_ui.generate.lora.modules import Target
from tests.hub_ui.generate.lora.naming import model, names


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


def test_the_second_network_has_its_component_before_its_names() -> None:
    both = {**model("a"), **model("a", component="transformer_2")}
    found = names_of(both, "wan").network
    assert [found[name][0].component for name in ("a", "transformer_2_a")] == ["transformer", "transformer_2"]


def test_a_model_of_a_unet_alone_has_no_transformer() -> None:
    assert names("sd1", "conv_in", component="unet").network["conv_in"][0].component == "unet"


def test_encoders_are_listed_in_their_order() -> None:
    both = {name: {"layers.0.mlp.weight": (8, 4)} for name in ("text_encoder", "text_encoder_2")}
    found = names_of(both, "sdxl").encoders["layers_0_mlp"]
    assert [targets[0].component for targets in found] == ["text_encoder", "text_encoder_2"]


def test_rows_by_head_take_turns() -> None:
    targets = tuple(Target(component="a", module=name, rows=((4 * n, 4 * n + 4),)) for n, name in enumerate("qkv"))
    assert [target.rows for target in by_head(targets, 2)] == [
        ((0, 2), (6, 8)),
        ((2, 4), (8, 10)),
        ((4, 6), (10, 12)),
    ]


def test_a_spelling_has_no_dots() -> None:
    assert flat("blocks.0.attn1.to_out.0") == "blocks_0_attn1_to_out_0"
