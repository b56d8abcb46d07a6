import pytest

from connectors.claims.kind import content_tags, kind_claims, poi_claims, prompt_claims, word_claims
from connectors.claims.resolve import best
from tests.connectors.cases import read_cases

READ = read_cases(__file__)


@pytest.mark.parametrize(("tags", "title", "kind"), READ["words tell what a lora is for"])
def test_words_tell_what_a_lora_is_for(tags: list[str], title: str, kind: str | None) -> None:
    assert best(kind_claims(tags, "tags", title, "name"), "kind") == kind


def test_a_claim_names_the_word() -> None:
    assert [claim.where for claim in kind_claims(["style"], "tags", "", "name")] == ["tags: style"]


@pytest.mark.parametrize(("words", "kind"), READ["a word may call itself a style"])
def test_a_word_may_call_itself_a_style(words: list[str], kind: str | None) -> None:
    assert best(word_claims(words), "kind") == kind


@pytest.mark.parametrize(("prompts", "kind"), READ["prompts hint at the kind"])
def test_prompts_hint_at_the_kind(prompts: list[str], kind: str | None) -> None:
    claims = prompt_claims(prompts, ["TOK"], "widget")
    assert best(claims, "kind") == kind
    assert all(claim.source == "example" for claim in claims)


def test_somebody_who_lives_is_a_character() -> None:
    assert best(poi_claims(True), "kind") == "character"
    assert poi_claims("yes") == poi_claims(None) == ()


# As Hugging Face answers about a FLUX LoRA.
REPO = (
    "diffusers", "text-to-image", "lora", "flux", "template:sd-lora", "style", "ink drawing", "en",
    "base_model:black-forest-labs/FLUX.1-dev", "base_model:adapter:black-forest-labs/FLUX.1-dev", "license:mit",
    "arxiv:2106.09685", "endpoints_compatible", "region:us",
)  # fmt: skip


def test_what_is_for_machines_is_left_out() -> None:
    assert content_tags(REPO) == ("style", "ink drawing")


def test_the_words_of_an_author_stay_as_they_are() -> None:
    assert content_tags(("Anime", "re:zero kara", "Star Wars: Andor", "day to night", "anime girl", "Anime")) == (
        "Anime",
        "re:zero kara",
        "Star Wars: Andor",
        "day to night",
        "anime girl",
    )
