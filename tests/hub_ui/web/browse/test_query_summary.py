from __future__ import annotations

from connectors.query import Query, Range
from hub_ui.web.browse import facets as query_summary


def words(query: Query, *, one: bool = False) -> list[tuple[str, str]]:
    return [(word.lead, word.label) for word in query_summary.words(query, one=one)]


def test_the_question_is_told_in_words() -> None:
    query = Query(text="ink", hubs=("civitai",), bases=("flux1", "sdxl"), kinds=("style",))
    assert words(query) == [
        ("on", "CivitAI"),
        ("for", "FLUX.1"),
        ("or", "SDXL"),
        ("that are", "styles"),
        ("that mention", "ink"),
    ]


def test_filters_without_a_phrase_of_their_own_stand_by_themselves() -> None:
    query = Query(
        creators=("ada",), rank=Range(least=16), excluded=(("text", "anime"), ("kind", "style")), sort="likes"
    )
    assert words(query) == [("", "not anime"), ("", "not style"), ("", "by ada"), ("", "rank at least 16")]


def test_verbs_and_nouns_agree_with_a_single_lora() -> None:
    assert words(Query(text="ink", kinds=("style",)), one=True) == [("that is a", "style"), ("that mentions", "ink")]


def test_each_part_knows_the_query_that_is_left_without_it() -> None:
    query = Query(text='a "b"', excluded=(("tag", "anime"),))
    rest = {word.label: word.part.rest for word in query_summary.words(query)}
    assert rest == {'a "b"': Query(excluded=(("tag", "anime"),)), "not tag anime": Query(text='a "b"')}


def test_the_order_and_the_level_of_images_are_told_elsewhere() -> None:
    assert words(Query(sort="likes", nsfw="mature")) == []
