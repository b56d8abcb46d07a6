from __future__ import annotations

from dataclasses import replace
from typing import Any

from connectors.claims.resolve import flatten
from connectors.record import Example, Record
from connectors.ref import Ref
from hub_ui.widgets import cards, detail, related
from hub_ui.widgets.render import Renderer
from tests.hub_ui.catalog.builders import lora, version


def record(number: int = 1, **fields: Any) -> Record:
    return flatten(lora(number, **fields))


def panel(**fields: Any) -> str:
    shown = detail.detail(lora(1), Ref.parse("civitai:1"), ceiling="soft", in_library=lambda ref: False)
    return detail.html(Renderer(), replace(shown, related=related.Related(**fields)))


def test_another_home_is_named_by_its_hub_and_by_what_it_takes_to_get_the_file() -> None:
    home = related.link(record(2, base="Pony", access="gated", downloads=1200, creator="ada"), "soft")
    assert (home.name, home.note, home.url) == (
        "CivitAI",
        "ada · Pony · gated · 1.2k downloads",
        "https://civitai.com/models/2",
    )


def test_homes_and_namesakes_are_links_and_so_is_their_page() -> None:
    page = panel(homes=(related.link(record(2), "soft"),))
    assert "Also at <small>the same LoRA</small>" in page
    assert 'data-act="open" data-ref="civitai:2@20#200"><span class="picture tint' in page
    assert "<b>CivitAI</b>" in page
    assert '<a href="https://civitai.com/models/2" target="_blank" rel="noopener noreferrer nofollow">' in page
    assert "Also on" not in page


def test_a_home_whose_address_is_none_of_the_web_has_no_link_to_it() -> None:
    assert related.link(record(url="javascript:alert(1)"), "soft").url == ""


def test_similar_ones_are_small_cards_that_open() -> None:
    one = version("civitai:2@20", base="Pony", examples=(Example(url="https://a.example/1.png", nsfw="safe"),))
    page = panel(similar=(related.neighbor(record(2, title="<b>Wash", versions=(one,)), "soft"),))
    assert '<b dir="auto">&lt;b&gt;Wash</b><small>Pony</small>' in page
    assert 'src="hub-picture?url=https%3A%2F%2Fa.example%2F1.png' in page
    assert 'data-act="open" data-ref="civitai:2@20"' in page


def test_a_similar_one_shows_no_image_above_the_level() -> None:
    one = version("civitai:2@20", examples=(Example(url="https://a.example/1.png", nsfw="explicit"),))
    assert related.neighbor(record(2, versions=(one,)), "soft").image == ""
    assert related.neighbor(record(2, versions=(one,)), "explicit").blurred


def test_a_card_shows_the_marks_of_all_its_hubs() -> None:
    homes = (Ref.parse("huggingface:ada/ink"), Ref.parse("replicate:ada/ink"))
    shown = cards.card(replace(record(), homes=homes), ceiling="soft", in_library=lambda ref: False)
    page = cards.cards_html(Renderer(), [shown], cards.Counts(loaded=1))
    assert [page.count(f'class="mark {mark}"') for mark in ("C", "HF", "R")] == [1, 1, 1]
