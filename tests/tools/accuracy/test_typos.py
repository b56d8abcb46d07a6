"""A known name with one typo is found."""

from pathlib import Path

import pytest

from tests.corpus import absence
from tests.tools.accuracy.relevance_corpus import loras
from tests.tools.accuracy.typos import lost, with_typos


@pytest.mark.exact
def test_no_name_with_one_typo_finds_nothing(tmp_path: Path) -> None:
    if absent := absence():
        pytest.skip(absent)
    number, without_result = lost(loras(), tmp_path)
    assert number > 500
    assert without_result == []


def test_a_name_has_four_typos() -> None:
    assert list(with_typos("astronaut")) == ["astronat", "astronaxut", "astronaxt", "astronatu"]
