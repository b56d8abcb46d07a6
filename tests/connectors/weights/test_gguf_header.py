import io
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from gguf import GGMLQuantizationType, GGUFWriter, quants
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import BadHeader, HubUiError, NotWeights
from connectors.weights.gguf_header import read_gguf_header
from connectors.weights.header import FileReader, Header

Q8_0 = GGMLQuantizationType.Q8_0


def written(path: Path) -> bytes:
    """By the library of GGUF itself: two tensors, and values of several types."""
    writer = GGUFWriter(str(path), "flux")
    writer.add_array("words", ["a", "bc"])
    writer.add_array("numbers", [1, 2, 3])
    values = np.ones((3, 64), np.float32)
    writer.add_tensor("a.weight", quants.quantize(values, Q8_0), raw_dtype=Q8_0)
    writer.add_tensor("a.bias", np.ones(3, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path.read_bytes()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return written(tmp_path_factory.mktemp("gguf") / "a.gguf")


def read(data: bytes) -> Header:
    return read_gguf_header(FileReader(io.BytesIO(data)))


def test_tensors_have_torch_s_shapes_and_their_own_types(data: bytes) -> None:
    tensors = read(data).tensors
    assert {name: (tensor.dtype, tensor.shape) for name, tensor in tensors.items()} == {
        "a.weight": ("Q8_0", (3, 64)), "a.bias": ("F32", (3,)),
    }  # fmt: skip


def test_the_header_ends_where_the_tensors_begin(data: bytes) -> None:
    header = read(data)
    assert np.frombuffer(data[header.data_start + 224 :][:12], np.float32).tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("start", "value", "said"),
    [
        (0, b"PICK", "no GGUF file"),
        (4, (9).to_bytes(4, "little"), "a version of GGUF"),
        (8, (1 << 60).to_bytes(8, "little"), "more than any network has"),
        (16, (1 << 60).to_bytes(8, "little"), "more than any network has"),
        (24, (1 << 60).to_bytes(8, "little"), "ends inside its header"),
    ],
)
def test_what_a_header_claims_is_not_believed(data: bytes, start: int, value: bytes, said: str) -> None:
    with pytest.raises((BadHeader, NotWeights), match=said):
        read(data[:start] + value + data[start + len(value) :])


def test_a_long_array_is_not_read(data: bytes) -> None:
    at = data.index(b"numbers") + 7 + 8
    with pytest.raises(BadHeader, match="values that no network has"):
        read(data[:at] + (1 << 40).to_bytes(8, "little") + data[at + 8 :])


def test_a_file_that_is_cut_off_is_told(data: bytes) -> None:
    with pytest.raises(BadHeader, match="more than the file has"):
        read(data[:-40])


@pytest.mark.timeout(60)
@given(st.data())
def test_damage_ends_in_one_of_our_errors(data: bytes, draw: st.DataObject) -> None:
    at = draw.draw(st.integers(0, len(data) - 9))
    damaged = data[:at] + draw.draw(st.binary(min_size=1, max_size=8)) + data[at + 8 :]
    with suppress(HubUiError):
        assert read(damaged).size == len(damaged)
