import pytest

from connectors.weights.file_type import structure_of
from connectors.weights.key_formats import Layers, name, sort
from tests.connectors.weights.building import Shapes, lora, tensors

FLUX = "single_transformer_blocks.0.attn.to_q 3072>3072"
SDXL = "input_blocks.4.1.transformer_blocks.0.attn2.to_k 2048>640"
BFL = "double_blocks.0.img_attn.qkv 3072>9216"
PROCESSOR = "down_blocks.0.attentions.0.transformer_blocks.0.attn2.processor.to_k_lora"
NORM = {"double_blocks.0.img_attn.norm.query_norm.scale": (128,)}


def written_by(shapes: Shapes) -> str | None:
    return structure_of(tensors(shapes)).format


def halves(layer: str, down: str = ".lora_A.weight", up: str = ".lora_B.weight") -> dict[str, tuple[int, ...]]:
    return {layer + down: (16, 768), layer + up: (768, 16)}


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("lora_unet_double_blocks_0_img_attn_qkv", "double_blocks_0_img_attn_qkv"),
        ("lora_unet_unet_mid_block_attentions_0", "mid_block_attentions_0"),
        ("lora_unet__blocks_0_self_attn_q", "blocks_0_self_attn_q"),
        ("lora_prior_unet_down_blocks_0_1_mapper", "down_blocks_0_1_mapper"),
        ("lora_transformer_single_transformer_blocks_0_attn_to_q", "single_transformer_blocks_0_attn_to_q"),
        ("oft_unet_mid_block_attentions_0", "mid_block_attentions_0"),
        ("Hunyuan_video_I2V_lora_double_blocks_0_img_mod_linear", "double_blocks_0_img_mod_linear"),
        ("lycoris_transformer_blocks_0_attn_to_q", "transformer_blocks_0_attn_to_q"),
        ("diffusion_model.double_blocks.0.img_attn.qkv", "double_blocks_0_img_attn_qkv"),
        ("model.diffusion_model.blocks.0.self_attn.q", "blocks_0_self_attn_q"),
        ("transformer.base_model.model.transformer_blocks.0.attn.to_q", "transformer_blocks_0_attn_to_q"),
        ("unet.base_model.model.mid_block.attentions.0", "mid_block_attentions_0"),
        ("base_model.model.unet.mid_block.attentions.0", "mid_block_attentions_0"),
        ("base_model.model.transformer.transformer_blocks.0.attn.to_q", "transformer_blocks_0_attn_to_q"),
        ("base_model.model.layers.0.attention.to_q", "layers_0_attention_to_q"),
        ("transformer.transformer_blocks.0.attn.to_q", "transformer_blocks_0_attn_to_q"),
        ("unet.mid_block.attentions.0", "mid_block_attentions_0"),
        ("unet:0", "0"),
        ("net.blocks.0.self_attn.q_proj", "blocks_0_self_attn_q_proj"),
        ("transformer_blocks.0.attn.to_q", "transformer_blocks_0_attn_to_q"),
        ("mid_block.attentions.0.attn1.processor.to_q", "mid_block_attentions_0_attn1_to_q"),
    ],
)
def test_a_layer_is_called_the_same_whoever_wrote_it(written: str, plain: str) -> None:
    found = name([written])
    assert (dict(found.model), dict(found.encoders)) == ({plain: written}, {})


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("lora_te_text_model_encoder_layers_0_mlp_fc1", "_text_model_encoder_layers_0_mlp_fc1"),
        ("lora_te2_text_model_encoder_layers_0_mlp_fc1", "2_text_model_encoder_layers_0_mlp_fc1"),
        ("lora_te1.text_model.encoder.layers.0.mlp.fc1", "1_text_model_encoder_layers_0_mlp_fc1"),
        ("lora_prior_te_text_model_encoder_layers_0_mlp_fc1", "text_model_encoder_layers_0_mlp_fc1"),
        ("oft_te1_text_model_encoder_layers_0_mlp_fc1", "1_text_model_encoder_layers_0_mlp_fc1"),
        ("text_encoder.text_model.encoder.layers.0.mlp.fc1", "_text_model_encoder_layers_0_mlp_fc1"),
        ("text_encoder_2.text_model.encoder.layers.0.mlp.fc1", "_2_text_model_encoder_layers_0_mlp_fc1"),
        ("text_encoders.clip_l.transformer.text_model.layers.0", "clip_l_transformer_text_model_layers_0"),
        ("text_encoder.base_model.model.text_model.layers.0", "text_model_layers_0"),
        ("base_model.model.text_model.encoder.layers.0", "encoder_layers_0"),
        ("text_encoder:0", "0"),
    ],
)
def test_a_text_encoders_layer_is_kept_apart(written: str, plain: str) -> None:
    found = name([written, "lora_unet_mid_block"])
    assert dict(found.encoders) == {plain: written}
    assert dict(found.model) == {"mid_block": "lora_unet_mid_block"}


