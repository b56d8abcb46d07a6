from __future__ import annotations

import pytest

from connectors.facts.prompt_hints import prompt_claims, shared_claims


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
