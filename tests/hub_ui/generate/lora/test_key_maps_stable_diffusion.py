from __future__ import annotations

from hub_ui.generate.lora.key_maps.stable_diffusion import is_numbered, targets_by_number
from hub_ui.generate.lora.modules import Model, Shape
from tests.hub_ui.generate.lora.naming import map_keys, modules, reasons


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
