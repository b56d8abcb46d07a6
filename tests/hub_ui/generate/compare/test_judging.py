"""Blind choices between LoRAs, and what follows from them."""

import math
import random

import pytest

from connectors.errors import UsageError
from hub_ui.generate.compare.judging import Pair, Vote, next_pair, ranking, read_votes, write_votes

FIRST_WINS = Vote(Pair(0, 0, 1), 1)


def judge(strengths: list[float], rows: int, count: int, luck: random.Random) -> list[Vote]:
    """The choices of somebody to whom the columns are so strong."""
    votes: list[Vote] = []
    for _number in range(count):
        pair = next_pair(votes, len(strengths), rows, "a sheet")
        chance = 1 / (1 + math.exp(strengths[pair.right] - strengths[pair.left]))
        votes.append(Vote(pair, 1 if luck.random() < chance else 2))
    return votes


def test_a_planted_winner_is_found_within_its_bounds() -> None:
    found = inside = 0
    for number in range(10):
        luck = random.Random(number)
        others = [luck.gauss(0, 0.7) for _ in range(11)]
        strengths = [*others, max(others) + 1.5]
        ranks = ranking(judge(strengths, 6, 72, luck), 12)
        winner = next(rank for rank in ranks if rank.column == 11)
        wins = sum(1 / (1 + math.exp(other - strengths[11])) for other in others) / 11
        found += ranks[0] == winner
        inside += winner.low <= wins <= winner.high
    assert (found >= 9, inside >= 8) == (True, True)


def test_before_any_choice_all_are_alike_and_nothing_is_known() -> None:
    ranks = ranking([], 3)
    assert [round(rank.wins, 1) for rank in ranks] == [0.5, 0.5, 0.5]
    assert (ranks[0].low < 0.2, ranks[0].high > 0.8) == (True, True)


def test_more_choices_leave_less_open() -> None:
    few, many = (ranking([FIRST_WINS] * count, 2)[0] for count in (2, 40))
    assert (few.column, many.column) == (0, 0)
    assert (many.high - many.low) < (few.high - few.low) / 2


def test_who_wins_against_a_winner_is_above_them() -> None:
    votes = [FIRST_WINS] * 3 + [Vote(Pair(1, 0, 2), 2)] * 3
    assert [rank.column for rank in ranking(votes, 3)] == [2, 0, 1]


def test_no_difference_counts_half_for_each() -> None:
    ranks = ranking([Vote(Pair(0, 0, 1), 0)] * 5, 2)
    assert [round(rank.wins, 2) for rank in ranks] == [0.5, 0.5]


def test_the_same_choices_make_the_same_ranking_and_the_same_next_pair() -> None:
    votes = [FIRST_WINS, Vote(Pair(2, 3, 1), 0)]
    once, again = ((ranking(votes, 5), next_pair(votes, 5, 3, "a sheet")) for _ in range(2))
    assert once == again


def test_each_sheet_has_sides_and_pairs_of_its_own() -> None:
    assert len({next_pair([], 4, 3, f"sheet {number}") for number in range(20)}) > 10


def test_each_column_is_seen_in_each_row_and_on_both_sides() -> None:
    votes = judge([0.0] * 4, 3, 60, random.Random(1))
    assert {vote.pair.row for vote in votes} == {0, 1, 2}
    assert {vote.pair.left for vote in votes} == {vote.pair.right for vote in votes} == {0, 1, 2, 3}


def test_who_can_no_longer_be_best_is_shown_less_often() -> None:
    votes = judge([3.0, 3.0, -3.0, -3.0], 2, 60, random.Random(1))
    shown = [sum(column in (vote.pair.left, vote.pair.right) for vote in votes) for column in range(4)]
    assert min(shown[:2]) > max(shown[2:])


def test_choices_are_written_and_read_back() -> None:
    votes = (FIRST_WINS, Vote(Pair(2, 3, 1), 0), Vote(Pair(1, 1, 0), 2))
    assert write_votes(votes) == "0-0-1-1_2-3-1-0_1-1-0-2"
    assert (read_votes(write_votes(votes), 4, 3), read_votes("", 4, 3)) == (votes, ())


@pytest.mark.parametrize(
    "text", ["x", "0-0-1", "0-0-1-3", "3-0-1-1", "0-0-4-1", "0-1-1-1", "0-0-1--1", "0-0-²-1", "_", "0-0-1-1_" * 1001]
)
def test_choices_that_the_comparison_can_not_have_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="no choices of this comparison"):
        read_votes(text, 4, 3)
