from __future__ import annotations

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
        (["<lyco:fz:0.8>,fzdef"], ("fzdef",)),
        (["FZDEF (optional)", "sakura (wars)", "kimono"], ("FZDEF", "sakura (wars)", "kimono")),
        (["fz, (red dress, hat:1.2), boots"], ("fz", "(red dress, hat:1.2)", "boots")),
        (["fz, ((bold)，(dark)，lines"], ("fz", "((bold)", "(dark)", "lines")),
        ([r"fz \(wars\), hat"], (r"fz \(wars\)", "hat")),
        (["fz, hat, negative prompt: bad hands, blur"], ("fz", "hat")),
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
    assert _values(trigger_words.listed_claims(written, "card")) == [words]


def test_no_instance_prompt_is_no_claim() -> None:
    assert trigger_words.listed_claims([], "card") == ()
