from __future__ import annotations

from typing import Any

from connectors.claims.resolve import flatten
from connectors.record import Example, Record
from hub_ui.web.browse import cards as related
from tests.hub_ui.catalog.builders import lora, version


def record(number: int = 1, **fields: Any) -> Record:
    return flatten(lora(number, **fields))


def test_another_home_is_named_by_its_hub_and_by_what_it_takes_to_get_the_file() -> None:
    home = related.link(record(2, base="Pony", access="gated", downloads=1200, creator="ada"), "soft")
    assert (home.name, home.note, home.url) == (
        "CivitAI",
        "ada · Pony · gated · 1.2k downloads",
        "https://civitai.com/models/2",
    )


def test_a_home_whose_address_is_none_of_the_web_has_no_link_to_it() -> None:
    assert related.link(record(url="javascript:alert(1)"), "soft").url == ""


def test_a_similar_one_shows_no_image_above_the_level() -> None:
    one = version("civitai:2@20", examples=(Example(url="https://a.example/1.png", nsfw="explicit"),))
    assert related.neighbor(record(2, versions=(one,)), "soft").image == ""
    assert related.neighbor(record(2, versions=(one,)), "explicit").blurred


def test_a_similar_one_has_its_title_base_and_cover() -> None:
    one = version("civitai:2@20", base="Pony", examples=(Example(url="https://a.example/1.png", nsfw="safe"),))
    near = related.neighbor(record(2, title="Wash", versions=(one,)), "soft")
    assert (near.ref, near.title, near.base) == ("civitai:2@20", "Wash", "Pony")
    assert (near.image, near.blurred) == ("https://a.example/1.png", False)
