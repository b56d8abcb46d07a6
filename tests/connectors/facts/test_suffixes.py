from __future__ import annotations

import pytest

from connectors.facts.suffixes import Layers, sort
from tests.connectors.facts.building import Shapes, tensors


def sorted_(shapes: Shapes) -> Layers:
    return sort(tensors(shapes))


def placed(*names: str) -> dict[str, list[str]]:
    """The layers by part."""
    return {part: list(found) for part, found in sorted_(dict.fromkeys(names, (4, 4))).parts.items()}


@pytest.mark.parametrize(
    ("down", "up", "layer"),
    [
        ("lora_unet_mid.lora_down.weight", "lora_unet_mid.lora_up.weight", "lora_unet_mid"),
        ("unet.mid.lora_down.weight", "unet.mid.lora_up.weight", "unet.mid"),
        ("unet.mid.lora_A.weight", "unet.mid.lora_B.weight", "unet.mid"),
        ("unet.mid.lora_A", "unet.mid.lora_B", "unet.mid"),
        ("mid.lora_A.default.weight", "mid.lora_B.default.weight", "mid"),
        ("mid.lora_A.default_0.weight", "mid.lora_B.default_0.weight", "mid"),
        ("mid.lora_A.my-style.weight", "mid.lora_B.my-style.weight", "mid"),
        ("mid.lora_A.my_style", "mid.lora_B.my_style", "mid"),
        ("unet.mid.lora.down.weight", "unet.mid.lora.up.weight", "unet.mid"),
        ("te.q.lora_linear_layer.down.weight", "te.q.lora_linear_layer.up.weight", "te.q"),
        ("mid.processor.to_q_lora.down.weight", "mid.processor.to_q_lora.up.weight", "mid.processor.to_q"),
        ("a.0.processor.qkv_lora1.down.weight", "a.0.processor.qkv_lora1.up.weight", "a.0.processor.qkv_lora1"),
        ("unet:3:down", "unet:3:up", "unet:3"),
        ("text_encoder:3:down", "text_encoder:3:up", "text_encoder:3"),
        ("weights.7.lora_down", "weights.7.lora_up", "weights.7"),
        ("lora_unet_unet_mid_lora_down.weight", "lora_unet_unet_mid_lora_up.weight", "lora_unet_unet_mid"),
    ],
)
def test_the_halves_of_a_layer_meet_under_its_name(down: str, up: str, layer: str) -> None:
    assert placed(down, up) == {"down": [layer], "up": [layer]}


@pytest.mark.parametrize(
    ("ending", "part"),
    [
        (".alpha", "alpha"),
        (".lora_mid.weight", "mid"),
        (".lora_B.bias", "up_bias"),
        (".lora_B.default.bias", "up_bias"),
        (".lora_B.mine.bias", "up_bias"),
        (".dora_scale", "magnitude"),
        (".magnitude", "magnitude"),
        (".lora_magnitude_vector", "magnitude"),
        (".lora_magnitude_vector.default.weight", "magnitude"),
        (".lora_magnitude_vector.mine.weight", "magnitude"),
        (".hada_w1_a", "hada_w1_a"),
        (".hada_w2_b.default", "hada_w2_b"),
        (".hada_t1", "hada_t1"),
        (".lokr_w1", "lokr_w1"),
        (".lokr_w2_a.default", "lokr_w2_a"),
        (".lokr_t2", "lokr_t2"),
        (".oft_blocks", "oft"),
        (".oft_diag", "oft"),
        (".oft_R.weight", "oft"),
        (".oft_R.default.weight", "oft"),
        (".oft_R.mine.weight", "oft"),
        (".ia3_l", "ia3"),
        (".ia3_l.mine", "ia3"),
        (".a1.weight", "a1"),
        (".b2.weight", "b2"),
        (".diff", "diff"),
        (".diff_b", "diff_b"),
        (".w_norm", "w_norm"),
        (".b_norm", "b_norm"),
        (".set_weight", "set"),
    ],
)
@pytest.mark.parametrize("layer", ["lora_unet_mid_block", "transformer.blocks.0.ff.net.0.proj"])
def test_an_ending_says_which_part_a_tensor_is(layer: str, ending: str, part: str) -> None:
    assert placed(layer + ending) == {part: [layer]}


