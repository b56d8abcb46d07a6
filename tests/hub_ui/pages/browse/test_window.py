from __future__ import annotations

import pytest
from gradio import Request

from hub_ui.pages.browse.window import Window, Windows


def test_a_window_has_the_places_of_its_pages() -> None:
    assert Window(first=2, last=3).places(60) == range(120, 240)


def test_the_script_names_the_pages_and_the_card_that_has_the_focus() -> None:
    assert Window.of({"first": "3", "last": "4", "focused": "7"}) == Window(first=3, last=4, focused=7)
    assert Window.of({"first": 3, "last": 4}) == Window(first=3, last=4)


def test_a_window_of_thousands_is_cut() -> None:
    assert Window.of({"first": "10", "last": "9999"}) == Window(first=10, last=14)


@pytest.mark.parametrize("first", ["", "-1", "x", "²", "1e3", "123456789", None])
def test_what_is_no_window_is_none(first: object) -> None:
    assert Window.of({"first": first, "last": "1"}) is None


def test_each_page_has_its_own_window() -> None:
    windows, one, other = Windows(), Request(session_hash="one"), Request(session_hash="other")
    windows.put(one, Window(first=5, last=6))
    assert (windows.get(one), windows.get(other)) == (Window(first=5, last=6), Window())
