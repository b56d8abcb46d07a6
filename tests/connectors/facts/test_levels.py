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


@pytest.mark.parametrize(("tags", "level"), [(["lora"], "safe"), (["Not-For-All-Audiences"], "mature")])
def test_a_tag_tells_a_repos_level(tags: list[str], level: str) -> None:
    assert levels.huggingface_level(tags) == level
