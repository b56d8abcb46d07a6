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


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (weights()[:-1], "describes .* It was not kept"),
        (weights() + b"x", "describes"),
        ((10).to_bytes(8, "little") + b"{not json}", "not JSON"),
    ],
)
def test_what_is_no_whole_file_of_weights_is_not_kept(tmp_path: Path, data: bytes, why: str) -> None:
    (tmp_path / "a").write_bytes(data)
    with pytest.raises(NotWeights, match=why):
        check_file(tmp_path / "a")
