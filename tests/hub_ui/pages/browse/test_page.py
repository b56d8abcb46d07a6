from __future__ import annotations

import pytest

from connectors.errors import BadQuery
from hub_ui.pages.browse.page import apply_filter, with_sort
from hub_ui.pages.view import View


def test_a_click_on_a_filter_changes_the_question() -> None:
    assert apply_filter(View(), {"act": "toggle", "facet": "bases", "value": "flux1"}).query.bases == ("flux1",)


def test_a_click_on_the_searched_word_takes_it_away() -> None:
    assert apply_filter(View().with_query(text="ink wash"), {"act": "remove", "facet": "text", "value": ""}) == View()


@pytest.mark.parametrize(
    "act", [{}, {"act": "toggle", "facet": "limit", "value": "1"}, {"act": "nsfw", "value": "all"}]
)
def test_clicks_that_no_page_of_ours_makes_are_refused(act: dict[str, str]) -> None:
    with pytest.raises(BadQuery):
        apply_filter(View(), act)


def test_the_order_is_one_of_the_known_ones() -> None:
    assert with_sort(View(), "newest").query.sort == "newest"
    with pytest.raises(BadQuery, match="Choose one of"):
        with_sort(View(), "up")
