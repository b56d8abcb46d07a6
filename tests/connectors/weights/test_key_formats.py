import pytest

from connectors.weights.file_type import structure_of
from connectors.weights.key_formats import Layers, LayerShapes, name, sort
from tests.connectors.cases import named, read_cases
from tests.connectors.weights.building import Shapes, lora, tensors

READ = read_cases(__file__)

FLUX = "single_transformer_blocks.0.attn.to_q 3072>3072"
BFL = "double_blocks.0.img_attn.qkv 3072>9216"
PROCESSOR = "down_blocks.0.attentions.0.transformer_blocks.0.attn2.processor.to_k_lora"
NORM = {"double_blocks.0.img_attn.norm.query_norm.scale": (128,)}


def written_by(shapes: Shapes) -> str | None:
    return structure_of(tensors(shapes)).format


def halves(layer: str, down: str = ".lora_A.weight", up: str = ".lora_B.weight") -> dict[str, tuple[int, ...]]:
    return {layer + down: (16, 768), layer + up: (768, 16)}


@pytest.mark.parametrize(("written", "plain"), READ["a layer is called the same whoever wrote it"])
def test_a_layer_is_called_the_same_whoever_wrote_it(written: str, plain: str) -> None:
    found = name([written])
    assert (dict(found.model), dict(found.encoders)) == ({plain: written}, {})


@pytest.mark.parametrize(("written", "plain"), READ["a text encoders layer is kept apart"])
def test_a_text_encoders_layer_is_kept_apart(written: str, plain: str) -> None:
    found = name([written, "lora_unet_mid_block"])
    assert dict(found.encoders) == {plain: written}
    assert dict(found.model) == {"mid_block": "lora_unet_mid_block"}


def test_line_ends_and_control_characters_in_names_change_no_other_name() -> None:
    written = ["unet.a\nlora_unet_b", "\x01unet.c", "lora_te_\x02d", "unet.e"]
    found = name(written)
    assert list(found.model.values()) == ["unet.a\nlora_unet_b", "\x01unet.c", "unet.e"]
    assert list(found.encoders.values()) == ["lora_te_\x02d"]


@pytest.mark.parametrize(("style", "layers", "format_"), READ["the beginnings of names tell the format"])
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


@pytest.mark.parametrize(("down", "up", "layer"), READ["the halves of a layer meet under its name"])
def test_the_halves_of_a_layer_meet_under_its_name(down: str, up: str, layer: str) -> None:
    assert placed(down, up) == {"down": [layer], "up": [layer]}


@pytest.mark.parametrize(("ending", "part"), READ["an ending says which part a tensor is"])
@pytest.mark.parametrize("layer", ["lora_unet_mid_block", "transformer.blocks.0.ff.net.0.proj"])
def test_an_ending_says_which_part_a_tensor_is(layer: str, ending: str, part: str) -> None:
    assert placed(layer + ending) == {part: [layer]}


@pytest.mark.parametrize(("names", "layers"), named(READ["names that belong together are placed together"]))
def test_names_that_belong_together_are_placed_together(names: list[str], layers: dict[str, list[str]]) -> None:
    assert placed(*names) == layers


def test_the_streams_of_an_xlabs_block_are_two_layers() -> None:
    names = [f"double_blocks.0.processor.qkv_lora{stream}.down.weight" for stream in (1, 2)]
    found = sorted_(dict.fromkeys(names, (16, 3072)))
    assert (len(found.of("down")), list(found.styles)) == (2, ["xlabs"])


@pytest.mark.parametrize("name", READ["what has no known ending belongs to no layer"])
def test_what_has_no_known_ending_belongs_to_no_layer(name: str) -> None:
    found = sorted_({name: (4, 4)})
    assert (found.tensors, found.others, found.beside) == (0, (name,), 0)


@pytest.mark.parametrize("name", READ["what comes with a lora is counted beside it"])
def test_what_comes_with_a_lora_is_counted_beside_it(name: str) -> None:
    found = sorted_({"mid.lora_A.weight": (4, 4), name: (4, 768)})
    assert (found.tensors, found.others, found.beside) == (1, (), 1)


