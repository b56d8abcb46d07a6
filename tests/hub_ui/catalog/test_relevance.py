"""Popularity is a LoRA's rank on its own hub, freshness is small, and both are whole numbers within bounds."""

from itertools import pairwise

import pytest

from hub_ui.catalog.relevance import CLASSES, LEVEL_WEIGHTS, LEVELS, MOST_MERIT, PLACES, level, merit

HUBS = ("civitai", "huggingface", "replicate", "a-new-hub")
MAY_2026 = 1_777_593_600
YEAR = 31_557_600


def test_the_same_number_is_worth_less_where_numbers_are_larger() -> None:
    merits = [merit(hub, 1_000, None, MAY_2026) for hub in ("replicate", "civitai", "huggingface")]
    assert merits == sorted(merits)
    assert [level(each) for each in merits] == [1, 2, 3]


@pytest.mark.parametrize("hub", HUBS)
def test_more_downloads_are_never_worth_less(hub: str) -> None:
    counts = [0, 1, 2, 5, *(base * 10**power for power in range(1, 9) for base in (1, 3, 9))]
    merits = [merit(hub, count, None, MAY_2026) for count in counts]
    assert merits == sorted(merits)
    assert [level(each) for each in merits] == sorted(level(each) for each in merits)
    assert level(merits[-1]) == LEVELS - 1


@pytest.mark.parametrize("hub", HUBS)
def test_of_two_as_popular_the_newer_one_has_more_merit_and_the_same_level(hub: str) -> None:
    merits = [merit(hub, 500, None, MAY_2026 + year * YEAR) for year in range(8)]
    assert all(before < after for before, after in pairwise(merits))
    assert len({level(each) for each in merits}) == 1


def test_a_year_is_worth_as_much_as_two_hundredths_of_a_hubs_loras() -> None:
    """150 downloads are more than half of CivitAI's LoRAs have, 174 more than 52 %."""
    newer = merit("civitai", 150, None, MAY_2026 + YEAR)
    assert merit("civitai", 168, None, MAY_2026) < newer < merit("civitai", 180, None, MAY_2026)


def test_likes_stand_in_where_a_hub_gives_no_downloads() -> None:
    assert merit("civitai", None, 2_000, MAY_2026) > merit("civitai", None, 3, MAY_2026)
    assert merit("civitai", 3, 2_000, MAY_2026) == merit("civitai", 3, None, MAY_2026)


def test_what_nobody_counts_is_neither_first_nor_last() -> None:
    unknown = merit("civitai", None, None, MAY_2026)
    assert merit("civitai", 0, None, MAY_2026) < unknown < merit("civitai", 1_000, None, MAY_2026)


@pytest.mark.parametrize("hub", HUBS)
def test_merits_stay_within_bounds(hub: str) -> None:
    assert merit(hub, 0, 0, -(10**12)) >= 0
    assert merit(hub, 10**15, 10**15, 10**12) <= MOST_MERIT
    assert merit(hub, None, None, None) > 0
    assert (level(0), level(MOST_MERIT)) == (0, LEVELS - 1)


def test_classes_have_each_place_and_level_once_the_best_first() -> None:
    assert len(set(CLASSES)) == len(CLASSES) == len(PLACES) * LEVELS
    worth = [PLACES[place][2] + LEVEL_WEIGHTS[each] for place, each in CLASSES]
    assert worth == sorted(worth, reverse=True)


def test_the_place_of_the_words_and_popularity_weigh_against_each_other() -> None:
    """A title that nobody uses stands after the tag of what everybody uses, and before its description."""
    title, tag, description = 1, 2, 4
    assert CLASSES.index((tag, 3)) < CLASSES.index((title, 0)) < CLASSES.index((description, 3))
