from __future__ import annotations

import time
from collections.abc import Iterable

import pytest

from connectors.facts import trigger_words
from connectors.record import Claim


def _values(claims: Iterable[Claim]) -> list[object]:
    return [claim.value for claim in claims if claim.field == "trigger_words"]


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ([], ()),
        ([""], ()),
        (["sltmrsh"], ("sltmrsh",)),
        (["a, b, c"], ("a", "b", "c")),
        (["omatsuri, food stand, "], ("omatsuri", "food stand")),
        (["红色，白色、黑色"], ("红色", "白色", "黑色")),
        (["one, red dress", "two, blue dress"], ("one, red dress", "two, blue dress")),
        ([" a", "a", "A", "b,"], ("a", "b")),
        (["<lora:fz-000009:1>", "fzdef", "fzrnd"], ("fzdef", "fzrnd")),
        (["<lora:fz:0.8> fzdef, hat"], ("fzdef", "hat")),
        (["<lora:fz:1>"], ()),
        (["fx<fox>"], ("fx<fox>",)),
        (["a\n b"], ("a", "b")),
    ],
)
def test_an_authors_list_is_read_in_its_order(written: list[str], words: tuple[str, ...]) -> None:
    assert trigger_words.clean(written) == words


def test_a_whole_novel_has_an_end() -> None:
    assert len(trigger_words.clean([f"w{i}" for i in range(500)])) == 60


def test_no_words_is_no_claim() -> None:
    assert trigger_words.civitai_claims([], "trainedWords") == ()


@pytest.mark.parametrize(
    ("written", "weight"),
    [
        (["<lora:x:0.7>"], 0.7),
        (["a", "<lyco:x:-1>"], -1.0),
        (["<lora:x>"], None),
        (["<lora:x:900>"], None),
        (["a"], None),
    ],
)
def test_a_lora_tag_tells_the_authors_weight(written: list[str], weight: float | None) -> None:
    claims = trigger_words.weight_claims(written, "trainedWords")
    assert [claim.value for claim in claims] == ([weight] if weight is not None else [])


@pytest.mark.parametrize(
    ("written", "words"),
    [
        (["RSGRPH"], ("RSGRPH",)),
        (["wablogo, logo, Minimalist"], ("wablogo", "logo", "Minimalist")),
        (["a, b", "c"], ("a", "b", "c")),
    ],
)
def test_an_instance_prompt_is_a_phrase_or_a_comma_list(written: list[str], words: tuple[str, ...]) -> None:
    assert _values(trigger_words.listed_claims(written, "card")) == [words]


def test_no_instance_prompt_is_no_claim() -> None:
    assert trigger_words.listed_claims([], "card") == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("You should use `vltg` to trigger the image generation.", ("vltg",)),
        ("You should use `one` to trigger it.\n\nYou should use `two` to trigger it.", ("one", "two")),
        ("You should use `a, b` as trigger words.", ("a", "b")),
        ("Use the trigger word `n0t_f4l` for both.", ("n0t_f4l",)),
        ('Flux lora, use the term "MNALSA" to trigger', ("MNALSA",)),
        ("| Trigger | `airy chibi style` |", ("airy chibi style",)),
        ("Trigger words: “vltg”", ("vltg",)),
        ('trigger_word = "Retro Pixel"', ("Retro Pixel",)),
        ("Fine-tuned on mods, use CYB77 keyword", ("CYB77",)),
        ("## Trigger words\n\n```\nink sprite, [your hero], game asset\n```\n", ("ink sprite", "game asset")),
    ],
)
def test_a_card_says_its_words_in_many_ways(text: str, words: tuple[str, ...]) -> None:
    assert _values(trigger_words.card_claims(text, "card"))[0] == words


@pytest.mark.parametrize(
    "text",
    [
        "",
        "No trigger word needed.",
        "Use `diffusers` to load it.",
        "## Trigger words\n\nNone.\n\n## Usage\n\n```\npip install x\n```\n",
        "It was triggered by a `bug`.",
    ],
)
def test_a_card_that_names_no_word_makes_no_claim(text: str) -> None:
    assert trigger_words.card_claims(text, "card") == ()


def test_a_claim_quotes_the_sentence_it_comes_from() -> None:
    claims = trigger_words.card_claims("Hello.\nYou should use `vltg` to trigger it.", "card")
    assert claims[0].where == "card: You should use `vltg`"


@pytest.mark.parametrize(
    ("prompts", "words"),
    [
        (["ink sprite, a cat", "a dog, ink sprite", "Ink Sprite, a fox"], [("ink sprite",)]),
        (["class1c a nun", "class1c a dog", "class1c a fox"], [("class1c",)]),
        (["masterpiece, a", "masterpiece, b", "masterpiece, c"], []),
        (["ink sprite, a", "ink sprite, b"], []),
        (["A cat", "A dog", "A fox"], []),
        ([], []),
    ],
)
def test_what_all_prompts_share_is_a_hint(prompts: list[str], words: list[tuple[str, ...]]) -> None:
    claims = trigger_words.shared_claims(prompts, "widget")
    assert _values(claims) == words
    assert all(claim.source == "example" for claim in claims)


@pytest.mark.parametrize(
    ("text", "scale"),
    [
        ("The recommended scale is `0.8` in diffusers.", 0.8),
        ("| Recommended LoRA scale | `1.0` to `1.25` |", 1.0),
        ("Best strength: 0.65", 0.65),
        ("recommended 512 pixels", None),
        ("The recommended scale is 8", None),
    ],
)
def test_a_card_says_the_weight(text: str, scale: float | None) -> None:
    assert [claim.value for claim in trigger_words.scale_claims(text, "card")] == ([scale] if scale else [])


@pytest.mark.parametrize(
    "text",
    [
        "<lora:" + "a" * 200_000,
        "<lora:" * 30_000,
        "trigger " * 25_000,
        "trigger" + " :*|" * 50_000,
        "`" * 200_000,
        "You should use `" * 12_000,
        "recommended " * 16_000,
        "# trigger words\n" * 12_000,
    ],
    ids=lambda text: text[:12],
)
def test_a_text_made_to_be_slow_is_read_in_no_time(text: str) -> None:
    start = time.monotonic()
    trigger_words.clean([text])
    trigger_words.weight_claims([text], "trainedWords")
    trigger_words.card_claims(text, "card")
    trigger_words.scale_claims(text, "card")
    assert time.monotonic() - start < 2
