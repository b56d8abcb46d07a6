from __future__ import annotations

from typing import Any

import pytest

from connectors.claims.resolve import flatten, record_with_header
from connectors.record import NSFW_LEVELS, Example, Record
from connectors.weights.lora_facts import LoraFacts
from hub_ui.widgets import cards
from hub_ui.widgets.render import Renderer
from tests.hub_ui.catalog.builders import claim, file, lora, version

FLUX = LoraFacts(
    what="lora", claims=(claim("architecture", "flux1", source="header"), claim("rank", 16, source="header"))
)


def record(**fields: Any) -> Record:
    return flatten(lora(1, **fields))


def card(shown: Record, ceiling: Any = "safe", held: bool = False, at: int = 0) -> cards.Card:
    return cards.card(shown, at=at, ceiling=ceiling, in_library=lambda ref: held)


def html(*shown: Record, **fields: Any) -> str:
    counts = cards.Counts(loaded=len(shown), total=len(shown), **fields)
    return cards.cards_html(Renderer(), [card(one, at=at) for at, one in enumerate(shown)], counts)


def below(*, more: bool = False, asks: tuple[str, ...] = (), **fields: Any) -> str:
    return cards.more_html(Renderer(), cards.Counts(**fields), more=more, asks=asks)


def test_a_card_says_what_is_known_and_leaves_out_what_is_not() -> None:
    shown = card(record(base="Flux.1 D", creator="alvar", downloads=12_400))
    assert (shown.base, shown.creator, shown.downloads, shown.likes, shown.rank) == (
        "FLUX.1 dev",
        "alvar",
        "12.4k",
        "–",
        "",
    )


def test_a_title_is_text_and_never_code() -> None:
    page = html(record(title="${alert(1)} <img src=x onerror=alert(1)> `"))
    assert "${alert(1)} &lt;img src=x onerror=alert(1)&gt; `" in page


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:image/svg+xml,x"])
def test_a_picture_that_is_no_web_address_is_not_shown(url: str) -> None:
    one = version("civitai:1@10", examples=(Example(url=url),))
    assert card(record(versions=(one,))).image == ""


def test_the_cover_is_the_first_still_picture_mild_enough() -> None:
    examples = (
        Example(url="https://a.example/x.mp4", video=True),
        Example(url="https://a.example/1.png", nsfw="explicit"),
        Example(url="https://a.example/2.png"),
        Example(url="https://a.example/3.png", nsfw="safe"),
    )
    one = record(versions=(version("civitai:1@10", examples=examples),))
    images = [card(one, ceiling=ceiling).image[-5:] for ceiling in NSFW_LEVELS]
    assert images == ["3.png", "2.png", "2.png", "1.png"]


def test_a_video_that_comes_first_plays_on_the_card_and_its_hubs_still_image_stands_for_it() -> None:
    url = "https://image.civitai.com/xG1nkqKTMzGDvpLrqFT7WA/2b7f/original=true/1.mp4"
    one = record(versions=(version("civitai:1@10", examples=(Example(url=url, video=True, nsfw="safe"),)),))
    assert card(one).video == url
    page = html(one)
    assert page.count('data-video="hub-video?url=') == 1
    assert page.count('<img src="hub-picture?url=') == 1


def test_a_creator_is_a_link_to_all_of_theirs() -> None:
    page = html(record(creator='Ada "L"'))
    assert 'data-act="search" data-query="creator:&#34;Ada \\&#34;L\\&#34;&#34;">Ada &#34;L&#34;</a>' in page


def test_mature_pictures_are_blurred_when_asked_for() -> None:
    one = version("civitai:1@10", examples=(Example(url="https://a.example/1.png", nsfw="mature"),))
    mature = card(record(versions=(one,)), ceiling="explicit")
    assert mature.blurred is True
    assert '<button class="reveal" tabindex="-1">Show</button>' in cards.cards_html(
        Renderer(), [mature], cards.Counts(loaded=1)
    )


@pytest.mark.parametrize(
    ("fields", "held", "text"),
    [
        ({}, True, "in library"),
        ({"nsfw": "mature"}, True, "mature"),
        ({"nsfw": "mature", "access": "removed"}, True, "removed"),
        ({"access": "gated"}, False, "gated"),
    ],
)
def test_one_flag_at_most_the_most_important(fields: dict[str, Any], held: bool, text: str) -> None:
    flag = card(record(**fields), held=held).flag
    assert flag is not None
    assert flag.text == text


