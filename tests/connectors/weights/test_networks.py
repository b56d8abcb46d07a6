"""The published sizes, and what a file's blocks say about its network's."""

import pytest

from connectors.claims.base_models import TABLES
from connectors.weights.key_formats import name, sort
from connectors.weights.networks import LayerShapes, possible
from tests.connectors.cases import read_cases
from tests.connectors.weights.building import Shapes, lora, tensors

READ = read_cases(__file__)


def evidence(layers: str) -> LayerShapes:
    found = sort(tensors(lora(layers, style="diffusers")))
    return LayerShapes(name(tuple(found.of("down"))), found)


@pytest.mark.parametrize(("layers", "left"), READ["networks are left whose size a file has"])
def test_networks_are_left_whose_size_a_file_has(layers: str, left: list[str]) -> None:
    assert list(possible(("flux1", "hunyuan-video", "qwen-image"), evidence(layers))) == left


def test_a_network_has_one_row_for_each_size() -> None:
    for architecture in TABLES.architectures.values():
        rows = [(network.width, *network.blocks.values()) for network in architecture.network]
        assert len(rows) == len(set(rows))


def test_all_sizes_of_an_architecture_name_the_same_containers() -> None:
    for architecture in TABLES.architectures.values():
        assert len({frozenset(network.blocks) for network in architecture.network}) <= 1


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
