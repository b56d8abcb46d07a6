import json
from pathlib import Path

import pytest

from connectors.errors import NotWeights
from hub_ui.library.download.partial_file import check_file
from tests.hub_ui.library.building import a_part, weights


def test_a_part_that_is_shorter_than_its_state_says_begins_anew(tmp_path: Path) -> None:
    part = a_part(tmp_path)
    part.update(validator='"one"', size=10)
    part.path.write_bytes(b"1234")
    part.wrote(0, 5)
    part.close()
    again = a_part(tmp_path)
    assert (list(again.gaps()), again.path.exists()) == ([(0, None)], False)


def with_header(text: bytes, body: bytes = b"") -> bytes:
    return len(text).to_bytes(8, "little") + text + body


def test_a_whole_file_passes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(weights())
    check_file(tmp_path / "a")


def test_metadata_is_no_tensor(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(with_header(json.dumps({"__metadata__": {"x": "y"}}).encode()))
    check_file(tmp_path / "a")


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (weights()[:-1], "describes"),
        (weights() + b"x", "describes"),
        (with_header(b"{not json}"), "not JSON"),
        (with_header(b'{"a":' * 100_000), "nested"),
        (with_header(b'{"w": 1}'), "no valid entry"),
        (with_header(b'{"w": {"data_offsets": [0, "9"]}}'), "no valid entry"),
        ((1 << 40).to_bytes(8, "little") + b"{}", "claims 1099511627776 bytes"),
    ],
)
def test_anything_else_is_refused(tmp_path: Path, data: bytes, why: str) -> None:
    (tmp_path / "a").write_bytes(data)
    with pytest.raises(NotWeights, match=why):
        check_file(tmp_path / "a")
