"""People who use one page at once: each sees what is their own, and nobody's search waits for another's images."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests

from connectors.ref import Ref
from hub_ui.demo.hubs.folder import SAMPLES
from tests.hub_ui.web.conftest import PART
from tests.hub_ui.web.raw import served
from tests.people.browser import Browser
from tests.people.two_visitors import each_once, play

# Of the demo's own LoRAs: one for each person.
WORDS = ("hat", "neon", "outline", "zog", "snowfall", "slider", "left", "sks", "night")
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


def find(url: str, word: str) -> tuple[str, list[str]]:
    """What is asked, and the titles of the cards that a new person gets for a word."""
    browser = Browser(url)
    browser.go()
    browser.submit("form#view", values={"q": f"base:tiny-shapes {word}"})
    titles = [card.get_text(" ", strip=True).lower() for card in browser.all(".hit")]
    asked = str(browser.one("#q")["value"])
    browser.close()
    return asked, titles


def test_nine_searches_are_answered_while_the_tenth_persons_images_are_made(tmp_path: Path) -> None:
    with served(tmp_path, data=SAMPLES) as page:
        page.services.downloads.pull(Ref.parse(REF))
        begun = page.post("try", data=FORM, allow_redirects=False).headers["location"]
        job = begun.partition("job=")[2].partition("&")[0]
        with ThreadPoolExecutor(len(WORDS)) as people:
            found = list(people.map(lambda word: find(page.url, word), WORDS))
        assert [asked for asked, _titles in found] == [*WORDS]
        assert [word for word, (_asked, titles) in zip(WORDS, found, strict=True) if not titles] == []
        assert "<progress" in next(page.stream(f"jobs/{job}"))
        stopped = requests.post(f"{page.url}jobs/{job}/stop?view=try", headers=PART, timeout=60).text
        assert ("Stopped. Nothing was changed." in stopped, "<progress" in stopped) == (True, False)


def test_nothing_of_one_visitor_reaches_the_other_a_log_or_a_file(tmp_path: Path) -> None:
    """Two people use every feature of a hosted page; `python -m tests.people.two_visitors` is the long form."""
    told = play(tmp_path, list(each_once(seed=15)))
    assert [str(finding) for finding in told.findings] == []
    assert told.unheard == []
