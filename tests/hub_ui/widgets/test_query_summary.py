from __future__ import annotations

from connectors.query import Query
from hub_ui.widgets import query_summary
from hub_ui.widgets.render import Renderer


def test_the_question_is_told_in_words() -> None:
    query = Query(text="ink", hubs=("civitai",), bases=("flux1", "sdxl"), kinds=("style",))
    told = [(part.lead, part.label) for part in query_summary.parts(query)]
    assert told == [
        ("on", "CivitAI"),
        ("for", "FLUX.1"),
        ("or", "SDXL"),
        ("that are", "styles"),
        ("and mention", "ink"),
    ]


def test_counts_agree_with_their_noun() -> None:
    assert "<b>1</b> LoRA\n" in query_summary.summary_html(Renderer(), Query(), 1)
    assert "<b>9,412</b> LoRAs" in query_summary.summary_html(Renderer(), Query(), 9412)
    assert "<b>24+</b> LoRAs" in query_summary.summary_html(Renderer(), Query(), 24, has_more=True)


def test_verbs_and_nouns_agree_with_a_single_lora() -> None:
    told = [(part.lead, part.label) for part in query_summary.parts(Query(text="ink", kinds=("style",)), one=True)]
    assert told == [("that is a", "style"), ("and mentions", "ink")]


def test_before_any_card_is_there_no_number_is_told() -> None:
    assert "<b>…</b> LoRAs" in query_summary.summary_html(Renderer(), Query(), 0, has_more=True)


def test_the_demo_says_what_it_is_and_what_can_be_tried_in_it() -> None:
    said = query_summary.demo_html(Renderer(), "tiny-shapes")
    assert "A demo: three local hubs with sample LoRAs" in said
    assert 'data-act="toggle" data-facet="bases" data-value="tiny-shapes"' in said
