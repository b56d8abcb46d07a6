from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub_ui.generate.prompt_weights import (
    PromptPart,
    escape_prompt,
    has_emphasis,
    parse_prompt,
    prompt_chunks,
    without_weights,
)


# The first six are the examples in A1111's own documentation of its parser.
@pytest.mark.parametrize(
    ("prompt", "parts"),
    [
        ("normal text", [("normal text", 1.0)]),
        ("an (important) word", [("an ", 1.0), ("important", 1.1), (" word", 1.0)]),
        ("(unbalanced", [("unbalanced", 1.1)]),
        (r"\(literal\]", [("(literal]", 1.0)]),
        ("(unnecessary)(parens)", [("unnecessaryparens", 1.1)]),
        (
            "a (((house:1.3)) [on] a (hill:0.5), sun, (((sky))).",
            [
                ("a ", 1.0), ("house", 1.573), (" ", 1.1), ("on", 1.0), (" a ", 1.1), ("hill", 0.55),
                (", sun, ", 1.1), ("sky", 1.4641), (".", 1.1),
            ],
        ),
        ("", []),
        ("[cat]", [("cat", 0.90909)]),
        ("((cat))", [("cat", 1.21)]),
        ("(cat: 1.2 )", [("cat", 1.2)]),
        ("(cat:.5)", [("cat", 0.5)]),
        ("(cat:-1)", [("cat", -1.0)]),
        ("(a: b)", [("a: b", 1.1)]),
        ("(cat:1.2.3)", [("cat:1.2.3", 1.1)]),
        ("cat) dog", [("cat) dog", 1.0)]),
        ("cat:1.2) dog", [("cat:1.2) dog", 1.0)]),
        ("[cat) dog]", [("cat) dog", 0.90909)]),
        (r"ganyu \(genshin impact\)", [("ganyu (genshin impact)", 1.0)]),
        (r"(1990s \(style\):1.2)", [("1990s (style)", 1.2)]),
    ],
)  # fmt: skip
def test_brackets_are_read_as_a1111_reads_them(prompt: str, parts: Sequence[tuple[str, float]]) -> None:
    read = parse_prompt(prompt)
    assert [part.text for part in read] == [text for text, _ in parts]
    assert [part.weight for part in read] == pytest.approx([weight for _, weight in parts], abs=1e-4)


def test_break_starts_a_chunk() -> None:
    assert parse_prompt("a cat BREAK a (dog BREAK owl:2)") == (
        PromptPart(text="a cat"),
        PromptPart(text="a ", starts_chunk=True),
        PromptPart(text="dog", weight=2.0),
        PromptPart(text="owl", weight=2.0, starts_chunk=True),
    )


@given(st.text(max_size=40))
def test_an_escaped_text_is_read_as_itself(text: str) -> None:
    read = parse_prompt(escape_prompt(text.replace("BREAK", "")))
    assert "".join(part.text for part in read) == text.replace("BREAK", "")
    assert {part.weight for part in read} <= {1.0}


@given(st.text(st.sampled_from("ab ,()[]\\:1.2"), max_size=40))
def test_any_prompt_is_read(prompt: str) -> None:
    read = parse_prompt(prompt)
    assert all(part.text for part in read)
    assert all(one.weight != other.weight for one, other in pairwise(read))


@pytest.mark.parametrize(
    ("prompt", "has"),
    [("a cat, at home", False), ("", False), ("a (cat)", True), (r"\(", True), ("a BREAK b", True), ("[a", True)],
)
def test_a_prompt_without_marks_has_no_emphasis(prompt: str, has: bool) -> None:
    assert has_emphasis(prompt) == has


@pytest.mark.parametrize(
    ("prompt", "plain"),
    [
        ("a (red:1.2) sign (at noon)", "a red sign (at noon)"),
        ("((a:1.2) cat:0.5)", "a cat"),
        (r"\(a:1.2)", r"\(a:1.2)"),
        ("at 10:30", "at 10:30"),
        ("[from:to:0.5]", "[from:to:0.5]"),
    ],
)
def test_other_models_get_the_words_without_their_weights(prompt: str, plain: str) -> None:
    assert without_weights(prompt) == plain


def words(prompt: str, size: int) -> list[str]:
    """The chunks, with one token for each word or comma."""
    known: list[str] = [","]

    def tokenize(text: str) -> list[int]:
        for word in text.replace(",", " , ").split():
            known.extend([word] if word not in known else [])
        return [known.index(word) for word in text.replace(",", " , ").split()]

    return [" ".join(known[token] for token, _ in chunk) for chunk in prompt_chunks(prompt, tokenize, 0, size)]


@pytest.mark.parametrize(
    ("prompt", "chunks"),
    [
        ("", [""]),
        ("a b c", ["a b c"]),
        ("a b c d e f g", ["a b c d", "e f g"]),
        ("a b , c d e f", ["a b ,", "c d e f"]),
        ("a b c d , e", ["a b c d", ", e"]),
        ("a BREAK b", ["a", "b"]),
        ("BREAK a BREAK", ["", "a"]),
    ],
)
def test_a_long_prompt_is_cut_at_a_comma_that_is_near(prompt: str, chunks: list[str]) -> None:
    assert words(prompt, 4) == chunks


def test_a_comma_that_is_further_away_cuts_nothing() -> None:
    first, second = words("a, " + "b " * 40, 30)
    assert (first, second) == ("a ," + " b" * 28, " ".join("b" * 12))
