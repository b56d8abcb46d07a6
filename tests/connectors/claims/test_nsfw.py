from pathlib import Path
from typing import Any

import pytest

from connectors.claims import nsfw
from tests.connectors.cases import read_cases

READ = read_cases(__file__)

# Texts, one a line.
MATURE, INNOCENT = (
    Path(__file__).with_name(name).read_text("utf-8").splitlines() for name in ("mature.txt", "innocent.txt")
)


@pytest.mark.parametrize(("bits", "found"), READ["bits are levels and an unknown bit is the strongest"])
def test_bits_are_levels_and_an_unknown_bit_is_the_strongest(bits: int, found: list[str]) -> None:
    assert list(nsfw.levels(bits)) == found


@pytest.mark.parametrize(("word", "level"), READ["words are levels and an unknown word is the strongest"])
def test_words_are_levels_and_an_unknown_word_is_the_strongest(word: object, level: str | None) -> None:
    assert nsfw.image_level(None, word) == level


def test_the_stronger_of_two_statements_counts() -> None:
    assert nsfw.image_level(1, "X") == "explicit"


@pytest.mark.parametrize(("model", "images", "level"), READ["a lora has the level of its strongest image"])
def test_a_lora_has_the_level_of_its_strongest_image(model: dict[str, Any], images: list[Any], level: str) -> None:
    assert nsfw.lora_level(model, images) == level


@pytest.mark.parametrize(("tags", "name", "where"), READ["a tag or a name tells the level and nothing else does"])
def test_a_tag_or_a_name_tells_the_level_and_nothing_else_does(tags: list[str], name: str, where: str | None) -> None:
    claims = nsfw.text_claims(tags, [(name, "name")])
    assert [claim.where for claim in claims] == ([where] if where else [])
    assert nsfw.level_of(claims) == ("mature" if where else None)


@pytest.mark.parametrize(("model", "where"), READ["a claim names the fields of the level"])
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
