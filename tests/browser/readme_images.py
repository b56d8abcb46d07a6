"""The two images of README.md, from the demo: `python -m tests.browser.readme_images`."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from urllib.parse import urlencode

from PIL import Image
from playwright.sync_api import Page, ViewportSize, expect, sync_playwright

from connectors.ref import Ref
from tests.browser.chromium import chromium
from tests.browser.demo import Demo, whole_demo
from tests.browser.places import AT_REST

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
SIZE: ViewportSize = {"width": 1440, "height": 900}
# The large image of a sweep takes what is left of the height, and the small ones come below it.
LOW: ViewportSize = {"width": 1280, "height": 760}
ROBOT = Ref.parse("civitai:900103")
PATIENCE = 600_000


def main(out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    path = chromium()
    expect.set_options(timeout=PATIENCE)
    with tempfile.TemporaryDirectory() as folder, whole_demo(Path(folder)) as demo, sync_playwright() as playwright:
        # A gutter is kept for the scrollbar; without one, it would be an empty strip.
        browser = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-gpu"], ignore_default_args=["--hide-scrollbars"]
        )
        page = browser.new_context(viewport=SIZE).new_page()
        page.set_default_timeout(PATIENCE)
        browse(page, demo)
        save(page, out / "browse.webp")
        sweep(page, demo)
        save(page, out / "try.webp", whole=True)
        browser.close()


def browse(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}?{urlencode([('base', 'sdxl'), ('base', 'flux1'), ('__theme', 'light')])}")
    expect(page.locator(".hub.good")).to_have_count(3)
    page.wait_for_function(AT_REST)
    # What the files of the cards in view say comes a moment after them.
    expect(page.get_by_text("file says FLUX.1").first).to_be_visible()


def sweep(page: Page, demo: Demo) -> None:
    """Five weights of the robot, and the fourth beside none."""
    page.set_viewport_size(LOW)
    ref = demo.services.downloads.pull(ROBOT).ref
    form = {"view": "try", "lora": str(ref), "prompt": "a blue robot on meadow background", "seed": 1, "sheet": "strip"}
    page.goto(f"{demo.url}?{urlencode({**form, '__theme': 'light'})}")
    expect(page.get_by_label("Prompt", exact=True)).not_to_have_value("")
    page.locator("#make").click()
    page.locator(".tiles button").nth(3).click()
    expect(page.locator(".tiles button").nth(3)).to_have_attribute("aria-current", "true")
    page.mouse.move(0, 0)
    page.wait_for_function(AT_REST)


def save(page: Page, path: Path, *, whole: bool = False) -> None:
    """WebP is a fifth of a PNG's size, and GitHub shows it."""
    page.wait_for_timeout(1000)
    page.evaluate("scrollTo(0, 0)")
    with Image.open(io.BytesIO(page.screenshot(full_page=whole))) as image:
        image.convert("RGB").save(path, quality=82, method=6)
    print(path)


if __name__ == "__main__":
    main(IMAGES)
