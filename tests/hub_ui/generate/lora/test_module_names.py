from hub_ui.generate.lora.module_names import modules_of, names_of
from hub_ui.generate.lora.modules import Target
from tests.hub_ui.generate.lora.naming import names


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
