from __future__ import annotations

import pytest

from connectors.errors import BadQuery
from connectors.query import Query, Range
from hub_ui.commands.search import Search


def test_the_text_is_the_query_language() -> None:
    expected = Query(text="ink", rank=Range(least=16), excluded=(("text", "anime"),), limit=200)
    assert Search(text="ink rank:>=16 -anime").query == expected


def test_options_and_filters_add_up() -> None:
    asked = Search(text="ink base:sdxl hub:hf", base=["flux1"], hub=["civitai"], kind=["style"], limit=5).query
    expected = Query(text="ink", bases=("flux1", "sdxl"), hubs=("civitai", "huggingface"), kinds=("style",), limit=5)
    assert asked == expected


def test_of_two_orders_or_levels_the_options_counts() -> None:
    text = "ink sort:likes nsfw:mature"
    assert Search(text=text).query == Query(text="ink", sort="likes", nsfw="mature", limit=200)
    chosen = Search(text=text, sort="relevance", nsfw="safe").query
    assert chosen == Query(text="ink", sort="relevance", nsfw="safe", limit=200)


def test_a_misspelt_filter_is_told_so() -> None:
    with pytest.raises(BadQuery, match="Did you mean “kind”"):
        _ = Search(text="ink knd:style").query
