"""The rules about architectures, one by one: a few layers of each network, in the names of several trainers.

And networks that use a known one's names and are another: newer models, other sizes. None may be taken for the known.
The published sizes, and what a file's blocks say about its network's.
"""

from pathlib import Path
from typing import NamedTuple

import pytest

from connectors.claims.base_models import TABLES
from connectors.weights.architectures import RULES, possible
from connectors.weights.file_type import Structure, structure_of
from connectors.weights.key_formats import LayerShapes, name, sort
from tests.connectors.cases import read_cases
from tests.connectors.weights.building import Shapes, lora, tensors
from tests.corpus import rows_of

READ = read_cases(__file__)


def structure(shapes: Shapes) -> Structure:
    return structure_of(tensors(shapes))


class Row(NamedTuple):
    """Layers in the names of a `style`, the `networks` that have them, and the `usual` one (`networks.tsv`).

    Few layers each, as files have that were trained on some of them alone. No network: none has them, or too many.
    """

    networks: str
    usual: str
    style: str
    layers: str


def rows() -> list[Row]:
    found = rows_of(Path(__file__).with_name("networks.tsv"))
    return [Row(row["networks"], row["usual"], style, row["layers"]) for row in found for style in row["style"].split()]


@pytest.mark.parametrize("row", rows(), ids=lambda row: f"{row.style} {row.layers}")
def test_few_layers_tell_a_network_or_those_that_have_them_all(row: Row) -> None:
    found = structure(lora(row.layers, style=row.style))
    assert (found.what, found.architectures, found.usual) == ("lora", tuple(row.networks.split()), row.usual or None)


def test_every_rule_is_tried_in_kohyas_names_and_in_others() -> None:
    alone = {rule.architectures[0] for rule in RULES if len(rule.architectures) == 1}
    styles = {name: {row.style.partition("-")[0] for row in rows() if row.networks == name} for name in alone}
    assert [name for name, used in styles.items() if len(used) < 2 or "kohya" not in used] == ["stable-cascade"]


def test_the_encoders_of_two_networks_beside_a_model_change_nothing() -> None:
    encoder = lora("text_model.encoder.layers.0.self_attn.q_proj 1280>1280", style="kohya-te2")
    model = lora("single_blocks.0..37.linear1 3072>21504,single_blocks.0..37.modulation.lin 3072>9216")
    assert structure({**encoder, **model}).usual == "flux1"


@pytest.mark.parametrize(("layers", "left"), READ["what an algorithm does not show proves no network"])
def test_what_an_algorithm_does_not_show_proves_no_network(layers: Shapes, left: list[str]) -> None:
    assert list(structure(layers).architectures) == left


def test_all_layers_but_the_modulation_may_be_flux_or_chroma() -> None:
    double = "img_attn.qkv 3072>9216,double_blocks.0.txt_attn.qkv 3072>9216,double_blocks.0.img_mlp.0 3072>12288"
    rest = "double_blocks.0.txt_mlp.0 3072>12288,single_blocks.0.linear1 3072>21504,single_blocks.0.linear2 15360>3072"
    found = structure(lora(f"double_blocks.0.{double},{rest}"))
    assert (found.architectures, found.usual) == (("flux1", "chroma"), None)


def test_a_file_that_lost_its_second_halves_still_has_a_size() -> None:
    blocks = "transformer_blocks.0..18.attn.to_q 2560>2560,single_transformer_blocks.0..37.attn.to_q 2560>2560"
    shapes = lora(blocks, style="diffusers")
    assert structure({name: shape for name, shape in shapes.items() if "lora_A" in name}).architectures == ()


@pytest.mark.parametrize(("layers", "size"), READ["models of one architecture differ in width"])
def test_models_of_one_architecture_differ_in_width(layers: str, size: str | None) -> None:
    assert structure(lora(layers)).size == size


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
