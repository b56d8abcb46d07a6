import io
import json
from collections.abc import Iterator
from contextlib import suppress
from math import prod
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.errors import BadHeader, NotWeights
from connectors.weights.header import (
    DTYPE_BITS,
    MAX_HEADER_BYTES,
    FileReader,
    Header,
    Tensor,
    header_length,
    parse,
    read_header,
)
from connectors.weights.header import table_of as parted
from tests.connectors.weights.building import file_of, raw_header
from tests.corpus import rows_of

TENSOR = b'{"dtype":"F16","shape":[1],"data_offsets":[0,2]}'


def entry(dtype: str = '"F16"', shape: str = "[1]", offsets: str = "[0,2]") -> bytes:
    return f'{{"a":{{"dtype":{dtype},"shape":{shape},"data_offsets":{offsets}}}}}'.encode()


def read(data: bytes) -> Header:
    return read_header(FileReader(io.BytesIO(data)))


def test_a_file_is_read_with_the_names_and_places_of_its_tensors() -> None:
    raw = raw_header({"a.lora_A.weight": (4, 8), "a.alpha": ()}, {"ss_network_dim": "4"})
    found = read(file_of(raw, 66))
    assert found.tensors["a.lora_A.weight"] == Tensor(dtype="F16", shape=(4, 8), data_offsets=(0, 64))
    assert found.tensors["a.alpha"] == Tensor(dtype="F16", shape=(), data_offsets=(64, 66))
    assert (found.metadata, found.data_start, found.extent) == ({"ss_network_dim": "4"}, 8 + len(raw), 66)
    assert found.size == len(raw) + 74


@pytest.mark.parametrize(
    ("data", "called"),
    [
        (b"", "an empty file"),
        (b"\x89PNG\r\n\x1a\n" + bytes(60), "an image"),
        (b"PK\x03\x04" + bytes(60), "a zip or PyTorch pickle file, which can run code when loaded"),
        (b"\x80\x02}q\x00(X\x05\x00\x00", "a Python pickle, which can run code when loaded"),
        (b"GGUF\x03\x00\x00\x00" + bytes(60), "a GGUF file"),
        (b"\x1f\x8b\x08\x00" + bytes(60), "a gzip archive"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "a Git LFS pointer"),
        (b"<!DOCTYPE html><title>404</title>", "a web page"),
        (b"\n\n  <html>", "a web page"),
        (b'{"error":"Repository not found"}', "a JSON text"),
        (b'[{"message": "Unauthorized"}]', "a JSON text"),
        (b"\x00" * 64, "another kind of file"),
        (b"\x02\x00\x00\x00\x00\x00\x00\x00", "another kind of file"),
        (b"\x01\x00\x00\x00\x00\x00\x00\x00{", "another kind of file"),
        (b"\x05\x00\x00\x00\x00\x00\x00\x00\xef\xbb\xbf{}", "another kind of file"),
    ],
)
def test_another_kind_of_file_is_called_by_its_name(data: bytes, called: str) -> None:
    with pytest.raises(NotWeights) as refused:
        read(data)
    assert refused.value.message.startswith(f"This is {called}")
    assert refused.value.message.endswith("not a safetensors file. Look for a .safetensors version.")


@pytest.mark.parametrize("length", [MAX_HEADER_BYTES + 1, 2**53, 2**63, 2**64 - 1])
def test_a_header_of_an_absurd_length_is_not_waited_for(length: int) -> None:
    with pytest.raises(BadHeader, match=f"claims {length} bytes; at most 10000000 are read"):
        header_length(length.to_bytes(8, "little") + b"{")


def test_a_file_that_ends_inside_its_header_is_cut_off() -> None:
    with pytest.raises(BadHeader, match="ends after 12 bytes, inside its header of 500"):
        read((500).to_bytes(8, "little") + b'{"a"')


def broken() -> Iterator[tuple[bytes, str]]:
    for row in rows_of(Path(__file__).with_name("broken_headers.tsv")):
        yield row["header"].encode(), row["why"]


