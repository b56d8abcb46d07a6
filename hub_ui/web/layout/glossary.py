"""The words of the page that not everybody knows. `docs/glossary.md` is printed from the same table."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill

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


def read_terms() -> Mapping[str, Term]:
    """By the anchor of its heading."""
    texts = tomllib.loads(Path(__file__).with_name("terms.toml").read_text(encoding="utf-8"))
    more = texts.pop("more")
    return {
        title.casefold().replace(" ", "-"): Term(title=title, text=text, more=more.get(title, ""))
        for title, text in texts.items()
    }


TERMS = read_terms()


def docs_page() -> str:
    """`docs/glossary.md`."""
    texts = ((term.title, f"{term.text} {term.more}") for term in TERMS.values())
    return DOCS_INTRO + "".join(f"\n## {title}\n\n{fill(text, 120, break_on_hyphens=False)}\n" for title, text in texts)


if __name__ == "__main__":
    print(docs_page(), end="")
