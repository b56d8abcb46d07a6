from __future__ import annotations

import pytest

from connectors.query import Query, Range
from hub_ui.widgets import query_summary
from hub_ui.widgets.render import Renderer


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


def test_counts_agree_with_their_noun() -> None:
    assert "<b>1</b> LoRA\n" in query_summary.summary_html(Renderer(), Query(), 1)
    assert "<b>9,412</b> LoRAs" in query_summary.summary_html(Renderer(), Query(), 9412)


def test_verbs_and_nouns_agree_with_a_single_lora() -> None:
    assert words(Query(text="ink", kinds=("style",)), one=True) == [("that is a", "style"), ("that mentions", "ink")]


def test_before_the_list_is_known_no_number_is_told() -> None:
    assert "<b>…</b> LoRAs" in query_summary.summary_html(Renderer(), Query(), None)


@pytest.mark.parametrize(
    ("query", "attributes"),
    [
        (Query(text='a "b"'), 'data-facet="text" data-value="a &#34;b&#34;" aria-label'),
        (Query(excluded=(("tag", "anime"),)), 'data-facet="tag" data-value="anime" data-excluded="yes" aria-label'),
    ],
)
def test_each_part_can_be_taken_away(query: Query, attributes: str) -> None:
    assert f'data-act="remove" {attributes}' in query_summary.summary_html(Renderer(), query, 2)


def test_the_demo_says_what_it_is_and_what_can_be_tried_in_it() -> None:
    said = query_summary.intro_html(Renderer(), "tiny-shapes")
    assert "A demo: three local hubs with sample LoRAs" in said
    assert 'data-act="toggle" data-facet="bases" data-value="tiny-shapes"' in said


def test_elsewhere_it_only_says_what_this_is() -> None:
    said = query_summary.intro_html(Renderer())
    assert "LoRAs are small add-ons" in said
    assert "A demo" not in said
