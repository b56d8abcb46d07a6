from __future__ import annotations

import json

import pytest

from connectors.facts.algorithm import as_trained
from connectors.facts.structure import Structure, structure_of
from tests.connectors.facts.building import Shapes, lora, tensors

ATTENTION = "lora_unet_input_blocks_4_1_transformer_blocks_0_attn2_to_k"
CONV = "lora_unet_input_blocks_4_0_in_layers_2"
LORA = lora("input_blocks.4.1.transformer_blocks.0.attn2.to_k 2048>640", rank=16)
FULL_W1, FULL_W2 = {"lokr_w1": (16, 32)}, {"lokr_w2": (40, 64)}
SPLIT_W1 = {"lokr_w1_a": (16, 4), "lokr_w1_b": (4, 32)}
SPLIT_W2 = {"lokr_w2_a": (40, 8), "lokr_w2_b": (8, 64)}
LOHA = {"hada_w1_a": (640, 16), "hada_w1_b": (16, 2048), "hada_w2_a": (640, 16), "hada_w2_b": (16, 2048)}
LOHA_TUCKER = {
    "hada_t1": (8, 8, 3, 3), "hada_w1_a": (8, 640), "hada_w1_b": (8, 320),
    "hada_t2": (8, 8, 3, 3), "hada_w2_a": (8, 640), "hada_w2_b": (8, 320),
}  # fmt: skip
GLORA = {"a1.weight": (2048, 16), "a2.weight": (16, 2048), "b1.weight": (2048, 16), "b2.weight": (16, 640)}


def layer(parts: Shapes, name: str = ATTENTION) -> dict[str, tuple[int, ...]]:
    return {f"{name}.{part}": shape for part, shape in parts.items()}