def test_the_writers_hand_is_seen_in_the_endings() -> None:
    assert sorted_({"lora_unet_a.lora_down.weight": (4, 4)}).styles == {"kohya"}
    assert sorted_({"a.lora_A.default.weight": (4, 4)}).styles == {"default"}
    assert sorted_({"unet.a.lora.up.weight": (4, 4), "a.processor.to_k_lora.up.weight": (4, 4)}).styles == {
        "old",
        "processor",
    }


LAYER = "lora_unet_layers_0_attention_to_q"


def seen(shapes: Shapes) -> LayerShapes:
    layers = sort(tensors(shapes))
    return LayerShapes(name(tuple(dict.fromkeys(layer for part in layers.parts.values() for layer in part))), layers)


def written(layers: str, style: str = "kohya") -> LayerShapes:
    return seen(lora(layers, style=style))


def parts(found: Shapes) -> LayerShapes:
    return seen({f"{LAYER}.{part}": tuple(shape) for part, shape in found.items()})


def test_a_word_matches_anywhere_or_at_the_beginning() -> None:
    found = written("double_blocks.0.img_attn.qkv 8>8")
    assert (found.has("img_attn"), found.has("\ndouble_blocks_0"), found.has("qkv\n")) == (True, True, True)
    assert (found.has("\nimg_attn"), found.has("txt_attn"), found.has("double\n")) == (False, False, False)
    assert (found.matches(r"\n[a-z]+_blocks_\d_img"), found.matches(r"blocks_1")) == (True, False)


@pytest.mark.parametrize(
    ("container", "last"), [("single_blocks", 39), ("double_blocks", 7), ("blocks", -1), ("single", -1), ("img", -1)]
)
def test_the_last_block_is_the_highest_number(container: str, last: int) -> None:
    found = written("single_blocks.39.linear1 8>8,single_blocks.4.linear1 8>8,double_blocks.7.img_mlp.0 8>8,img_in 8>8")
    assert found.last(container) == last


@pytest.mark.parametrize("found", READ["the width is read whatever the algorithm"])
def test_the_width_is_read_whatever_the_algorithm(found: Shapes) -> None:
    assert parts(found).widths(last="attention_to_q") == {3840}


@pytest.mark.parametrize("found", READ["no width is made up"])
def test_no_width_is_made_up(found: Shapes) -> None:
    assert parts(found).widths() == set()


def test_text_encoders_are_separate_from_the_model() -> None:
    one = lora("text_model.encoder.layers.0.mlp.fc1 768>3072", style="kohya-te1")
    two = lora("text_model.encoder.layers.0.mlp.fc1 1280>5120", style="kohya-te2")
    found = seen({**one, **two})
    assert (found.encoder_widths(), found.encoder_widths("2_text_model")) == ({768, 1280}, {1280})
    assert not found.encoders_begin("lora_te_")
    assert (found.widths(), found.containers, found.has("text_model")) == (set(), frozenset(), False)


def test_blocks_are_counted_in_their_own_container() -> None:
    found = written("blocks.0..2.attn.to_q 8>8,blocks.7 8>8,llm_adapter.blocks.4.attn.to_q 8>8,blocks.99999.x 8>8")
    assert sorted(found.blocks("blocks")) == [0, 1, 2, 7]
    assert (sorted(found.blocks("llm_adapter_blocks")), sorted(found.blocks("layers"))) == ([4], [])


def test_an_excerpt_has_more_halves_than_layers() -> None:
    halves = lora("blocks.0..2.attn.to_q 8>8")
    assert not seen(halves).is_excerpt
    assert seen({name: shape for name, shape in halves.items() if "up" not in name}).is_excerpt


def test_ia3_shows_a_width_in_a_text_encoders_attention_alone() -> None:
    names = ("self_attn_k_proj", "mlp_fc1")
    layers = {f"lora_te_text_model_encoder_layers_0_{name}": 768 if name != "mlp_fc1" else 3072 for name in names}
    shapes: Shapes = {f"{layer}.weight": (width,) for layer, width in layers.items()}
    assert seen({**shapes, **{f"{layer}.on_input": () for layer in layers}}).encoder_widths() == {768}
