from __future__ import annotations

from typing import Any

from connectors.claims.resolve import flatten
from connectors.query import Query
from hub_ui.catalog.search import BaseCount
from hub_ui.widgets import facets
from hub_ui.widgets.facets import FacetCounts
from tests.hub_ui.catalog.builders import claim, lora

SHOWN = (
    flatten(lora(1, base="Flux.1 D", claims=(claim("kind", "style"),))),
    flatten(lora(2, base="Flux.1 D", claims=(claim("kind", "character"),))),
    flatten(lora(3, base="Pony")),
)
SEEN = (BaseCount(id="sdxl", label="SDXL", count=40), BaseCount(id="flux1", label="FLUX.1", count=9))


def numbers(query: Query | None = None, **fields: Any) -> dict[str, str]:
    listed = FacetCounts(**{"records": SHOWN, "bases": SEEN, "hits": {"civitai": "3"}, **fields})
    return {o.value: o.count for group in facets.groups(query or Query(), listed) for o in group.options}


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
