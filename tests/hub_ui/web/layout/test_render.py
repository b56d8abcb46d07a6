import re
from pathlib import Path

import pytest

from hub_ui.web.layout.render import TERMS, WORDS
from tests.docs.pages import ROOT
from tests.tools.tables.__main__ import glossary

TABLES = ("claimed", "licence", "used", "setting")
TEMPLATES = ROOT / "hub_ui" / "web"


def test_the_docs_page_says_what_the_app_says_in_the_order_of_the_alphabet_and_explains_each_row_of_the_panel() -> None:
    assert (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8").partition("\n## ")[2] == glossary()[3:]
    titles = [term["title"] for term in TERMS.values()]
    assert titles == sorted(titles, key=str.casefold)
    assert list(TERMS) == [title.casefold().replace(" ", "-") for title in titles]
    assert {term for table in TABLES for _name, term in WORDS[table].values()} - {""} <= set(TERMS)


@pytest.mark.parametrize("name", TERMS)
def test_a_meaning_is_one_or_two_sentences(name: str) -> None:
    assert 1 <= len(re.findall(r"\.(?: [A-Z]|$)", TERMS[name]["text"])) <= 2
    assert len(TERMS[name]["text"]) < 200


@pytest.mark.parametrize("path", sorted(TEMPLATES.rglob("*.html")), ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_each_term_of_a_template_is_in_the_glossary(path: Path) -> None:
    assert set(re.findall(r"\bterm\('([\w-]+)'", path.read_text(encoding="utf-8"))) <= set(TERMS)