@pytest.mark.parametrize(
    ("raw", "why"), [*broken(), (b'{"\xff":1}', "not JSON"), (b'{"a\x00b":' + TENSOR + b"}", "not JSON")]
)
def test_a_broken_header_is_refused_with_the_reason(raw: bytes, why: str) -> None:
    with pytest.raises(BadHeader, match=why):
        parse(raw)


@pytest.mark.parametrize(("opened", "closed"), [('{"a":', "}"), ('{"a":[', "]}"), ('{"__metadata__":{"a":', "}}")])
def test_a_header_nested_without_end_is_refused(opened: str, closed: str) -> None:
    with pytest.raises(BadHeader, match="nested too deeply"):
        parse((opened + "[" * 100_000 + "]" * 100_000 + closed).encode())


def test_a_number_longer_than_python_reads_is_refused() -> None:
    with pytest.raises(BadHeader, match="not JSON"):
        parse(entry(shape=f"[{'1' * 5000}]"))


def test_a_strangers_name_does_not_flood_the_message() -> None:
    raw = entry().replace(b'"a"', b'"' + b"\\u202e" + b"x" * 5000 + b'"').replace(b"[0,2]", b"[4,6]")
    with pytest.raises(BadHeader) as refused:
        parse(raw)
    assert len(refused.value.message) < 300
    assert "\u202e" not in refused.value.message


@pytest.mark.parametrize("size", [9, 63, 65, 2**40])
def test_tensors_that_do_not_fill_the_file_are_refused(size: int) -> None:
    with pytest.raises(BadHeader, match=f"describes 64 bytes, but the file has {size}"):
        parse(entry(), size)


@pytest.mark.parametrize("mark", [b'"', b"{", b"[", b","])
def test_a_header_of_too_many_values_is_not_parsed(mark: bytes) -> None:
    with pytest.raises(BadHeader, match="more entries than any LoRA has"):
        parse(mark * 2_000_001)


def test_metadata_of_more_lines_than_any_has_is_not_kept() -> None:
    raw = b'{"__metadata__":{' + b",".join(b'"%d":"x"' % number for number in range(200_001)) + b"}}"
    for reads in (parse, parted):
        with pytest.raises(BadHeader, match="more entries than any LoRA has"):
            reads(raw)


def test_an_overfull_header_is_not_parted() -> None:
    assert parted(b'{"__metadata__":{' + b'"":"",' * 600_000)[0] is None


def test_an_empty_tensor_takes_no_place() -> None:
    raw = json.dumps(
        {
            "b": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},
            "a": {"dtype": "F32", "shape": [0, 3], "data_offsets": [0, 0]},
        }
    )
    assert parse(raw.encode()).extent == 8


@pytest.mark.parametrize("dtype", ["F8_E3M4", "U4", "MXFP4", "F4_E2M1_X2"])
def test_a_dtype_newer_than_the_table_is_let_by_at_any_length(dtype: str) -> None:
    assert parse(entry(dtype=f'"{dtype}"', shape="[8]", offsets="[0,3]")).tensors["a"].dtype == dtype


@pytest.mark.parametrize(("dtype", "length"), [("F4", 2), ("F6_E2M3", 3), ("F8_E4M3", 4), ("BF16", 8), ("C64", 32)])
def test_a_dtype_has_its_size_in_bits(dtype: str, length: int) -> None:
    assert parse(entry(dtype=f'"{dtype}"', shape="[4]", offsets=f"[0,{length}]")).extent == length


@pytest.mark.parametrize(
    ("raw", "names"),
    [
        (b'{"\\u0061.b":' + TENSOR + b"}", ["a.b"]),
        (b'{"unet:0:down":' + TENSOR + b"}", ["unet:0:down"]),
        (b'{"a\\"b":' + TENSOR + b"}", ['a"b']),
        (b'{"\\ud83d\\ude00":' + TENSOR + b"}", ["\N{GRINNING FACE}"]),
        (b'{"a":{"dtype":"F16","shape":[1],"data_offsets":[0,2],"note":"x"}}', ["a"]),
        (b' { "a" : ' + TENSOR + b' , "__metadata__" : { "k" : "v" } } ', ["a"]),
        (b'{"__metadata__":null,"a":' + TENSOR + b"}", ["a"]),
    ],
)
def test_an_odd_but_valid_header_is_read(raw: bytes, names: list[str]) -> None:
    assert list(parse(raw).tensors) == names


