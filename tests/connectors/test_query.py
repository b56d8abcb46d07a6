from __future__ import annotations

from typing import Any

import pytest

from connectors.errors import BadQuery
from connectors.query import Query


def test_words_that_people_type_are_tidied() -> None:
    query = Query.of("  ink \n lines ", bases=("", "sdxl"), limit=0)
    assert (query.text, query.bases, query.limit) == ("ink lines", ("sdxl",), 1)


def test_a_text_and_a_limit_have_an_end() -> None:
    query = Query.of("x" * 999, limit=10**9)
    assert (len(query.text), query.limit) == (200, 10_000)


@pytest.mark.parametrize(
    ("fields", "allowed"),
    [
        ({"hubs": ("github",)}, "civitai, huggingface, replicate"),
        ({"kinds": ("vibe",)}, "character, style, concept, control, tool"),
        ({"sort": "best"}, "relevance, downloads, likes, newest"),
        ({"nsfw": "all"}, "safe, soft, mature, explicit"),
    ],
)
def test_an_unknown_word_is_refused_with_the_known_ones(fields: dict[str, Any], allowed: str) -> None:
    with pytest.raises(BadQuery, match=allowed):
        Query.of(**fields)


def test_nothing_asked_lists_what_is_safe() -> None:
    assert Query.of() == Query(text="", sort="relevance", limit=24, nsfw="soft")


def test_the_words_for_hubs_are_those_of_text_and_phrases() -> None:
    assert Query(text="ink", phrases=("two words", "a"), excluded=(("text", "x"),)).words == "ink two words a"
    assert len(Query(text="x" * 150, phrases=("y" * 150,)).words) == 200
