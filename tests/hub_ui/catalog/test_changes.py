from __future__ import annotations

import logging

import pytest

from connectors.record import Example
from hub_ui.catalog.changes import Change, Stored, change, pieces
from hub_ui.catalog.codec import encode
from tests.hub_ui.catalog.builders import claim, lora, version


def stored(document: str, found: str = "") -> Stored:
    return Stored(id=1, document=document, found=found, seen="2026-01-02T00:00:00+00:00")


def changed(*args: object, **fields: object) -> Change:
    made = change(*args, **fields)  # type: ignore[arg-type]
    assert made is not None
    return made


def test_the_same_again_changes_nothing() -> None:
    assert change(lora(), stored(encode(lora()))) is None


def test_another_order_of_parameters_changes_nothing() -> None:
    one, two = (
        lora(versions=(version(examples=(Example(url="https://a.invalid/1", params=params),)),))
        for params in ({"seed": 1, "steps": 25}, {"steps": 25, "seed": 1})
    )
    assert (encode(one) == encode(two), change(two, stored(encode(one)))) == (False, None)


def test_what_was_listed_earlier_adds_to_what_is_known_and_takes_nothing_back() -> None:
    made = changed(lora(likes=3, description="long"), stored(encode(lora(likes=7))), is_older=True)
    assert (made.lora.likes, made.lora.description) == (7, "long")


def test_what_says_less_changes_nothing() -> None:
    assert change(lora(), stored(encode(lora(description="long", claims=(claim("rank", 8),))))) is None


def test_what_says_more_is_merged() -> None:
    made = changed(lora(likes=3), stored(encode(lora(description="long"))))
    assert (made.lora.likes, made.lora.description) == (3, "long")
    assert made.document == encode(lora(likes=3, description="long"))


def test_an_entry_that_can_not_be_read_is_replaced(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        made = changed(lora(), stored("{"))
    assert (made.lora, made.known) == (lora(), None)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("ink", ""),
        ("portrait ink", " portrait "),
        ("Watercolour-Portrait", " watercolour portrait "),
        ("zebra apple", " apple | zebra "),
        ("", ""),
    ],
)
def test_words_that_a_lora_does_not_say_are_remembered(text: str, found: str) -> None:
    assert changed(lora(), None, pieces(text)).row.found == found


def test_remembered_words_stay_and_new_ones_come() -> None:
    made = changed(lora(), stored(encode(lora()), " zebra "), pieces("apple"))
    assert made.row.found == " apple | zebra "


def test_remembered_words_go_once_the_lora_says_them() -> None:
    made = changed(lora(description="a zebra"), stored(encode(lora()), " apple | zebra "))
    assert made.row.found == " apple "


def test_words_that_are_remembered_already_change_nothing() -> None:
    assert change(lora(), stored(encode(lora()), " zebra "), pieces("zebra ink")) is None


def test_only_so_many_words_are_remembered_whichever_came_first() -> None:
    words = [f"w{number:03}" for number in range(80)]
    kept = f" {' | '.join(words[:50])} "
    late = f" {' | '.join(words[30:])} "
    assert changed(lora(), stored(encode(lora()), late), pieces(" ".join(words[:30]))).row.found == kept
    assert change(lora(), stored(encode(lora()), kept), pieces(" ".join(words[50:]))) is None


def test_a_search_of_many_joined_words_is_no_way_around_that() -> None:
    assert changed(lora(), None, pieces("-".join(["zebra"] * 51))).row.found == ""
