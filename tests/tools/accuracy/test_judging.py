"""The rule that queries are judged by, and the grades that it gave."""

from __future__ import annotations

import pytest

from tests.corpus import absence
from tests.tools.accuracy.judging import Texts, grade, judged, read
from tests.tools.accuracy.relevance_corpus import loras

TEXTS = Texts(by_points={3: "neon night", 2: "nnt city ada", 1: "for rainy streets"}, creator="ada", bases="flux.1-dev")


@pytest.mark.parametrize(
    ("meaning", "points"),
    [
        ("neon.?night", 3),
        ("nnt", 2),
        ("streets?", 1),
        ("neon & streets?", 1),
        ("by:ada & night", 3),
        ("base:flux & city", 2),
        ("base:sdxl & city", 0),
        ("ne", 0),
    ],
)
def test_a_grade_is_that_of_the_poorest_part(meaning: str, points: int) -> None:
    assert grade(meaning, TEXTS) == points


def test_the_list_has_the_grades_that_the_rule_gives() -> None:
    if absent := absence():
        pytest.skip(absent)
    assert judged(read(), loras()) == read()
