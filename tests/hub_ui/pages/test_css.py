"""The style sheets as Gradio hands them on: it puts its own prefix before each selector, and splits them at commas."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hub_ui.app import STYLES

_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_SELECTORS = re.compile(r"([^{}]+)\{")
_KEYFRAMES = re.compile(r"@keyframes [\w-]+ \{((?:[^{}]*\{[^{}]*\})*)")
_PROPERTY = re.compile(r"[{;]\s*([\w-]+):")


@pytest.mark.parametrize("path", STYLES, ids=lambda path: path.name)
def test_no_selector_breaks_when_it_is_split_at_its_commas(path: Path) -> None:
    sheet = _COMMENT.sub("", path.read_text(encoding="utf-8"))
    groups = [text for text in map(str.strip, _SELECTORS.findall(sheet)) if not text.startswith("@")]
    parts = [part for group in groups for part in group.split(",")]
    assert len(parts) > 100
    assert [part for part in parts if part.count("(") != part.count(")") or part.count("[") != part.count("]")] == []


def test_an_animation_moves_nothing_else() -> None:
    """Other properties than these lay the page out again: each frame of an animated margin is a layout shift."""
    frames = [text for path in STYLES for text in _KEYFRAMES.findall(path.read_text(encoding="utf-8"))]
    assert len(frames) >= 2
    # What is the same from beginning to end is set once, and changes in no frame.
    changing = [text for text in frames if "from, to" not in text]
    assert {name for text in changing for name in _PROPERTY.findall(text)} == {"opacity", "transform"}
