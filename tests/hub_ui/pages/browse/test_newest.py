from __future__ import annotations

from copy import deepcopy

from connectors.query import Query
from hub_ui.pages.browse.results import Newest, Results


def results(turn: int = 1, *, is_held: bool = False) -> Results:
    return Results(query=Query(), turn=turn, is_held=is_held)


def test_results_of_an_earlier_turn_take_back_none_of_a_later_one() -> None:
    newest, first, second = Newest(), results(1), results(2)
    newest.put(second)
    newest.put(first)
    assert newest.results is second
    assert not newest.replace(first, results(3))
    assert newest.results is second


def test_a_later_step_of_the_same_turn_is_the_newest() -> None:
    newest, first, second = Newest(), results(1), results(1)
    newest.put(first)
    newest.put(second)
    assert newest.results is second


def test_what_came_while_a_page_was_painted_is_painted_after_it() -> None:
    newest = Newest()
    newest.put(results(1))
    updates = newest.paint(lambda now: now.turn)
    assert next(updates) == 1
    newest.put(results(2))
    assert list(updates) == [2]


def test_what_waits_for_the_hubs_is_not_painted() -> None:
    newest = Newest()
    assert list(newest.paint(lambda now: now.turn)) == []
    newest.put(results(is_held=True))
    assert list(newest.paint(lambda now: now.turn)) == []


def test_each_page_has_its_own() -> None:
    newest = Newest()
    newest.put(results())
    assert deepcopy(newest).results is None
