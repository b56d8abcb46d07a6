"""After a change of texts: `make words`, then translate what it lists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hub_ui.i18n import LANGUAGES
from tests.tools.words.catalogues import FOLDER, TEMPLATE, find_faults, read_sources, write

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
