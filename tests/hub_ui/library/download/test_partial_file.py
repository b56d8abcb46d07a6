from __future__ import annotations

from pathlib import Path

from tests.hub_ui.library.building import a_part


def test_bytes_that_are_there_are_gone_on_with(tmp_path: Path) -> None:
    part = a_part(tmp_path)
    part.begin(validator='"one"', size=10)
    with part.writer(0) as file:
        file.write(b"12345")
    part.wrote(0, 5)
    part.close()
    assert list(a_part(tmp_path).gaps()) == [(5, 10)]


def test_a_part_that_is_shorter_than_its_state_says_begins_anew(tmp_path: Path) -> None:
    part = a_part(tmp_path)
    part.begin(validator='"one"', size=10)
    part.path.write_bytes(b"1234")
    part.wrote(0, 5)
    part.close()
    again = a_part(tmp_path)
    assert (list(again.gaps()), again.path.exists()) == ([(0, None)], False)