@pytest.mark.parametrize(
    ("raw", "metadata", "text"),
    [
        (b'{"__metadata__":{"k":"v"},"a":1}', {"k": "v"}, b',"a":1}'),
        (b'{"a":1}', {}, b'{"a":1}'),
        (b'{"a":1,"__metadata__":{"k":"v"}}', None, b'{"a":1,"__metadata__":{"k":"v"}}'),
        (b'{"__metadata__":{"k":1}}', "refused", b""),
        (b'{"__metadata__":{"k":"v"},"__metadata__":{}}', None, b',"__metadata__":{}}'),
        (b'{"__metadata__":{"k":', None, b'{"__metadata__":{"k":'),
        (b'{"__metadata__":{"k":"v"},"\\u005f_metadata__":{}}', {"k": "v"}, b',"\\u005f_metadata__":{}}'),
        (b"\xff", None, b"\xff"),
    ],
)
def test_a_header_is_parted_behind_its_metadata(raw: bytes, metadata: Any, text: bytes) -> None:
    if metadata == "refused":
        with pytest.raises(BadHeader, match="metadata is not text by text"):
            parted(raw)
        return
    assert parted(raw) == (metadata, text)


SHAPES = st.lists(st.integers(0, 9), max_size=4).map(tuple)
NAMES = st.text(max_size=12).filter(lambda name: name != "__metadata__")


@st.composite
def headers(draw: st.DrawFn) -> bytes:
    """Valid headers as other writers than the safetensors library may write them too."""
    tensors = draw(st.dictionaries(NAMES, st.tuples(st.sampled_from(sorted(DTYPE_BITS)), SHAPES), max_size=6))
    metadata = draw(st.none() | st.dictionaries(st.text(max_size=8), st.text(max_size=12), max_size=4))
    found: dict[str, Any] = {} if metadata is None else {"__metadata__": metadata}
    at = 0
    for name, (dtype, shape) in tensors.items():
        end = at + (DTYPE_BITS[dtype] * prod(shape) + 7) // 8
        found[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, end]}
        at = end
    items = draw(st.permutations(list(found.items())))
    spaces = draw(st.sampled_from([(",", ":"), (", ", ": ")]))
    return json.dumps(dict(items), separators=spaces, ensure_ascii=draw(st.booleans())).encode()


def told(raw: bytes) -> tuple[dict[str, Any], dict[str, str]]:
    """What the JSON says: each tensor, and the metadata."""
    found = json.loads(raw)
    metadata = found.pop("__metadata__", {})
    return found, metadata


def read_as_told(raw: bytes) -> tuple[dict[str, Any], dict[str, str]]:
    found = parse(raw)
    entries = {
        name: {"dtype": each.dtype, "shape": list(each.shape), "data_offsets": list(each.data_offsets)}
        for name, each in found.tensors.items()
    }
    return entries, dict(found.metadata)


@settings(deadline=None)
@given(headers())
def test_a_header_of_any_writer_is_read_as_its_json_says(raw: bytes) -> None:
    assert read_as_told(raw) == told(raw)


@settings(deadline=None)
@given(headers(), st.data())
def test_a_damaged_header_is_read_as_its_json_says_or_refused(raw: bytes, data: st.DataObject) -> None:
    at, by = data.draw(st.integers(0, len(raw))), data.draw(st.sampled_from([b'"', b":", b",", b"}", b"\\", b"0", b""]))
    damaged = raw[:at] + by + raw[at + 1 :]
    with suppress(BadHeader):
        found = read_as_told(damaged)
        assert found == told(damaged)
