from collections.abc import Iterable

import pytest

from connectors.claims import trigger_words
from connectors.claims.trigger_words import card_claims, prompt_claims, shared_claims
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
        (["<lyco:fz:0.8>,fzdef"], ("fzdef",)),
        (["FZDEF (optional)", "sakura (wars)", "kimono"], ("FZDEF", "sakura (wars)", "kimono")),
        (["fz, (red dress, hat:1.2), boots"], ("fz", "(red dress, hat:1.2)", "boots")),
        (["fz, ((bold)，(dark)，lines"], ("fz", "((bold)", "(dark)", "lines")),
        ([r"fz \(wars\), hat"], (r"fz \(wars\)", "hat")),
        (["fz, hat, negative prompt: bad hands, blur"], ("fz", "hat")),
        (["fz", "hat", "Negative prompt: bad hands", "nsfw", "big nose"], ("fz", "hat")),
        (["fz, hat", "negative prompt", "nsfw"], ("fz", "hat")),
        (["negative space", "hat"], ("negative space", "hat")),
        (["fz", "and 13-15yo", "18 years old", "20yo woman", "5 y/o"], ("fz", "woman")),
        (["fz 2yo dress", "90s", "1yen"], ("fz dress", "90s", "1yen")),
        (["Trigger word: fz"], ("fz",)),
        (['"fz"', "'hat'", "fox's"], ("fz", "hat", "fox's")),
        (["None"], ()),
        (["no trigger words needed"], ()),
        (["No trigger words are necessary"], ()),
        (["It needs no trigger words"], ()),
        (["Not required, but it helps"], ()),
        (["trigger happy", "key to the city"], ("trigger happy", "key to the city")),
        (["icon", "no humans"], ("icon", "no humans")),
        (["n/a", "-"], ()),
    ],
)
def test_an_authors_list_is_read_in_its_order(written: list[str], words: tuple[str, ...]) -> None:
    assert trigger_words.clean(written) == words


def test_a_whole_novel_has_an_end() -> None:
    assert len(trigger_words.clean([f"w{i}" for i in range(500)])) == 60


def test_no_words_is_no_claim() -> None:
    assert trigger_words.civitai_claims([], "trainedWords") == ()


@pytest.mark.parametrize(
    ("written", "words"),
    [
        (["RSGRPH"], ("RSGRPH",)),
        (["wablogo, logo, Minimalist"], ("wablogo", "logo", "Minimalist")),
        (["a, b", "c"], ("a", "b", "c")),
    ],
)
def test_an_instance_prompt_is_a_phrase_or_a_comma_list(written: list[str], words: tuple[str, ...]) -> None:
    assert _values(trigger_words.prompt_field_claims(written, "card")) == [words]


def test_no_instance_prompt_is_no_claim() -> None:
    assert trigger_words.prompt_field_claims([], "card") == ()


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
        ("Use flmft photo style to trigger the image generation.", ("flmft photo style",)),
        ("You should use\n`ngnl style` to trigger it.", ("ngnl style",)),
        ('Please use\n"ngnl style" in the prompt.', ("ngnl style",)),
        ("Trigger words: fz and 13-15yo", ("fz",)),
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
        "Use the LoRA above to trigger the image generation.",
        "Use weight 1.2 to trigger the effect.",
        "Don't use flmft to trigger the image generation.",
        "Trigger words: 13-15yo",
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


@pytest.mark.parametrize(
    ("prompts", "words"),
    [
        (["ink sprite, a cat", "a dog, ink sprite", "Ink Sprite, a fox"], [("ink sprite",)]),
        (["class1c a nun", "class1c a dog", "class1c a fox"], [("class1c",)]),
        (["class1c a nun", "class1c a dog", "class1c a fox", "a cow"], [("class1c",)]),
        (["in the style of SRF01", "a boat, SRF01", "SRF01 robots"], [("SRF01",)]),
        (["class1c a nun", "a dog", "class1c a fox", "a cow"], []),
        (["masterpiece, a", "masterpiece, b", "masterpiece, c"], []),
        (["ink sprite, a", "ink sprite, b"], []),
        (["A cat in 1990s", "A dog in 1990s", "A fox in 1990s"], []),
        ([], []),
    ],
)
def test_what_all_prompts_share_is_a_hint(prompts: list[str], words: list[tuple[str, ...]]) -> None:
    claims = shared_claims(prompts, "widget")
    assert [claim.value for claim in claims] == words
    assert all(claim.source == "example" for claim in claims)


@pytest.mark.parametrize(
    ("prompt", "name", "description", "words"),
    [
        ("a koi in the style of TOK", "nihon", "", ("TOK",)),
        ("tok a mural of a fox", "murals", "", ("tok",)),
        ("a pier, FGHRBR, at dawn", "fog-harbour", 'use "FGHRBR"', ("FGHRBR",)),
        ("In the style of CYB77, a street", "cyberpunk", "", ("CYB77",)),
        ("In the style of SWR. A USA map", "willie", "", ("SWR",)),
        ("a face, including Yanisse face", "yanisse", "", ("Yanisse",)),
        ("a wall, nazare-4 wall", "nazare-4", "", ("nazare-4",)),
        ("SHOP a realistic picture", "store", "", ("SHOP",)),
        ("a RAW photo", "x", "", ()),
        ('a sign that says "OPEN"', "x", "", ()),
        ("a white semi truck", "semi", "", ()),
        ("an 8K photo of NASA, USA", "space", "", ()),
        ("a cartoon man", "flux-cartoon", "", ()),
        ("a photo of a man, IMG_1025.CR2", "x", "", ()),
        ("IMG_1025 a street in rain", "x", "", ()),
        ("DSC02231, a candid photo", "x", "", ()),
        ("portrait, Nikon D850, 85mm", "x", "", ()),
        ("a Fujifilm GFX100 picture", "x", "", ()),
        ("shot on Canon EOS R5, a woman", "x", "", ()),
        ("a dog, ISO 400, f/2.8", "x", "", ()),
        ("MATSNL65 speaking, shot on a Hasselblad X2D", "x", "", ("MATSNL65",)),
        ("taken with a Leica M11, TOK man", "x", "", ("TOK",)),
    ],
)
def test_a_prompt_is_a_hint_only_where_it_is_striking(
    prompt: str, name: str, description: str, words: tuple[str, ...]
) -> None:
    claims = prompt_claims(prompt, name, description, "prompt")
    assert tuple(word for claim in claims for word in claim.value) == words  # type: ignore[union-attr]


@pytest.mark.timeout(30)
def test_a_prompt_made_to_be_slow_does_not_hang() -> None:
    shared_claims(["a1b2 " * 40_000] * 3, "widget")
    prompt_claims("in the style of " * 12_000, "x", "", "prompt")
