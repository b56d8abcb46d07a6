from pathlib import Path
from typing import Any

import pytest

from connectors.claims import content
from connectors.claims.resolve import best
from tests.connectors.cases import read_cases

READ = read_cases(__file__)


@pytest.mark.parametrize(("tags", "title", "kind"), READ["words tell what a lora is for"])
def test_words_tell_what_a_lora_is_for(tags: list[str], title: str, kind: str | None) -> None:
    assert best(content.kind_claims(tags, "tags", title, "name"), "kind") == kind


def test_a_claim_names_the_word() -> None:
    assert [claim.where for claim in content.kind_claims(["style"], "tags", "", "name")] == ["tags: style"]


@pytest.mark.parametrize(("words", "kind"), READ["a word may call itself a style"])
def test_a_word_may_call_itself_a_style(words: list[str], kind: str | None) -> None:
    assert best(content.word_claims(words), "kind") == kind


@pytest.mark.parametrize(("prompts", "kind"), READ["prompts hint at the kind"])
def test_prompts_hint_at_the_kind(prompts: list[str], kind: str | None) -> None:
    claims = content.prompt_claims(prompts, ["TOK"], "widget")
    assert best(claims, "kind") == kind
    assert all(claim.source == "example" for claim in claims)


# As Hugging Face answers about a FLUX LoRA.
REPO = (
    "diffusers", "text-to-image", "lora", "flux", "template:sd-lora", "style", "ink drawing", "en",
    "base_model:black-forest-labs/FLUX.1-dev", "base_model:adapter:black-forest-labs/FLUX.1-dev", "license:mit",
    "arxiv:2106.09685", "endpoints_compatible", "region:us",
)  # fmt: skip


def test_what_is_for_machines_is_left_out() -> None:
    assert content.content_tags(REPO) == ("style", "ink drawing")


def test_the_words_of_an_author_stay_as_they_are() -> None:
    words = ("Anime", "re:zero kara", "Star Wars: Andor", "day to night", "anime girl")
    assert content.content_tags((*words, "Anime")) == words


# Texts, one a line.
MATURE, INNOCENT = (
    Path(__file__).with_name(name).read_text("utf-8").splitlines() for name in ("mature.txt", "innocent.txt")
)


@pytest.mark.parametrize(("bits", "found"), READ["bits are levels and an unknown bit is the strongest"])
def test_bits_are_levels_and_an_unknown_bit_is_the_strongest(bits: int, found: list[str]) -> None:
    assert list(content.levels(bits)) == found


@pytest.mark.parametrize(("word", "level"), READ["words are levels and an unknown word is the strongest"])
def test_words_are_levels_and_an_unknown_word_is_the_strongest(word: object, level: str | None) -> None:
    assert content.image_level(None, word) == level


def test_the_stronger_of_two_statements_counts() -> None:
    assert content.image_level(1, "X") == "explicit"


@pytest.mark.parametrize(("model", "images", "level"), READ["a lora has the level of its strongest image"])
def test_a_lora_has_the_level_of_its_strongest_image(model: dict[str, Any], images: list[Any], level: str) -> None:
    assert content.lora_level(model, images)[0] == level


@pytest.mark.parametrize(("tags", "name", "where"), READ["a tag or a name tells the level and nothing else does"])
def test_a_tag_or_a_name_tells_the_level_and_nothing_else_does(tags: list[str], name: str, where: str | None) -> None:
    claims = content.mature_claims(tags, [(name, "name")])
    assert [claim.where for claim in claims] == ([where] if where else [])
    assert content.level_of(claims) == ("mature" if where else None)


@pytest.mark.parametrize(("model", "where"), READ["a claim names the fields of the level"])
def test_a_claim_names_the_fields_of_the_level(model: dict[str, Any], where: list[str]) -> None:
    assert [claim.where for claim in content.lora_level(model, ["soft"])[1]] == where


def test_no_level_is_no_claim() -> None:
    assert content.lora_level({"nsfw": False}, []) == (None, ())


@pytest.mark.parametrize("text", MATURE)
def test_words_for_grown_ups_are_read(text: str) -> None:
    assert content.level_of(content.mature_claims((), [(text, "name")])) == "mature"


@pytest.mark.parametrize("text", INNOCENT)
def test_words_that_only_look_like_them_are_not(text: str) -> None:
    assert content.mature_claims((), [(text, "name")]) == ()


def test_a_tag_is_read_as_a_text_is() -> None:
    assert [claim.where for claim in content.mature_claims(["nude lipstick", "sex scene"], [])] == ["tags: sex scene"]
