"""The published sizes, and what a file's blocks say about its network's."""

from __future__ import annotations

import pytest

from connectors.weights.key_formats import name, sort
from connectors.weights.layers import LayerShapes
from connectors.weights.networks import NETWORKS, possible
from tests.connectors.weights.building import lora, tensors


def evidence(layers: str) -> LayerShapes:
    found = sort(tensors(lora(layers, style="diffusers")))
    return LayerShapes(name(tuple(found.of("down"))), found)


@pytest.mark.parametrize(
    ("layers", "left"),
    [
        ("transformer_blocks.0..18.attn.to_q 3072>3072", ("flux1",)),
        ("transformer_blocks.0..19.attn.to_q 3072>3072", ("hunyuan-video",)),
        # A few blocks, or some picked out, are of any network that has as many.
        ("transformer_blocks.0..2.attn.to_q 3072>3072", ("flux1", "hunyuan-video", "qwen-image")),
        ("transformer_blocks.3.attn.to_q 3072>3072,transformer_blocks.19.attn.to_q 3072>3072",
         ("hunyuan-video", "qwen-image")),
        ("transformer_blocks.0.attn.to_q 2560>2560", ()),
        # Where no width shows, the number alone tells.
        ("transformer_blocks.59.norm1.linear 512>18432", ("qwen-image",)),
        ("transformer_blocks.0..18.attn.to_q 3072>3072,context_embedder 3584>3072", ()),
    ],
)  # fmt: skip
def test_networks_are_left_whose_size_a_file_has(layers: str, left: tuple[str, ...]) -> None:
    assert possible(("flux1", "hunyuan-video", "qwen-image"), evidence(layers)) == left


def test_a_network_of_unknown_size_is_always_possible() -> None:
    assert possible(("stable-cascade",), evidence("blocks.0..99.attn.to_q 7>7")) == ("stable-cascade",)


def test_a_network_has_one_row_for_each_size() -> None:
    rows = [(network.architecture, network.width, tuple(network.blocks.values())) for network in NETWORKS]
    assert len(rows) == len(set(rows))


def test_all_sizes_of_an_architecture_name_the_same_containers() -> None:
    named = {network.architecture: set(network.blocks) for network in NETWORKS}
    assert [network for network in NETWORKS if set(network.blocks) != named[network.architecture]] == []