def conv(down: tuple[int, ...], up: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    return layer({"lora_down.weight": down, "lora_up.weight": up}, CONV)


def read(shapes: Shapes) -> Structure:
    return structure_of(tensors(shapes))


# What is in the file, how it is called, and its layers by rank.
CASES: tuple[tuple[Shapes, str, dict[int, int]], ...] = (
    (LORA, "lora", {16: 1}),
    ({**LORA, **conv((8, 320, 3, 3), (640, 8, 1, 1))}, "locon", {16: 1, 8: 1}),
    ({**LORA, **conv((8, 320, 1, 1), (640, 8, 1, 1))}, "lora", {16: 1, 8: 1}),
    ({**LORA, **conv((8, 320, 3, 3), (640, 8))}, "lora", {16: 1, 8: 1}),
    ({**LORA, **conv((8, 320, 1, 1), (640, 8, 1, 1)), **layer({"lora_mid.weight": (8, 8, 3, 3)}, CONV)}, "locon",
     {16: 1, 8: 1}),
    (lora("pos_embed.proj 16>1536:2,transformer_blocks.0.attn.to_q 1536>1536"), "lora", {16: 2}),
    (layer(LOHA), "loha", {16: 1}),
    ({**layer(LOHA), **layer(LOHA_TUCKER, CONV)}, "loha", {16: 1, 8: 1}),
    (layer(FULL_W1 | SPLIT_W2), "lokr", {8: 1}),
    (layer(SPLIT_W1 | FULL_W2), "lokr", {4: 1}),
    (layer(SPLIT_W1 | SPLIT_W2), "lokr", {8: 1}),
    (layer(FULL_W1 | FULL_W2 | {"alpha": ()}), "lokr", {}),
    (layer({"lokr_w1": (16, 16), "lokr_t2": (8, 8, 3, 3), "lokr_w2_a": (8, 40), "lokr_w2_b": (8, 20)}, CONV), "lokr",
     {8: 1}),
    ({**LORA, **layer({"dora_scale": (640, 1)})}, "dora", {16: 1}),
    ({**LORA, **layer({"dora_scale": (1, 2048)})}, "dora", {16: 1}),
    ({**LORA, **layer({"lora_magnitude_vector": (640,)})}, "dora", {16: 1}),
    ({**LORA, **layer({"magnitude": (640,)})}, "dora", {16: 1}),
    (layer(FULL_W1 | SPLIT_W2 | {"dora_scale": (640, 1)}), "lokr+dora", {8: 1}),
    (layer(LOHA | {"dora_scale": (640, 1)}), "loha+dora", {16: 1}),
    (layer({"weight": (640,), "on_input": ()}), "ia3", {}),
    (layer({"weight": (1, 640, 1, 1), "on_input": ()}, CONV), "ia3", {}),
    ({"unet.down_blocks.1.attentions.0.transformer_blocks.1.attn2.to_k.ia3_l": (640, 1)}, "ia3", {}),
    (layer({"oft_blocks": (4, 160, 160), "alpha": ()}), "oft", {}),
    ({"oft_unet_middle_block_1_proj_in.oft_blocks": (4, 320, 320)}, "oft", {}),
    (layer({"oft_diag": (4, 160, 160)}), "oft", {}),
    ({"transformer.single_transformer_blocks.0.attn.to_q.oft_R.weight": (96, 496)}, "oft", {}),
    (layer({"oft_blocks": (3, 4, 160, 160)}), "boft", {}),
    (layer(GLORA), "glora", {16: 1}),
    (layer({"diff": (640, 2048), "diff_b": (640,)}), "full", {}),
    (layer({"diff_b": (640,)}), "full", {}),
    ({**LORA, **layer({"diff": (640,)}, "lora_unet_out_0")}, "lora+diff", {16: 1}),
    ({**LORA, **layer({"diff_b": (640,)})}, "lora+diff", {16: 1}),
    ({**LORA, **layer({"dora_scale": (640, 1), "diff_b": (640,)})}, "dora+diff", {16: 1}),
    ({**LORA, **layer({"w_norm": (320,), "b_norm": (320,)}, "lora_unet_out_0")}, "lora", {16: 1}),
)  # fmt: skip


@pytest.mark.parametrize(("shapes", "algorithm", "ranks"), CASES, ids=range(len(CASES)))
def test_the_factors_of_a_layer_name_its_algorithm_and_rank(
    shapes: Shapes, algorithm: str, ranks: dict[int, int]
) -> None:
    found = read(shapes)
    assert (found.what, found.algorithm, dict(found.ranks)) == ("lora", algorithm, ranks)


def test_pefts_boft_is_told_by_its_own_names() -> None:
    name = "base_model.model.down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k"
    found = read(layer({"boft_R": (1, 192, 4, 4), "boft_s": (320, 1)}, name))
    assert (found.what, found.architectures, found.algorithm) == ("lora", ("sd1",), "boft")


def test_the_commonest_rank_comes_first() -> None:
    found = read(
        {**lora("double_blocks.0.img_mlp.0 3072>12288", rank=64), **lora("single_blocks.0..2.linear1 3072>9", 8)}
    )
    assert list(found.ranks.items()) == [(8, 3), (64, 1)]


def test_of_two_as_common_ranks_the_higher_comes_first() -> None:
    found = read({**lora("single_blocks.0.linear1 3072>9", 8), **lora("single_blocks.1.linear1 3072>9", 32)})
    assert list(found.ranks.items()) == [(32, 1), (8, 1)]


def test_a_layer_with_one_half_is_counted_once() -> None:
    shapes = lora("single_blocks.0..2.linear1 3072>21504", rank=4)
    del shapes["lora_unet_single_blocks_0_linear1.lora_down.weight"]
    del shapes["lora_unet_single_blocks_1_linear1.lora_up.weight"]
    found = read(shapes)
    assert (dict(found.ranks), found.halves) == ({4: 3}, 2)


@pytest.mark.parametrize("shape", [(), (0, 2048), (2**31, 1)])
def test_a_rank_that_can_not_be_is_none(shape: tuple[int, ...]) -> None:
    shapes = {f"{ATTENTION}.lora_down.weight": shape, f"{ATTENTION}.lora_up.weight": (640,)}
    assert dict(read(shapes).ranks) == {}


@pytest.mark.parametrize(
    ("algorithm", "norms", "arguments", "trained"),
    [
        ("lora", True, {"algo": "locon"}, "locon"),
        ("lora", False, {"algo": "locon"}, "lora"),
        ("lora", True, {"algo": "lora"}, "lora"),
        ("loha", True, {"algo": "locon"}, "loha"),
        ("lora", True, {}, "lora"),
        (None, True, {"algo": "locon"}, None),
    ],
)
def test_locon_without_convolutions_is_known_by_its_norms_and_metadata(
    algorithm: str | None, norms: bool, arguments: dict[str, str], trained: str | None
) -> None:
    assert as_trained(algorithm, norms, {"ss_network_args": json.dumps(arguments)}) == trained