def test_line_ends_and_control_characters_in_names_change_no_other_name() -> None:
    written = ["unet.a\nlora_unet_b", "\x01unet.c", "lora_te_\x02d", "unet.e"]
    found = name(written)
    assert list(found.model.values()) == ["unet.a\nlora_unet_b", "\x01unet.c", "unet.e"]
    assert list(found.encoders.values()) == ["lora_te_\x02d"]


@pytest.mark.parametrize(
    ("style", "layers", "format_"),
    [
        ("kohya", SDXL, "kohya"),
        ("cascade", "down_blocks.0.1.mapper 2048>2048", "kohya"),
        ("hunyuan-i2v", "double_blocks.0.img_mod.linear 3072>18432", "kohya"),
        ("kohya-te", "text_model.encoder.layers.0.mlp.fc1 768>3072", "kohya"),
        ("onetrainer", FLUX, "onetrainer"),
        ("lycoris", FLUX, "lycoris"),
        ("ai-toolkit", BFL, "ai-toolkit"),
        ("comfy", BFL, "ai-toolkit"),
        ("diffusers", FLUX, "diffusers"),
        ("unet", "mid_block.attentions.0.proj_in 1280>1280", "diffusers"),
        ("encoder", "text_model.encoder.layers.0.mlp.fc1 768>3072", "diffusers"),
        ("old", "mid_block.attentions.0.proj_in 1280>1280", "diffusers-old"),
        ("peft", FLUX, "peft"),
        ("transformer-peft", FLUX, "peft"),
        ("bare", FLUX, "peft-default-bare"),
        ("own", FLUX, "peft-default-bare"),
    ],
)
def test_the_beginnings_of_names_tell_the_format(style: str, layers: str, format_: str) -> None:
    assert written_by(lora(layers, style=style)) == format_


@pytest.mark.parametrize(
    ("shapes", "format_"),
    [
        (halves("double_blocks.0.processor.qkv_lora1", ".down.weight", ".up.weight"), "xlabs"),
        (halves("single_blocks.0.processor.qkv_lora", ".down.weight", ".up.weight"), "xlabs"),
        (halves(PROCESSOR, ".down.weight", ".up.weight"), "diffusers-attn-procs"),
        (halves(f"unet.{PROCESSOR}", ".down.weight", ".up.weight"), "diffusers-old"),
        (halves("mid_block.attentions.0.proj_in", ".lora.down.weight", ".lora.up.weight"), "diffusers-old"),
        ({**halves("img_in"), "img_in.lora_B.bias": (768,), **NORM}, "bfl-control"),
        ({**halves("img_in"), "img_in.lora_B.bias": (768,)}, "peft-default-bare"),
        (halves("unet:0", ":down", ":up"), "cloneofsimo"),
        (halves("transformer.x.attn.to_q", ".lora_A.default_0.weight", ".lora_B.default_0.weight"), "diffusers"),
        (halves("lora_unet_unet_mid_block_proj_in", "_lora_down.weight", "_lora_up.weight"), "kohya"),
        (halves("transformer_blocks.0.attn.to_q", ".lora_down.weight", ".lora_up.weight"), "diffusers"),
        ({"oft_unet_mid_block_attentions_0_attn1_to_q.oft_blocks": (4, 80, 80)}, "kohya"),
    ],
)
def test_what_the_beginnings_leave_the_endings_tell(shapes: Shapes, format_: str) -> None:
    assert written_by(shapes) == format_


@pytest.mark.parametrize(
    ("encoder", "beside", "format_"),
    [
        ("lora_te1.text_model.encoder.layers.0.self_attn.q_proj", lora(FLUX, style="diffusers"), "diffusers"),
        ("text_encoders.clip_l.transformer.text_model.encoder.layers.0", lora(BFL, style="comfy"), "ai-toolkit"),
        ("text_encoder.text_model.encoder.layers.0.self_attn.q_proj", lora(FLUX, style="peft"), "peft"),
        ("lora_te2_encoder_block_0_layer_0_SelfAttention_q", lora(FLUX, style="onetrainer"), "onetrainer"),
    ],
)
def test_text_encoders_beside_a_model_do_not_mix_the_format(encoder: str, beside: Shapes, format_: str) -> None:
    found = structure_of(tensors({**halves(encoder), **beside}))
    assert (found.format, found.text_encoder) == (format_, True)


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