def test_the_streams_of_an_xlabs_block_are_two_layers() -> None:
    names = [f"double_blocks.0.processor.qkv_lora{stream}.down.weight" for stream in (1, 2)]
    found = sorted_(dict.fromkeys(names, (16, 3072)))
    assert (len(found.of("down")), list(found.styles)) == (2, ["xlabs"])


def test_a_weight_beside_on_input_is_an_ia3_vector() -> None:
    assert placed("lora_unet_ff.on_input", "lora_unet_ff.weight") == {
        "on_input": ["lora_unet_ff"],
        "ia3": ["lora_unet_ff"],
    }


@pytest.mark.parametrize(
    "name", ["lora_unet_ff.weight", "transformer.blocks.0.attn.to_q.weight", "w_a", "a.lora_A.b.c.weight", "", ".", "x"]
)
def test_what_has_no_known_ending_belongs_to_no_layer(name: str) -> None:
    found = sorted_({name: (4, 4)})
    assert (found.tensors, found.others, found.beside) == (0, (name,), 0)


@pytest.mark.parametrize(
    "name",
    [
        "bundle_emb.cat.clip_l",
        "bundle_emb.cat.string_to_param.*",
        "double_blocks.0.img_attn.norm.query_norm.scale",
        "double_blocks.0.img_attn.norm.key_norm.scale",
        "<cat>",
        "text_encoder_token_embed",
    ],
)
def test_what_comes_with_a_lora_is_counted_beside_it(name: str) -> None:
    found = sorted_({"mid.lora_A.weight": (4, 4), name: (4, 768)})
    assert (found.tensors, found.others, found.beside) == (1, (), 1)


def test_parts_of_a_fused_layer_are_turned_as_layers_of_their_own() -> None:
    names = [f"oft_unet_double_blocks_0_img_attn_qkv.oft_blocks.{number}" for number in range(3)]
    assert placed(*names, "oft_unet_double_blocks_0_img_attn_qkv.alpha") == {
        "oft": names,
        "alpha": ["oft_unet_double_blocks_0_img_attn_qkv"],
    }


def test_the_halves_and_the_router_of_a_mixture_are_all_kept() -> None:
    layer = "lora_unet_blocks_0_self_attn_q_proj"
    ends = ("lora_ups.0.weight", "lora_ups.1.weight", "router.weight", "router.bias")
    experts = [f"{layer}.{end}" for end in ends]
    assert placed(f"{layer}.lora_down.weight", *experts) == {"down": [layer], "expert": experts}


def test_a_kohya_file_may_hold_names_of_another_kind() -> None:
    assert placed(
        "lora_unet_mid.alpha", "transformer.blocks.0.lora_A.weight", "lora_te1.text_model.q.lora_B.weight"
    ) == {
        "alpha": ["lora_unet_mid"],
        "down": ["transformer.blocks.0"],
        "up": ["lora_te1.text_model.q"],
    }


def test_the_writers_hand_is_seen_in_the_endings() -> None:
    assert sorted_({"lora_unet_a.lora_down.weight": (4, 4)}).styles == {"kohya"}
    assert sorted_({"a.lora_A.default.weight": (4, 4)}).styles == {"default"}
    assert sorted_({"unet.a.lora.up.weight": (4, 4), "a.processor.to_k_lora.up.weight": (4, 4)}).styles == {
        "old",
        "processor",
    }


def test_layers_answer_for_parts_that_are_not_there() -> None:
    found = sorted_({"lora_unet_a.lora_down.weight": (4, 4)})
    assert (found.has("up", "down"), found.has("up"), dict(found.of("up")), found.tensors) == (True, False, {}, 1)
