"""After a change of texts: `make words`, then translate what it lists."""

import re
from pathlib import Path

import pytest

from hub_ui.base.i18n import LANGUAGES
from hub_ui.locales import choose_language, get_language, read_choice, read_language
from tests.tools.words.catalogues import FOLDER, TEMPLATE, find_faults, read_sources, write


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
def test_the_language_is_the_chosen_one_or_the_browsers_first(chosen: str, accepted: str, code: str) -> None:
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


OTHERS = [code for code in LANGUAGES if code != "en"]


@pytest.mark.parametrize("code", OTHERS)
def test_every_text_is_translated_with_its_placeholders_and_none_is_left_over(code: str) -> None:
    assert list(find_faults(code, read_sources())) == []


def test_the_template_is_that_of_the_sources() -> None:
    assert TEMPLATE.read_bytes() == write(read_sources()), "make words"


TEMPLATES = sorted((FOLDER.parent / "web").rglob("*.html"))
_CODE = re.compile(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}|<style>.*?</style>", re.DOTALL)
_SPOKEN = re.compile(r'(?:title|aria-label|placeholder|alt)="([^"]*)"')
# Names that are the same everywhere, and examples of a ref and of a trigger word.
SAME = (
    "", "hub", "ui", "hub-ui", "· hub-ui", "docs/", "&nbsp;", "SHA-256", ", sha256", "Hugging Face",
    "civitai:123@456", "CYBRPNK",
)  # fmt: skip


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_no_template_has_words_of_its_own(path: Path) -> None:
    text = _CODE.sub("\0", path.read_text(encoding="utf-8"))
    found = [*_SPOKEN.findall(text), *re.sub(r"<[^>]*>", "\0", text).split("\0")]
    words = [word.strip() for word in found if re.search("[A-Za-z]{2}", word) and "=" not in word]
    assert [word for word in words if word not in SAME] == []
