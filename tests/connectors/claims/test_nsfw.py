from pathlib import Path
from typing import Any

import pytest

from connectors.claims import nsfw

# Texts, one a line.
MATURE, INNOCENT = (
    Path(__file__).with_name(name).read_text("utf-8").splitlines() for name in ("mature.txt", "innocent.txt")
)


@pytest.mark.parametrize(
    ("bits", "found"),
    [
        (0, ()),
        (1, ("safe",)),
        (7, ("safe", "soft", "mature")),
        (24, ("explicit", "explicit")),
        (32, ("explicit",)),
        (65, ("safe", "explicit")),
    ],
)
def test_bits_are_levels_and_an_unknown_bit_is_the_strongest(bits: int, found: tuple[str, ...]) -> None:
    assert nsfw.levels(bits) == found


@pytest.mark.parametrize(
    ("word", "level"),
    [
        ("None", "safe"),
        ("Soft", "soft"),
        ("Mature", "mature"),
        ("X", "explicit"),
        ("Blocked", "explicit"),
        (True, "mature"),
        ("Extreme", "explicit"),
        (["X"], "explicit"),
        ("", None),
        (None, None),
    ],
)
def test_words_are_levels_and_an_unknown_word_is_the_strongest(word: object, level: str | None) -> None:
    assert nsfw.image_level(None, word) == level


def test_the_stronger_of_two_statements_counts() -> None:
    assert nsfw.image_level(1, "X") == "explicit"


@pytest.mark.parametrize(
    ("model", "images", "level"),
    [
        ({"nsfw": False}, ["safe", "explicit"], "explicit"),
        ({"nsfw": False}, ["safe", None], None),
        ({"nsfw": False}, [], None),
        ({"nsfw": True}, ["safe"], "mature"),
        ({"nsfwLevel": 1}, [None], "safe"),
        ({"nsfwLevel": 1, "modelVersions": [{"nsfwLevel": 8}]}, [], "explicit"),
        ({"nsfw": False, "nsfwLevel": 6}, [], "mature"),
        ({"nsfw": True, "nsfwLevel": 1}, [], "mature"),
        ({"nsfw": True, "nsfwLevel": 24}, [], "explicit"),
        ({"nsfw": False, "nsfwLevel": 64}, [], "explicit"),
        ({"nsfw": "Graphic", "nsfwLevel": 1}, [], "explicit"),
    ],
)
def test_a_lora_has_the_level_of_its_strongest_image(model: dict[str, Any], images: list[Any], level: str) -> None:
    assert nsfw.lora_level(model, images) == level


@pytest.mark.parametrize(
    ("tags", "name", "where"),
    [
        (["lora"], "fox-lora", None),
        (["lora", "Not-For-All-Audiences"], "fox", "tags: Not-For-All-Audiences"),
        (["nsfw"], "nsfw-fox", "tags: nsfw"),
        ([], "my_NSFW-lora", "name: NSFW"),
        ([], "nude-figure-study", "name: nude"),
        ([], "sfwnsfwx", None),
    ],
)
def test_a_tag_or_a_name_tells_the_level_and_nothing_else_does(tags: list[str], name: str, where: str | None) -> None:
    claims = nsfw.text_claims(tags, [(name, "name")])
    assert [claim.where for claim in claims] == ([where] if where else [])
    assert nsfw.level_of(claims) == ("mature" if where else None)


@pytest.mark.parametrize(
    ("model", "where"),
    [
        ({"nsfw": True, "nsfwLevel": 31}, ["nsfw, nsfwLevel"]),
        ({"nsfw": False, "nsfwLevel": 7}, ["nsfwLevel"]),
        ({"nsfw": False, "modelVersions": [{"nsfwLevel": 2}]}, ["modelVersions[0].nsfwLevel"]),
        ({"nsfw": False}, ["modelVersions[].images"]),
    ],
)
def test_a_claim_names_the_fields_of_the_level(model: dict[str, Any], where: list[str]) -> None:
    assert [claim.where for claim in nsfw.civitai_claims("soft", model)] == where


def test_no_level_is_no_claim() -> None:
    assert nsfw.civitai_claims(None, {"nsfw": False}) == ()


@pytest.mark.parametrize("text", MATURE)
def test_words_for_grown_ups_are_read(text: str) -> None:
    assert nsfw.level_of(nsfw.text_claims((), [(text, "name")])) == "mature"


@pytest.mark.parametrize("text", INNOCENT)
def test_words_that_only_look_like_them_are_not(text: str) -> None:
    assert nsfw.text_claims((), [(text, "name")]) == ()


def test_a_tag_is_read_as_a_text_is() -> None:
    assert [claim.where for claim in nsfw.text_claims(["nude lipstick", "sex scene"], [])] == ["tags: sex scene"]
