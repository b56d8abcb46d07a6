"""Tables of the page's words, and the meaning of those that not everybody knows."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hub_ui.i18n import _


@dataclass(frozen=True, kw_only=True)
class Term:
    title: str
    text: str
    more: str = ""


def read(name: str) -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_name(f"{name}.toml").read_text(encoding="utf-8"))


def read_terms() -> Mapping[str, Term]:
    """By the anchor of its heading."""
    texts = read("terms")
    more = texts.pop("more")
    return {
        title.casefold().replace(" ", "-"): Term(title=title, text=text, more=more.get(title, ""))
        for title, text in texts.items()
    }


TERMS = read_terms()
WORDS: Mapping[str, Mapping[str, Any]] = read("words")


def word(table: str, key: str) -> str:
    """Empty where the table has none."""
    return _(WORDS[table].get(key, ""))
