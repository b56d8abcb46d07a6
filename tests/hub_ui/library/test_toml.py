from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub_ui.library.toml import key_text, pair, value_text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (1, "1"),
        (0.5, "0.5"),
        (2**63, "0x8000000000000000"),
        ("a\x7f\n", '"a\\u007f\\n"'),
        (["a", 1], '["a", 1]'),
        ({}, "{}"),
        ({"b": 1, "a": {"c": 2}}, "{ a = { c = 2 }, b = 1 }"),
    ],
)
def test_a_value_has_one_form(value: Any, text: str) -> None:
    assert value_text(value) == text


@pytest.mark.parametrize(("key", "text"), [("a-b_1", "a-b_1"), ("", '""'), ("a b", '"a b"'), ("ü", '"ü"')])
def test_a_key_is_quoted_where_it_must_be(key: str, text: str) -> None:
    assert key_text(key) == text


@given(st.text(st.characters(codec="utf-8")), st.text(st.characters(codec="utf-8")))
def test_any_text_is_a_key_and_a_value(key: str, value: str) -> None:
    assert tomllib.loads(pair(key, value)) == {key: value}


def test_what_toml_has_no_value_for_is_refused() -> None:
    with pytest.raises(TypeError, match="NoneType"):
        value_text([None])


def test_a_number_of_any_length_is_written() -> None:
    number = tomllib.loads("a = 0x1" + "0" * 5000)
    assert tomllib.loads(pair("a", number["a"])) == number
