"""The images of README.md and docs/tour.md, from the demo: `python -m tests.browser.readme_images`."""

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
from tests.browser.shots import dropped_image, library_full

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
SIZE: ViewportSize = {"width": 1440, "height": 900}
# The large image of a sweep takes what is left of the height, and the small ones come below it.
LOW: ViewportSize = {"width": 1280, "height": 760}
ROBOT = Ref.parse("civitai:900103")
TOUR_SIZE: ViewportSize = {"width": 1200, "height": 720}
TOUR_QUALITY = 70
FORM = {"view": "try", "prompt": "a blue robot on meadow background", "seed": 1, "__theme": "light"}
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
        for name, visit in TOUR.items():
            # A new page each time: leaving one in the middle of its search would show its error.
            page = browser.new_context(viewport=TOUR_SIZE, reduced_motion="reduce").new_page()
            page.set_default_timeout(PATIENCE)
            visit(page, demo)
            save(page, out / f"tour-{name}.webp", quality=TOUR_QUALITY)
            page.context.close()
        browser.close()


def browse(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}?{urlencode([('base', 'sdxl'), ('base', 'flux1'), ('__theme', 'light')])}")
    expect(page.locator(".hub.good")).to_have_count(3)
    page.wait_for_function(AT_REST)
    # What the files of the cards in view say comes a moment after them.
    expect(page.get_by_text("file says FLUX.1").first).to_be_visible()
    # What was found later goes to its place.
    late = page.locator(".news button")
    if late.is_visible():
        late.click()
        expect(late).to_be_hidden()
    page.mouse.move(0, 0)
    page.wait_for_function(AT_REST)


def sweep(page: Page, demo: Demo) -> None:
    """Five weights of the robot, and the fourth beside none."""
    page.set_viewport_size(LOW)
    ref = demo.services.downloads.pull(ROBOT).ref
    page.goto(f"{demo.url}?{urlencode({**FORM, 'lora': str(ref), 'sheet': 'strip'})}")
    expect(page.get_by_label("Prompt", exact=True)).not_to_have_value("")
    page.locator("#make").click()
    page.locator(".tiles button").nth(3).click()
    expect(page.locator(".tiles button").nth(3)).to_have_attribute("aria-current", "true")
    page.mouse.move(0, 0)
    page.wait_for_function(AT_REST)


def search(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}?q=robot&__theme=light")
    expect(page.locator(".hub.good")).to_have_count(3)


def filters(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}?base=tiny-shapes&kind=character&kind=style&__theme=light")
    expect(page.locator(".hub.good")).to_have_count(3)


def panel(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}?base=tiny-shapes&open={ROBOT}&__theme=light")
    expect(page.locator(".detail .facts")).to_contain_text("the file itself")


def pair(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}?{urlencode({**FORM, 'lora': str(demo.services.downloads.pull(ROBOT).ref)})}")
    expect(page.get_by_label("Prompt", exact=True)).not_to_have_value("")
    page.locator("#make").click()
    expect(page.locator(".pair img.over")).to_be_visible()


def library(page: Page, demo: Demo) -> None:
    library_full(page, demo)


def drop(page: Page, demo: Demo) -> None:
    dropped_image(page, demo)


def settings(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}?view=settings&__theme=light")
    expect(page.locator("#page-settings")).to_be_visible()


TOUR = {visit.__name__: visit for visit in (search, filters, panel, pair, library, drop, settings)}


def save(page: Page, path: Path, *, whole: bool = False, quality: int = 82) -> None:
    """WebP is a fifth of a PNG's size, and GitHub shows it."""
    page.wait_for_timeout(1000)
    page.evaluate("scrollTo(0, 0)")
    with Image.open(io.BytesIO(page.screenshot(full_page=whole))) as image:
        image.convert("RGB").save(path, quality=quality, method=6)
    print(path)


if __name__ == "__main__":
    main(IMAGES)
