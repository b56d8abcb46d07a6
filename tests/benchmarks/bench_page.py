"""Search while typing, in a browser: how long after the last key the first cards and the filters' counts are there."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median

from playwright.sync_api import Page, sync_playwright

from connectors.record import Lora
from tests.benchmarks.figures import Figure, report
from tests.benchmarks.made_up_loras import made_up_loras
from tests.browser.chromium import chromium
from tests.browser.demo import Demo, whole_demo

LORAS = 100_000
# Seconds after the last key, which are to be kept on two cores.
CARDS, COUNTS = 0.2, 0.3
WORDS = ("anime", "pixel art", "style", "word77", "ink style", "art word5", "kind:style anime", "word1234")
# Milliseconds between two keys of someone who types fast.
DELAY = 120
# `times` are those of the frames after the last key that first show the cards and the counts for the whole text.
WATCH = """() => {
  const frame = (then) => requestAnimationFrame(() => requestAnimationFrame(() => then(performance.now())));
  const questions = {
    cards: () => document.querySelector('#grid .cards').dataset.question,
    counts: () => document.querySelector('#facets .facets').dataset.question,
  };
  const isWhole = () =>
    document.querySelector('.completions').dataset.text === document.querySelector('#search input').value;
  let before = '';
  window.times = {};
  document.addEventListener('input', () => {
    window.typed = performance.now();
    window.times = {};
    before = questions.cards();
  }, true);
  new MutationObserver(() => {
    for (const name in questions) {
      if (!(name in window.times) && questions[name]() !== before && isWhole()) {
        window.times[name] = -1;
        frame((now) => { window.times[name] = now - window.typed; });
      }
    }
  }).observe(document.body, { childList: true, subtree: true, characterData: true, attributes: true });
}"""


def without_images(lora: Lora) -> Lora:
    """They would be asked of a hub that is not there."""
    return replace(lora, versions=tuple(replace(version, examples=()) for version in lora.versions))


@contextmanager
def served(folder: Path, loras: int) -> Iterator[Demo]:
    with whole_demo(folder) as demo:
        demo.services.catalog.add(map(without_images, made_up_loras(loras)))
        yield demo


def type_and_wait(page: Page, text: str) -> tuple[float, float]:
    """Seconds to the first cards and to the counts for `text`."""
    box = page.locator("#search input")
    box.fill("")
    page.wait_for_timeout(1000)
    box.press_sequentially(text, delay=DELAY)
    page.wait_for_function("times.cards > 0 && times.counts > 0")
    times = page.evaluate("times")
    return times["cards"] / 1000, times["counts"] / 1000


def figures(*, loras: int = LORAS, words: tuple[str, ...] = WORDS) -> list[Figure]:
    path = chromium()
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name,
        sync_playwright() as playwright,
        served(Path(name), loras) as demo,
    ):
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1440, "height": 960})
        page.goto(demo.url)
        page.wait_for_function("document.querySelectorAll('.hub.good').length === 3")
        page.evaluate(WATCH)
        taken = [type_and_wait(page, text) for text in words]
        browser.close()
    against = "the longest that it may take"
    return [
        Figure(
            name=f"first cards after the last key, {loras:,} LoRAs",
            ours=median(cards for cards, _ in taken),
            other=CARDS,
            against=against,
            target=1,
        ),
        Figure(
            name=f"counts after the last key, {loras:,} LoRAs",
            ours=median(counts for _, counts in taken),
            other=COUNTS,
            against=against,
            target=1,
        ),
    ]


if __name__ == "__main__":
    sys.exit(report(figures()))
