from __future__ import annotations

import pytest

from hub_ui.locales import choose_language, get_language, read_choice, read_language


@pytest.mark.parametrize(
    ("chosen", "accepted", "code"),
    [
        ("", "", "en"),
        ("ja", "zh-CN", "ja"),
        ("xx", "zh-CN,zh;q=0.9,en;q=0.8", "zh-CN"),
        ("", "zh-TW", "zh-CN"),
        ("", "fr-FR, de;q=0.9, ja;q=0.5, en;q=0.4", "ja"),
        ("", "ja;q=0.1, en-GB", "en"),
        ("", "ja;q=0, fr", "en"),
        ("", "ja;q=x, *, ;;q=,", "en"),
        ("", "ja," * 100_000, "ja"),
    ],
)
def test_the_language_is_the_chosen_one_or_the_first_that_the_browser_accepts(
    chosen: str, accepted: str, code: str
) -> None:
    assert choose_language(chosen, accepted) == code


@pytest.mark.parametrize(("code", "unit"), [("zh-CN", "亿"), ("ja", "億")])
def test_large_numbers_are_counted_in_ten_thousands(code: str, unit: str) -> None:
    numbers = [get_language(code).compact(n) for n in (0, 9_999, 12_400, 123_456_789)]
    assert numbers == ["0", "9999", "1.2万", f"1.2{unit}"]


def test_numbers_have_separators() -> None:
    assert [get_language("ja").number(1_234_567), get_language("ja").number(1234.56, 1)] == ["1,234,567", "1,234.6"]


def test_a_cookie_that_names_no_language_is_nothing() -> None:
    headers = {"cookie": "hub-ui-language=<script>; a=b", "accept-language": "ja"}
    assert (read_choice(headers), read_language(headers).code) == ("", "ja")


def test_what_was_chosen_goes_before_what_the_browser_accepts() -> None:
    headers = {"cookie": "a=b; hub-ui-language=zh-CN", "accept-language": "ja"}
    assert (read_choice(headers), read_language(headers).code) == ("zh-CN", "zh-CN")
