from __future__ import annotations

import pytest

from connectors.suggestion import suggestion


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("serach", " Did you mean “search”?"),
        ("PUL", " Did you mean “pull”?"),
        ("sho", " Did you mean “show”?"),
        ("nothing-like-it", ""),
        ("", ""),
    ],
)
def test_a_near_name_is_suggested(word: str, sentence: str) -> None:
    assert suggestion(word, ["search", "show", "pull", "sync"]) == sentence


def test_several_near_names_are_one_sentence() -> None:
    assert suggestion("sdxxl", ["sdxl", "SDXL-L", "wan"]) == " Did you mean “sdxl” or “SDXL-L”?"
