"""Images of every page, both themes, desktop and phone: `python -m tests.browser.shots FOLDER`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser.chromium import chromium
from tests.browser.demo import running_demo

SIZES = {"1440": (1440, 960), "390": (390, 844)}
THEMES = ("light", "dark")
SEEN_PICTURES_ARE_THERE = """() => [...document.images].every((picture) => {
  const place = picture.getBoundingClientRect();
  const seen = picture.checkVisibility() && place.top < innerHeight && place.left < innerWidth;
  return picture.complete || !seen;
})"""


def main(out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    path = chromium()
    expect.set_options(timeout=180_000)
    with tempfile.TemporaryDirectory() as folder, running_demo(Path(folder)) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        for theme in THEMES:
            for name, size in SIZES.items():
                shoot(browser, url, out, theme, name, size)
        browser.close()


def shoot(browser: Browser, url: str, out: Path, theme: str, name: str, size: tuple[int, int]) -> None:
    context = browser.new_context(viewport={"width": size[0], "height": size[1]})
    page = context.new_page()
    page.goto(f"{url}?__theme={theme}")
    expect(page.locator(".hub.good")).to_have_count(3)
    snap(page, out / f"browse-{theme}-{name}.png")
    page.goto(f"{url}?base=tiny-shapes&__theme={theme}")
    page.locator(".card .hit").first.click()
    expect(page.locator(".detail h2")).to_be_visible()
    snap(page, out / f"detail-{theme}-{name}.png")
    page.get_by_role("button", name="Download & try").click()
    expect(page.locator(".pair img.over")).to_be_visible()
    snap(page, out / f"try-{theme}-{name}.png")
    for kind, tab in (("strip", "Weights"), ("grid", "Grid")):
        sheet(page, tab)
        snap(page, out / f"try-{kind}-{theme}-{name}.png", whole=True)
    for other in ("library", "train", "settings"):
        page.goto(f"{url}?view={other}&__theme={theme}")
        snap(page, out / f"{other}-{theme}-{name}.png")
    page.goto(f"{url}?view=library&__theme={theme}")
    page.locator("#downloads button").click()
    snap(page, out / f"downloads-{theme}-{name}.png")
    context.close()


def sheet(page: Page, tab: str) -> None:
    """Another kind of comparison on the open Try page, made."""
    page.get_by_role("tab", name=tab).click()
    expect(page.get_by_role("tab", name=tab)).to_have_attribute("aria-selected", "true")
    if tab == "Grid":
        page.get_by_label("More prompts, one a line").fill("a yellow star on navy background")
    page.locator("#make").click()
    expect(page.locator(".tiles img, .sheet td img").first).to_be_visible()


def snap(page: Page, path: Path, *, whole: bool = False) -> None:
    """Waits for images first: a page half loaded shows nothing of its design. (Gradio's network is never idle.)"""
    page.wait_for_function(SEEN_PICTURES_ARE_THERE)
    page.wait_for_timeout(500)
    page.evaluate("scrollTo(0, 0)")
    page.screenshot(path=path, full_page=whole)
    print(path)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "shots"))
