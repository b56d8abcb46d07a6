import io
import json
import struct

import pytest

from connectors.weights.algorithm import EffectiveScale, refine_algorithm, strength_of
from connectors.weights.file_type import Structure, structure_of
from connectors.weights.header import FileReader, Header, Tensor
from tests.connectors.weights.building import Shapes, header, lora, tensors

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


def test_pefts_boft_has_names_of_its_own() -> None:
    name = "base_model.model.down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k"
    found = read(layer({"boft_R": (1, 192, 4, 4), "boft_s": (320, 1)}, name))
    assert (found.what, found.architectures, found.algorithm) == ("lora", ("sd1",), "boft")


def test_the_commonest_rank_comes_first() -> None:
    found = read(
        {**lora("double_blocks.0.img_mlp.0 3072>12288", rank=64), **lora("single_blocks.0..2.linear1 3072>9", 8)}
    )
    assert list(found.ranks.items()) == [(8, 3), (64, 1)]


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
    assert refine_algorithm(algorithm, norms, {"ss_network_args": json.dumps(arguments)}) == trained


LAYER = "lora_unet_single_blocks_0_linear1"
FLUX = lora("single_blocks.0.linear1 3072>21504", rank=16)
PEFT = lora("single_transformer_blocks.0.attn.to_q 3072>3072", rank=16, style="diffusers")
LOKR = {f"{LAYER}.lokr_w1": (16, 32), f"{LAYER}.lokr_w2": (1344, 96), f"{LAYER}.alpha": ()}
UNKNOWN = EffectiveScale(scale=None, warnings=("The file's alpha could not be read, so its strength is not known.",))


def strength(
    shapes: Shapes = FLUX, alpha: bytes | None = None, dtype: str = "F32", shape: tuple[int, ...] = (), **metadata: str
) -> EffectiveScale:
    """Of a file whose alpha tensor comes last and holds these bytes; without them nothing is read from it."""
    found = tensors({name: size for name, size in shapes.items() if not name.endswith(".alpha")})
    end, held = max(tensor.data_offsets[1] for tensor in found.values()), alpha or b""
    if len(found) < len(shapes):
        held = held or bytes(4)
        found[f"{LAYER}.alpha"] = Tensor(dtype=dtype, shape=shape, data_offsets=(end, end + len(held)))
    known = structure_of(found)
    read = Header(tensors=found, metadata=metadata, data_start=100)
    source = FileReader(io.BytesIO(bytes(100 + end) + held)) if alpha is not None else None
    return strength_of(read, source, known.alpha, next(iter(known.ranks), None))


def adapter_metadata(**config: object) -> str:
    return json.dumps({key.replace("__", "."): value for key, value in config.items()})


@pytest.mark.parametrize(
    ("dtype", "data"),
    [
        ("F16", struct.pack("<e", 8)),
        ("BF16", b"\x00\x41"),
        ("F32", struct.pack("<f", 8)),
        ("F64", struct.pack("<d", 8)),
        ("I64", struct.pack("<q", 8)),
        ("I32", struct.pack("<i", 8)),
        ("I16", struct.pack("<h", 8)),
        ("U8", b"\x08"),
    ],
)
def test_alpha_is_read_where_its_tensor_lies(dtype: str, data: bytes) -> None:
    assert strength(alpha=data, dtype=dtype) == EffectiveScale(alpha=8, source=f"tensor {LAYER}.alpha", scale=0.5)


@pytest.mark.parametrize("value", [0.0, -0.0, -8.0, float("nan"), float("inf"), float("-inf")])
def test_an_alpha_that_can_not_be_gives_way_to_the_metadata(value: float) -> None:
    data = struct.pack("<f", value)
    assert strength(alpha=data, ss_network_alpha="4") == EffectiveScale(
        alpha=4, source="metadata: ss_network_alpha", scale=0.25
    )
    assert strength(alpha=data) == UNKNOWN


@pytest.mark.parametrize(
    ("data", "dtype", "shape"),
    [
        (struct.pack("<ff", 8, 8), "F32", (2,)),
        (struct.pack("<fff", 8, 8, 8), "F32", (3,)),
        (b"\x38", "F8_E4M3", ()),
        (b"\x01", "BOOL", ()),
        (b"\x00" * 8, "C64", ()),
        (b"\x00" * 16, "F128", ()),
    ],
)
def test_an_alpha_of_another_form_is_not_guessed(data: bytes, dtype: str, shape: tuple[int, ...]) -> None:
    assert strength(alpha=data, dtype=dtype, shape=shape) == UNKNOWN


@pytest.mark.parametrize("said", ["None", "", "0", "-1", "nan", "inf", "1e999", "x"])
def test_metadata_that_says_no_number_says_nothing(said: str) -> None:
    assert strength(ss_network_alpha=said) == UNKNOWN


def test_the_alpha_of_a_layer_of_the_commonest_rank_is_taken() -> None:
    shapes = {
        **lora("single_blocks.0.linear2 15360>3072", rank=64),
        **lora("single_blocks.1..3.linear1 3072>9", rank=8),
    }
    found = structure_of(tensors(shapes)).alpha
    assert found is not None
    assert found[0] == "lora_unet_single_blocks_1_linear1"


def test_an_alpha_in_the_metadata_alone_was_multiplied_in_already() -> None:
    assert strength(PEFT, ss_network_alpha="8") == EffectiveScale(
        alpha=8, source="metadata: ss_network_alpha", scale=1.0
    )


def test_pefts_alpha_counts_though_no_tensor_holds_it() -> None:
    config = adapter_metadata(transformer__r=16, transformer__lora_alpha=32)
    where = "metadata: lora_adapter_metadata transformer.lora_alpha"
    assert strength(PEFT, lora_adapter_metadata=config) == EffectiveScale(alpha=32, source=where, scale=2.0)


def test_a_rank_stabilised_scale_divides_by_the_root() -> None:
    config = adapter_metadata(transformer__lora_alpha=32, transformer__use_rslora=True)
    assert strength(PEFT, lora_adapter_metadata=config).scale == 8


def test_a_text_encoders_alpha_is_not_the_models() -> None:
    config = adapter_metadata(text_encoder__lora_alpha=4, transformer__lora_alpha=32)
    assert strength(PEFT, lora_adapter_metadata=config).alpha == 32
    assert strength(PEFT, lora_adapter_metadata=adapter_metadata(text_encoder__lora_alpha=4)).alpha == 4


def test_lokr_of_two_whole_factors_has_the_scale_one_whatever_alpha_is() -> None:
    assert strength(LOKR, alpha=struct.pack("<f", 1e10)).scale == 1
    assert strength(LOKR) == EffectiveScale(alpha=None, source=None, scale=1.0)
    assert strength(LOKR, ss_network_alpha="4") == EffectiveScale(
        alpha=4, source="metadata: ss_network_alpha", scale=1.0
    )


def test_a_layer_with_a_hostile_name_gives_a_short_source() -> None:
    shapes = {name.replace("single", "s" * 3000): shape for name, shape in FLUX.items()}
    known = structure_of(tensors(shapes))
    source = FileReader(io.BytesIO(bytes(8 + 786432) + struct.pack("<e", 8)))
    found = strength_of(header(shapes), source, known.alpha, 16)
    assert (found.alpha, len(found.source or "")) == (8, 200)