def test_a_file_that_contradicts_its_hub_is_flagged_first() -> None:
    claims = (claim("architecture", "flux1", source="header"), claim("architecture", "sdxl"))
    flag = card(record(claims=claims, access="removed", versions=())).flag
    assert flag == cards.Flag(text="file says FLUX.1", tone="warn")


def test_places_are_kept_for_hubs_that_have_not_answered() -> None:
    assert html(waiting=3).count("card ghost") == 3


def test_what_belongs_above_the_last_card_waits_behind_a_line() -> None:
    assert 'data-act="relist" title="Put them in their places">12 more</button>' in html(record(), above=12)
    assert "12 more" not in below(loaded=1, above=12, more=True)


def test_where_there_is_nothing_below_the_line_is_at_the_end_too() -> None:
    assert "12 more</button>" in below(loaded=1, above=12)


def test_below_the_last_card_stands_what_can_be_done_or_that_it_is_the_last() -> None:
    assert '<button data-act="more">Load more</button>' in below(loaded=60, total=1234, more=True)
    assert "Asking CivitAI, Replicate…" in below(loaded=60, asks=("CivitAI", "Replicate"))
    assert "The end of the list." in below(loaded=1234, total=1234)
    assert "button" not in below(loaded=0)


def test_cards_stand_in_pages_and_those_of_other_pages_are_left_out() -> None:
    shown = [card(record(), at=at) for at in (3, 120, 121)]
    page = cards.cards_html(Renderer(), shown, cards.Counts(loaded=200, total=4000), is_alone=3)
    assert [part.count('role="listitem"') for part in page.split('<div class="page">')[1:]] == [1, 0, 2, 0]
    assert '<div class="card alone" role="listitem" data-at="3"\n aria-posinset="4" aria-setsize="4000">' in page


def test_a_card_that_left_the_list_is_told_as_a_change() -> None:
    assert "The list has changed</button>" in html(record(), gone=1)


def test_the_line_has_its_room_before_there_is_one() -> None:
    assert '<p class="news" role="status"></p>' in html(record())


def test_a_card_names_the_base_its_file_is_for() -> None:
    of = record_with_header(record(base="SDXL 1.0"), FLUX)
    assert (card(of).base, card(of).rank) == ("FLUX.1", "r16")


def test_what_is_no_lora_for_pictures_says_so_and_offers_no_try() -> None:
    shown = cards.card(record(), ceiling="safe", in_library=lambda ref: True, what="llm-lora")
    assert shown.flag == cards.Flag(text="not for images", tone="warn")
    assert 'data-act="try"' not in cards.cards_html(Renderer(), [shown], cards.Counts(loaded=1))


def test_what_can_not_be_tried_here_says_why_on_its_card() -> None:
    shown = cards.card(
        record(), ceiling="safe", in_library=lambda ref: False, try_problem="This LoRA needs FLUX.1 dev."
    )
    page = cards.cards_html(Renderer(), [shown], cards.Counts(loaded=1))
    assert '<span title="This LoRA needs FLUX.1 dev.">Can’t be tried here</span>' in page
    assert 'data-act="try"' not in page


def test_a_picture_is_asked_for_in_the_width_of_a_card() -> None:
    url = "https://image.civitai.com/a/b/original=true/1.jpeg"
    one = version("civitai:1@10", examples=(Example(url=url, nsfw="safe"),))
    assert "%2Fwidth%3D450%2F1.jpeg" in html(record(versions=(one,)))


def test_pictures_are_addresses_of_the_page_itself() -> None:
    one = version("civitai:1@10", examples=(Example(url="https://a.example/1.png", nsfw="safe"),))
    assert 'src="hub-picture?url=https%3A%2F%2Fa.example%2F1.png&amp;hub=civitai&amp;signed=' in html(
        record(versions=(one,))
    )


def test_a_name_without_end_is_cut_off() -> None:
    assert card(record(title="T" * 1000)).title == "T" * 300 + "…"


DANGER = version(files=(file(claims=(claim("scan", "Danger"),)),))


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"claims": (claim("real_person", True),), "nsfw": "mature"}, "real person"),
        ({"claims": (claim("real_person", False),), "nsfw": "mature"}, "mature"),
        ({"claims": (claim("real_person", True),), "access": "paid"}, "early access"),
        ({"versions": (DANGER,), "access": "paid"}, "scan found danger"),
    ],
)
def test_a_card_says_a_real_person_and_danger_before_what_matters_less(fields: dict[str, Any], text: str) -> None:
    flag = card(record(**fields), held=True).flag
    assert flag is not None
    assert flag.text == text
