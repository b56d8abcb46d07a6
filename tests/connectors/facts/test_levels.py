from __future__ import annotations

import pytest

from connectors.facts import levels


@pytest.mark.parametrize(
    ("bits", "found"),
    [(0, ()), (1, ("safe",)), (7, ("safe", "soft", "mature")), (24, ("explicit", "explicit")), (32, ("explicit",))],
)
def test_bits_are_levels(bits: int, found: tuple[str, ...]) -> None:
    assert levels.levels(bits) == found


@pytest.mark.parametrize(
    ("word", "level"),
    [
        ("None", "safe"),
        ("Soft", "soft"),
        ("Mature", "mature"),
        ("X", "explicit"),
        ("Blocked", "explicit"),
        (True, "mature"),
    ],
)
def test_words_are_levels(word: object, level: str) -> None:
    assert levels.image_level(None, word) == level


def test_the_stronger_of_two_statements_counts() -> None:
    assert levels.image_level(1, "X") == "explicit"


def test_without_bits_the_tamest_picture_counts() -> None:
    assert levels.lora_level(False, None, ["mature", "soft"]) == "soft"
    assert levels.lora_level(None, None, []) == "safe"


@pytest.mark.parametrize(
    ("tags", "name", "where"),
    [
        (["lora"], "fox-lora", None),
        (["lora", "Not-For-All-Audiences"], "fox", "tags: Not-For-All-Audiences"),
        (["nsfw"], "nsfw-fox", "tags: nsfw"),
        ([], "my_NSFW-lora", "name: NSFW"),
        ([], "sfwnsfwx", None),
    ],
)
def test_a_tag_or_a_name_tells_the_level(tags: list[str], name: str, where: str | None) -> None:
    claims = levels.worded_claims(tags, name, "name")
    assert [claim.where for claim in claims] == ([where] if where else [])
    assert levels.claimed(claims) == ("mature" if where else "safe")


@pytest.mark.parametrize(
    ("nsfw", "bits", "where"),
    [(True, 31, "nsfw, nsfwLevel"), (False, 7, "nsfwLevel"), (False, None, "modelVersions[].images")],
)
def test_a_claim_says_where_civitai_told_the_level(nsfw: object, bits: object, where: str) -> None:
    assert [claim.where for claim in levels.civitai_claims("soft", nsfw, bits)] == [where]
