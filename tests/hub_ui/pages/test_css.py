"""The style sheets as Gradio hands them on: it puts its own prefix before each selector, and splits them at commas."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hub_ui.app import STYLES

_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_SELECTORS = re.compile(r"([^{}]+)\{")


@pytest.mark.parametrize("path", STYLES, ids=lambda path: path.name)
def test_no_selector_breaks_when_it_is_split_at_its_commas(path: Path) -> None:
    sheet = _COMMENT.sub("", path.read_text(encoding="utf-8"))
    groups = [text for text in map(str.strip, _SELECTORS.findall(sheet)) if not text.startswith("@")]
    parts = [part for group in groups for part in group.split(",")]
    assert len(parts) > 100
    assert [part for part in parts if part.count("(") != part.count(")") or part.count("[") != part.count("]")] == []
