from __future__ import annotations

from typing import Any

import pytest

from connectors.claims.resolve import flatten, record_with_header
from connectors.record import NSFW_LEVELS, Example, Record
from connectors.weights.lora_facts import LoraFacts
from hub_ui.web.browse import cards
from tests.hub_ui.catalog.builders import claim, file, lora, version

FLUX = LoraFacts(
    what="lora", claims=(claim("architecture", "flux1", source="header"), claim("rank", 16, source="header"))
)


def record(**fields: Any) -> Record:
    return flatten(lora(1, **fields))


def card(shown: Record, ceiling: Any = "safe", held: bool = False) -> cards.Card:
    made = cards.card(shown, ceiling=ceiling)
    return cards.library_card(made) if held else made


def test_a_card_says_what_is_known_and_leaves_out_what_is_not() -> None:
    shown = card(record(base="Flux.1 D", creator="alvar"))
    assert (shown.base, shown.creator, shown.image, shown.flag) == ("FLUX.1 dev", "alvar", "", None)


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


def test_a_video_that_comes_first_plays_on_the_card() -> None:
    still = Example(url="https://a.example/1.png", nsfw="safe")
    examples = (Example(url="https://a.example/1.mp4", video=True, nsfw="safe"), still)
    shown = card(record(versions=(version("civitai:1@10", examples=examples),)))
    assert (shown.video[-5:], shown.image[-5:]) == ("1.mp4", "1.png")
    behind = card(record(versions=(version("civitai:1@10", examples=examples[::-1]),)))
    assert (behind.video, behind.image[-5:]) == ("", "1.png")


def test_the_search_for_all_of_a_creator_is_written_in_the_query_language() -> None:
    assert card(record(creator='Ada "L"')).search == 'creator:"Ada \\"L\\""'
    assert (card(record()).creator, card(record()).search) == ("unknown", "")


def test_mature_pictures_are_blurred_when_asked_for() -> None:
    one = version("civitai:1@10", examples=(Example(url="https://a.example/1.png", nsfw="mature"),))
    assert card(record(versions=(one,)), ceiling="explicit").blurred is True
    assert card(record(versions=(one,)), ceiling="soft").image == ""


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


def test_a_card_names_the_base_its_file_is_for() -> None:
    of = record_with_header(record(base="SDXL 1.0"), FLUX)
    assert (card(of).base, card(of).record.rank) == ("FLUX.1", 16)


@pytest.mark.parametrize(
    ("what", "text"), [("llm-lora", "not for images"), ("checkpoint", "file is no LoRA"), ("vae", "file is no LoRA")]
)
def test_what_is_no_lora_for_pictures_says_so_and_can_not_be_tried(what: Any, text: str) -> None:
    shown = cards.library_card(cards.card(record(), ceiling="safe", what=what))
    assert (shown.flag, shown.usable) == (cards.Flag(text=text, tone="warn"), False)


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
