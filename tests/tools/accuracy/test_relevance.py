"""Our order of results is better than plain text score and than popularity, by the rule that judges queries."""

from math import log2
from pathlib import Path

import pytest

from tests.corpus import absence
from tests.tools.accuracy.judging import Texts, grade, judged, read
from tests.tools.accuracy.relevance import (
    lost,
    measure,
    ndcg,
    read_judgements,
    shortfalls,
    table,
    with_typos,
)
from tests.tools.accuracy.relevance_corpus import loras


def test_our_order_is_better_than_the_others_and_its_first_results_judged(tmp_path: Path) -> None:
    if absent := absence():
        pytest.skip(absent)
    measured = measure(loras(), tmp_path)
    assert shortfalls(measured) == [], "\n".join(table(measured))
    unjudged = {each.query: sorted(each.unjudged) for each in measured if each.unjudged}
    assert sum(map(len, unjudged.values())) <= 20, unjudged


def test_the_list_names_loras_that_are_there_with_the_grades_that_the_rule_gives() -> None:
    if absent := absence():
        pytest.skip(absent)
    there = {str(lora.ref) for lora in loras()}
    assert {ref for judgement in read_judgements() for ref in judgement.grades} - there == set()
    assert judged(read(), loras()) == read()


@pytest.mark.parametrize(
    ("part", "number"), [("seen", 60), ("unseen", 60), ("long seen", 37), ("long unseen", 37), ("by hand", 119)]
)
def test_each_list_has_queries_that_something_answers(part: str, number: int) -> None:
    judgements = [each for each in read_judgements() if each.part == part]
    assert len({judgement.query for judgement in judgements}) == len(judgements) == number
    assert all(max(judgement.grades.values()) >= 2 for judgement in judgements)


def test_ndcg_is_one_for_the_best_order_and_less_for_any_other() -> None:
    assert ndcg([3, 1], [1, 3]) == 1
    assert ndcg([0, 3], [3]) == pytest.approx(1 / log2(3))
    assert ndcg([], [2]) == 0
    assert ndcg([0] * 10 + [3], [3]) == 0


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
        ("neon ~ city ~ streets?", 3),
        ("neon ~ dragon", 2),
        ("streets? ~ dragon", 1),
        ("dragon ~ neon", 0),
        ("ne", 0),
    ],
)
def test_a_grade_is_that_of_the_poorest_part(meaning: str, points: int) -> None:
    assert grade(meaning, TEXTS) == points


@pytest.mark.exact
def test_no_name_with_one_typo_finds_nothing(tmp_path: Path) -> None:
    if absent := absence():
        pytest.skip(absent)
    number, without_result = lost(loras(), tmp_path)
    assert number > 500
    assert without_result == []


def test_a_name_has_four_typos() -> None:
    assert list(with_typos("astronaut")) == ["astronat", "astronaxut", "astronaxt", "astronatu"]
