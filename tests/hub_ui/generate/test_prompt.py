from __future__ import annotations

from pathlib import Path

import pytest

from hub_ui.generate.comparison import prompt_as_used
from hub_ui.generate.prompt import add_words, remove_words, trigger_words
from hub_ui.generate.request import GenerationRequest, LoraInput


@pytest.mark.parametrize(
    ("prompt", "words", "used"),
    [
        ("a cat", ["sks style"], "sks style, a cat"),
        ("a cat, SKS  Style", ["sks style"], "a cat, SKS  Style"),
        ("drinking a cup", ["ink"], "ink, drinking a cup"),
        ("a cat", ["b", "a", "b"], "b, a cat"),
        ("x", ["b", "a"], "b, a, x"),
        ("x", ["ink drawing", "ink"], "ink drawing, x"),
        ("", ["b"], "b"),
        ("  ", [], ""),
        ("a cat", [" , ", ""], "a cat"),
        ("a (TOK:1.2)", ["TOK"], "a (TOK:1.2)"),
        ("x", ["c++ (style)"], "c++ (style), x"),
        ("絵 の 猫", ["猫"], "絵 の 猫"),
    ],
)
def test_each_word_is_there_exactly_once(prompt: str, words: list[str], used: str) -> None:
    assert add_words(prompt, words) == used


def test_words_of_all_loras_go_in_unless_the_person_says_no() -> None:
    adapters = tuple(
        LoraInput(ref=None, path=Path("x"), title="x", trigger_words=words)  # type: ignore[arg-type]
        for words in (("one",), ("two",))
    )
    assert prompt_as_used(GenerationRequest(adapters=adapters, prompt="a cat")) == "one, two, a cat"
    assert prompt_as_used(GenerationRequest(adapters=adapters, prompt="a cat", use_trigger_words=False)) == "a cat"


@pytest.mark.parametrize(
    ("prompt", "words", "left"),
    [
        ("sks style, a cat", ["sks style"], "a cat"),
        ("a cat, SKS  Style", ["sks style"], "a cat"),
        ("a sks cat", ["sks"], "a cat"),
        ("drinking a cup", ["ink"], "drinking a cup"),
        ("ink drawing, a cat", ["ink", "ink drawing"], "a cat"),
        ("a cat", [], "a cat"),
    ],
)
def test_words_are_taken_out_again(prompt: str, words: list[str], left: str) -> None:
    assert remove_words(prompt, words) == left


def test_each_word_of_all_loras_counts_once() -> None:
    adapters = [LoraInput(ref=None, path=Path("x"), title="x", trigger_words=words) for words in (("a", " b,"), ("a",))]  # type: ignore[arg-type]
    assert trigger_words(adapters) == ("a", "b")
