"""Numbers, sizes and times in the words of the page."""

from __future__ import annotations

import unicodedata

from connectors.registry import HUBS, origin_label
from hub_ui.format import ago as ago
from hub_ui.format import count as count
from hub_ui.format import duration as duration
from hub_ui.format import plural as plural
from hub_ui.format import size as size

KIND_PLURALS: dict[str, str] = {
    "character": "characters",
    "style": "styles",
    "concept": "concepts",
    "control": "controls",
    "tool": "tools",
}
SOURCE_WORDS: dict[str, str] = {
    "header": "the file itself",
    "card": "model card",
    "tag": "a tag",
    "size": "estimated",
    "example": "an example",
}
ACCESS_FLAGS: dict[str, str] = {
    "login": "needs a key",
    "gated": "gated",
    "paid": "early access",
    "generation-only": "hub only",
    "archived": "archived",
    "removed": "removed",
}
LONGEST_TITLE = 300


def at_least(number: int, *, more: bool) -> str:
    """How many are there, a plus behind it while there may be more; empty for "0+", which says nothing."""
    if not more:
        return f"{number:,}"
    return f"{number:,}+" if number else ""


def source(name: str, hub: str) -> str:
    """Who says so: a hub by its name, and its text by what the hub calls it: a model card or a description."""
    if name == "hub":
        return origin_label(hub)
    return HUBS[hub].description if name == "card" and hub in HUBS else SOURCE_WORDS[name]


def visible(text: str | None) -> str:
    """Hub text without control characters and direction overrides, which could dress one name up as another."""
    return "".join(c for c in text or "" if unicodedata.category(c) not in ("Cc", "Cf") or c in "\u200d\ufe0f").strip()


def title(text: str | None) -> str:
    """Hub text as a heading: some names are books, and browsers take seconds to break a word of that length."""
    shown = visible(text)
    return shown if len(shown) <= LONGEST_TITLE else f"{shown[:LONGEST_TITLE]}…"


def join(*parts: str) -> str:
    """Those that are not empty, with a middle dot between them."""
    return " · ".join(part for part in parts if part)


def sentences(*parts: str) -> str:
    """Those that are not empty, as one text."""
    return " ".join(part for part in parts if part)
