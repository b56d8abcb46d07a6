import pytest

from connectors.claims import trigger_words
from connectors.claims.trigger_words import card_claims, prompt_claims, shared_claims
from tests.connectors.cases import read_cases

READ = read_cases(__file__)


@pytest.mark.parametrize(("written", "words"), READ["an authors list is read in its order"])
def test_an_authors_list_is_read_in_its_order(written: list[str], words: list[str]) -> None:
    assert list(trigger_words.clean(written)) == words


def test_a_whole_novel_has_an_end() -> None:
    assert len(trigger_words.clean([f"w{i}" for i in range(500)])) == 60


@pytest.mark.parametrize(("written", "words"), READ["an instance prompt is a phrase or a comma list"])
def test_an_instance_prompt_is_a_phrase_or_a_comma_list(written: list[str], words: list[str]) -> None:
    assert list(trigger_words.split(*written)) == words


@pytest.mark.parametrize(("text", "words"), READ["a sentence, a line or a section names the words"])
def test_a_sentence_a_line_or_a_section_names_the_words(text: str, words: list[str]) -> None:
    assert card_claims(text, "card")[0].value == tuple(words)


@pytest.mark.parametrize("text", READ["a card that names no word makes no claim"])
def test_a_card_that_names_no_word_makes_no_claim(text: str) -> None:
    assert card_claims(text, "card") == ()


def test_a_claim_quotes_the_sentence_it_comes_from() -> None:
    claims = card_claims("Hello.\nYou should use `vltg` to trigger it.", "card")
    assert claims[0].where == "card: You should use `vltg`"


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "text",
    [
        "trigger " * 25_000,
        "trigger" + " :*|" * 50_000,
        "trigger: " * 25_000,
        "\n> trigger: a" * 15_000,
        "`" * 200_000,
        "`a`, " * 40_000,
        "You should use `" * 12_000,
        "use a" * 40_000,
        "1 to 2 to " * 20_000,
        "negative\n" * 20_000,
        "use `a b c d " * 15_000,
        "# trigger words\n" * 12_000,
    ],
    ids=lambda text: text[:12],
)
def test_a_text_made_to_be_slow_does_not_hang(text: str) -> None:
    card_claims(text, "card")


@pytest.mark.parametrize(("prompts", "words"), READ["what all prompts share is a hint"])
def test_what_all_prompts_share_is_a_hint(prompts: list[str], words: list[list[str]]) -> None:
    claims = shared_claims(prompts, "widget")
    assert [claim.value for claim in claims] == [tuple(each) for each in words]
    assert all(claim.source == "example" for claim in claims)


@pytest.mark.parametrize(("prompt", "name", "description", "words"), READ["a prompt is a hint only if it is striking"])
def test_a_prompt_is_a_hint_only_if_it_is_striking(prompt: str, name: str, description: str, words: list[str]) -> None:
    claims = prompt_claims(prompt, name, description, "prompt")
    assert [word for claim in claims for word in claim.value] == words  # type: ignore[union-attr]


@pytest.mark.timeout(30)
def test_a_prompt_made_to_be_slow_does_not_hang() -> None:
    shared_claims(["a1b2 " * 40_000] * 3, "widget")
    prompt_claims("in the style of " * 12_000, "x", "", "prompt")
