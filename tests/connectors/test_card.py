from __future__ import annotations

import pytest

from connectors import card


def test_a_card_is_front_matter_and_text() -> None:
    front, body = card.split("---\nlicense: mit\n---\n# Title\n")
    assert (dict(front), body) == ({"license": "mit"}, "# Title\n")


def test_rules_further_down_are_part_of_the_text() -> None:
    front, body = card.split("---\na: 1\n---\nText\n---\nb: 2\n---\n")
    assert (dict(front), body) == ({"a": 1}, "Text\n---\nb: 2\n---\n")


@pytest.mark.parametrize("start", ["", "\n", "\ufeff", "\r\n"])
def test_what_stands_before_the_first_rule_may_be_blank(start: str) -> None:
    assert dict(card.split(f"{start}---\na: 1\n---\n")[0]) == {"a": 1}


def test_windows_line_ends_are_fine() -> None:
    assert card.split("---\r\na: 1\r\n---\r\nText") == ({"a": 1}, "Text")


@pytest.mark.parametrize("text", ["", "# Title\n", "---\n", "---\na: 1\n", "Text\n---\na: 1\n---\n"])
def test_a_card_without_front_matter_is_all_text(text: str) -> None:
    assert card.split(text) == ({}, text)


@pytest.mark.parametrize(
    "front", ["a: [", "- just\n- a list", "text", "a: 2024-13-45", "a: !!python/object:os.system x", "[" * 5000]
)
def test_broken_or_hostile_front_matter_is_none(front: str) -> None:
    assert card.split(f"---\n{front}\n---\nText") == ({}, "Text")


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("<p>One</p><p>Two<br/>Three</p>", "\nOne\n\nTwo\nThree\n"),
        ("<h2 class='x'>Title</h2>", "\n# Title\n"),
        ("<strong>Trigger:</strong> <code>fxx</code>", "Trigger: `fxx`"),
        ("use <s0><s1> and <lora:x:1>", "use <s0><s1> and <lora:x:1>"),
        ("a < b > c", "a < b > c"),
        ("One\r\nTwo", "One\nTwo"),
    ],
)
def test_html_becomes_lines_for_reading(text: str, plain: str) -> None:
    assert card.lines(text) == plain
