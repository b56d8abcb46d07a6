from __future__ import annotations

import pytest

from connectors.facts.card_words import card_claims


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("You should use `vltg` to trigger the image generation.", ("vltg",)),
        ("You should use `one` to trigger it.\n\nYou should use `two` to trigger it.", ("one", "two")),
        ("You should use `a, b` as trigger words.", ("a", "b")),
        ("You should use `it&#39;s` to trigger the image generation.", ("it's",)),
        ("Use the trigger word `n0t_f4l` for both.", ("n0t_f4l",)),
        ("Use the trigger words `aa`, `bb` and `cc`.", ("aa", "bb", "cc")),
        ('Flux lora, use the term "MNALSA" to trigger', ("MNALSA",)),
        ("Add `zed` at the end of your prompt.", ("zed",)),
        ('trigger_word = "Retro Pixel"', ("Retro Pixel",)),
        ("Fine-tuned on mods, use CYB77 keyword", ("CYB77",)),
        ("Use TOK to trigger it.", ("TOK",)),
        ("The trigger word is VLTG.", ("VLTG",)),
        ('Interior design fine-tune. Use "vltg interior"', ("vltg interior",)),
        ('Please use "vltg robot" in your prompts.', ("vltg robot",)),
        ("It won't work without the trigger word `vltg`.", ("vltg",)),
        ("Instead of the old trigger word `vltg`, use the trigger word `n0t`.", ("n0t",)),
        ("You should use `a photo of [name], ink sprite, masterpiece` to trigger it.", ("ink sprite",)),
        ("An SDXL fine-tune. Trigger word: vltg", ("vltg",)),
        ("You should use a photo of sks dog to trigger the image generation.", ("a photo of sks dog",)),
    ],
)
def test_a_sentence_names_the_words(text: str, words: tuple[str, ...]) -> None:
    assert card_claims(text, "card")[0].value == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("| Trigger | `airy chibi style` |", ("airy chibi style",)),
        ("| Trigger word | INFL8 |", ("INFL8",)),
        ("Trigger words: “vltg”", ("vltg",)),
        ("**Trigger words:** foo, bar baz", ("foo", "bar baz")),
        ("Made by me.\nTrigger word: vltg\npreferred weight: 0.65", ("vltg",)),
        ("- Activation token: `vltg`", ("vltg",)),
        ("> 🔑 Trigger Word: `vltg`", ("vltg",)),
        ("Keyword: zeta\nKeyword: kimono, zeta", ("zeta", "kimono")),
        ("Trigger word:\n\nvltg, hat\n\nThanks.", ("vltg", "hat")),
        ("触发词：红色，白色", ("红色", "白色")),
        ("The tag for the model: Pixel Art, PxlK", ("Pixel Art", "PxlK")),
        ("**Trained words**: 90s look", ("90s look",)),
        ("Trigger word: vltg (always first). Works best at 0.8", ("vltg",)),
    ],
)
def test_a_line_names_the_words(text: str, words: tuple[str, ...]) -> None:
    assert card_claims(text, "card")[0].value == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("## Trigger words\n\n```\nink sprite, [your hero], game asset\n```\n", ("ink sprite", "game asset")),
        ("## Trigger Words\n\n- sks dog\n- ohwx\n\n## Usage\n\n- other\n", ("sks dog", "ohwx")),
        ("### 🔑 Trigger word\n\n`foo` and `bar`, strength `0.8`.", ("foo", "bar")),
        ("# Trigger\n\nvltg\n", ("vltg",)),
    ],
)
def test_a_section_names_the_words(text: str, words: tuple[str, ...]) -> None:
    assert card_claims(text, "card")[0].value == words


@pytest.mark.parametrize(
    "text",
    [
        "",
        "No trigger word needed.",
        "No trigger words are necessary.",
        "There are no trigger words required.",
        "This model doesn't require a trigger keyword.",
        "The trigger words are unnecessary.",
        "The trigger word is included in every caption.",
        "Trigger word is case sensitive",
        "Trigger words: doesn't need any",
        "Trigger words: No trigger words are needed for this one",
        "Keyword: not strictly needed",
        "## Trigger words\n\nYou don't need any trigger words.",
        "Do not use the trigger word `vltg`",
        'Sampler: use "Euler a".',
        "Trigger word: none",
        "Trigger words: not needed",
        "The trigger word is optional.",
        "## Trigger words\nNo trigger words defined.",
        "Trigger: add it to the end of your prompt",
        "Trigger words: see the table below",
        "Use `diffusers` to load it.",
        "## Trigger words\n\nNone.\n\n## Usage\n\n```\npip install x\n```\n",
        "## Trigger words\n\nThere is no trigger word.\n",
        "| Trigger | Weight |\n|---|---|\n",
        "It was triggered by a `bug`.",
        'It helps to add "chibi" to your prompt.',
    ],
)
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
        "use `a b c d " * 15_000,
        "# trigger words\n" * 12_000,
    ],
    ids=lambda text: text[:12],
)
def test_a_text_made_to_be_slow_does_not_hang(text: str) -> None:
    card_claims(text, "card")
