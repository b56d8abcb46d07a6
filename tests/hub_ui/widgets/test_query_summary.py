from __future__ import annotations

from typing import Any

from connectors.claims.resolve import flatten
from connectors.query import Query
from hub_ui.catalog.search import BaseCount
from hub_ui.widgets import query_summary
from hub_ui.widgets.query_summary import FacetCounts
from hub_ui.widgets.render import Renderer
from tests.hub_ui.catalog.builders import claim, lora

SHOWN = (
    flatten(lora(1, base="Flux.1 D", claims=(claim("kind", "style"),))),
    flatten(lora(2, base="Flux.1 D", claims=(claim("kind", "character"),))),
    flatten(lora(3, base="Pony")),
)
SEEN = (BaseCount(id="sdxl", label="SDXL", count=40), BaseCount(id="flux1", label="FLUX.1", count=9))


def numbers(query: Query | None = None, **fields: Any) -> dict[str, str]:
    listed = FacetCounts(**{"records": SHOWN, "bases": SEEN, "hits": {"civitai": "3"}, **fields})
    return {o.value: o.count for group in query_summary.groups(query or Query(), listed) for o in group.options}


def test_numbers_count_the_cards_that_are_shown_and_not_what_was_ever_seen() -> None:
    assert numbers() == {
        "civitai": "3", "huggingface": "", "replicate": "", "flux1": "2", "sdxl": "1",
        "character": "1", "style": "1", "concept": "0", "control": "0", "tool": "0",
    }  # fmt: skip


def test_while_there_is_more_a_plus_says_so_and_nought_is_not_told() -> None:
    told = numbers(has_more=True)
    assert (told["flux1"], told["style"], told["tool"]) == ("2+", "1+", "")


def test_what_a_filter_left_out_has_no_number() -> None:
    told = numbers(Query(kinds=("style",), bases=("flux1",)))
    assert (told["flux1"], told["sdxl"], told["style"], told["character"]) == ("2", "", "1", "")


def test_a_base_that_none_of_all_cards_is_for_is_no_choice() -> None:
    assert "sdxl" not in numbers(records=SHOWN[:2])
    assert "sdxl" in numbers(records=SHOWN[:2], has_more=True)


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
