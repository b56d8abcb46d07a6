from __future__ import annotations

import io
import json
import struct

import pytest

from connectors.facts.header import Header, Tensor
from connectors.facts.ranges import FileRanges
from connectors.facts.strength import Strength, strength_of
from connectors.facts.structure import structure_of
from tests.connectors.facts.building import Shapes, header, lora, tensors

LAYER = "lora_unet_single_blocks_0_linear1"
FLUX = lora("single_blocks.0.linear1 3072>21504", rank=16)
PEFT = lora("single_transformer_blocks.0.attn.to_q 3072>3072", rank=16, style="diffusers")
LOKR = {f"{LAYER}.lokr_w1": (16, 32), f"{LAYER}.lokr_w2": (1344, 96), f"{LAYER}.alpha": ()}
UNKNOWN = Strength(scale=None, warnings=("The file's alpha could not be read, so its strength is not known.",))


def strength(
    shapes: Shapes = FLUX, alpha: bytes | None = None, dtype: str = "F32", shape: tuple[int, ...] = (), **metadata: str
) -> Strength:
    """Of a file whose alpha tensor comes last and holds these bytes; without them nothing is read from it."""
    found = tensors({name: size for name, size in shapes.items() if not name.endswith(".alpha")})
    end, held = max(tensor.data_offsets[1] for tensor in found.values()), alpha or b""
    if len(found) < len(shapes):
        held = held or bytes(4)
        found[f"{LAYER}.alpha"] = Tensor(dtype=dtype, shape=shape, data_offsets=(end, end + len(held)))
    known = structure_of(found)
    read = Header(tensors=found, metadata=metadata, data_start=100)
    source = FileRanges(io.BytesIO(bytes(100 + end) + held)) if alpha is not None else None
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
    assert strength(alpha=data, dtype=dtype) == Strength(alpha=8, source=f"tensor {LAYER}.alpha", scale=0.5)


def test_alpha_may_be_a_list_of_one() -> None:
    assert strength(alpha=struct.pack("<f", 32), shape=(1,)).scale == 2


@pytest.mark.parametrize("value", [0.0, -0.0, -8.0, float("nan"), float("inf"), float("-inf")])
def test_an_alpha_that_can_not_be_gives_way_to_the_metadata(value: float) -> None:
    data = struct.pack("<f", value)
    assert strength(alpha=data, ss_network_alpha="4") == Strength(
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


def test_an_alpha_beyond_the_end_of_what_can_be_read_is_not_known() -> None:
    known, short = structure_of(tensors(FLUX)), FileRanges(io.BytesIO(b"\0" * 100))
    assert strength_of(header(FLUX), short, known.alpha, 16) == UNKNOWN


def test_without_the_file_only_the_metadata_tells_alpha() -> None:
    assert strength(ss_network_alpha="8.0") == Strength(alpha=8, source="metadata: ss_network_alpha", scale=0.5)
    assert strength() == UNKNOWN


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
    assert found.layer == "lora_unet_single_blocks_1_linear1"


def test_a_layer_without_alpha_has_the_scale_one() -> None:
    assert strength(PEFT) == Strength(alpha=None, source=None, scale=1.0)


def test_an_alpha_in_the_metadata_alone_was_multiplied_in_already() -> None:
    assert strength(PEFT, ss_network_alpha="8") == Strength(alpha=8, source="metadata: ss_network_alpha", scale=1.0)


def test_pefts_alpha_counts_though_no_tensor_holds_it() -> None:
    config = adapter_metadata(transformer__r=16, transformer__lora_alpha=32)
    where = "metadata: lora_adapter_metadata transformer.lora_alpha"
    assert strength(PEFT, lora_adapter_metadata=config) == Strength(alpha=32, source=where, scale=2.0)


def test_a_rank_stabilised_scale_divides_by_the_root() -> None:
    config = adapter_metadata(transformer__lora_alpha=32, transformer__use_rslora=True)
    assert strength(PEFT, lora_adapter_metadata=config).scale == 8


def test_a_text_encoders_alpha_is_not_the_models() -> None:
    config = adapter_metadata(text_encoder__lora_alpha=4, transformer__lora_alpha=32)
    assert strength(PEFT, lora_adapter_metadata=config).alpha == 32
    assert strength(PEFT, lora_adapter_metadata=adapter_metadata(text_encoder__lora_alpha=4)).alpha == 4


def test_lokr_of_two_whole_factors_has_the_scale_one_whatever_alpha_is() -> None:
    assert strength(LOKR, alpha=struct.pack("<f", 1e10)).scale == 1
    assert strength(LOKR) == Strength(alpha=None, source=None, scale=1.0)
    assert strength(LOKR, ss_network_alpha="4") == Strength(alpha=4, source="metadata: ss_network_alpha", scale=1.0)


def test_a_layer_with_a_hostile_name_gives_a_short_source() -> None:
    shapes = {name.replace("single", "s" * 3000): shape for name, shape in FLUX.items()}
    known = structure_of(tensors(shapes))
    source = FileRanges(io.BytesIO(bytes(8 + 786432) + struct.pack("<e", 8)))
    found = strength_of(header(shapes), source, known.alpha, 16)
    assert (found.alpha, len(found.source or "")) == (8, 200)
