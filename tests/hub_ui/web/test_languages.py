"""The pages in Chinese and Japanese, as browsers ask for them: nothing that has a translation is left in English."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from bs4.element import NavigableString, Tag
from starlette.testclient import TestClient

from hub_ui.app.services import Services
from hub_ui.base.i18n import LANGUAGES
from tests.hub_ui.web.conftest import open_client, read, with_settings
from tests.tools.words.catalogues import placeholders, read_catalogue, strings

OTHERS = [code for code in LANGUAGES if code != "en"]
# The words of hubs and files, and those of programs.
FOREIGN = "[dir=auto], code, kbd, .chip.base, script, style, title, option, [aria-hidden=true]"
PAGES = ("", "?open=civitai:2", "settings", "train", "glossary", "about")


@cache
def english(code: str) -> frozenset[str]:
    """Whole texts that have another form in the language."""
    found = set()
    for message in read_catalogue(code):
        for text in map(str, message.id if isinstance(message.id, tuple) else (message.id,)):
            if len(text) > 2 and not placeholders(text) and text not in strings(message) and any(strings(message)):
                found.add(text)
    return frozenset(found)


def texts(page: BeautifulSoup) -> Iterator[str]:
    """What a person reads, or hears read."""
    foreign = {id(tag) for part in page.select(FOREIGN) for tag in (part, *part.find_all(True))}
    for tag in page.select("body, body *"):
        if id(tag) in foreign:
            continue
        yield from (str(tag[name]).strip() for name in ("aria-label", "placeholder", "title") if tag.get(name))
        yield from (str(text).strip() for text in tag.children if isinstance(text, NavigableString))


def leftovers(page: BeautifulSoup, code: str) -> list[str]:
    return sorted(english(code).intersection(texts(page)))


@pytest.mark.parametrize("code", OTHERS)
@pytest.mark.parametrize("address", PAGES)
def test_nothing_that_has_a_translation_is_left_in_english(site: TestClient, address: str, code: str) -> None:
    site.get("/ask")
    page = read(site.get(f"/{address}", headers={"Accept-Language": code}).text)
    assert isinstance(page.html, Tag)
    assert page.html["lang"] == code
    assert leftovers(page, code) == []


@pytest.mark.parametrize("code", OTHERS)
def test_nor_is_what_only_a_hosted_page_has(built: Services, tmp_path: Path, code: str) -> None:
    with open_client(with_settings(built, hosted=True), tmp_path) as client:
        for address in ("settings", "train", "library"):
            assert leftovers(read(client.get(f"/{address}", headers={"Accept-Language": code}).text), code) == []
