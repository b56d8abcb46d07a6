"""Tables of the page's words. `docs/glossary.md` is printed from the one of those that not everybody knows."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill
from typing import Any

from hub_ui.i18n import _

DOCS_INTRO = """[Documentation](index.md)

# Glossary

The words of the page and of the other pages here, in alphabetical order. In the app a word with a dotted line under it
says its meaning when you point at it, tap it, or reach it by keyboard. This page is printed by
`python -m hub_ui.web.layout.glossary` from the same table.
"""


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


def docs_page() -> str:
    """`docs/glossary.md`."""
    texts = ((term.title, f"{term.text} {term.more}") for term in TERMS.values())
    return DOCS_INTRO + "".join(f"\n## {title}\n\n{fill(text, 120, break_on_hyphens=False)}\n" for title, text in texts)


if __name__ == "__main__":
    print(docs_page(), end="")
