from __future__ import annotations

from pathlib import Path

import pytest

from tests.long_files import LONG_FILES


@pytest.mark.parametrize("name", LONG_FILES)
def test_a_file_that_begins_first_is_there(name: str) -> None:
    assert (Path(__file__).parent / name).is_file()
