"""The images of README.md and docs/tour.md, from the demo: `python -m tests.browser.readme_images`."""

import io
import tempfile
from pathlib import Path
from urllib.parse import urlencode

from PIL import Image
from playwright.sync_api import Page, ViewportSize, expect, sync_playwright

from connectors.ref import Ref
from tests.browser.chromium import chromium
from tests.browser.demo import Demo, whole_demo
from tests.browser.places import come_to_rest
from tests.browser.shots import dropped_image, library_full

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
SIZE: ViewportSize = {"width": 1440, "height": 900}
ROBOT = Ref.parse("civitai:900103")
TOUR_SIZE: ViewportSize = {"width": 1200, "height": 720}
TOUR_QUALITY = 70
FORM = {"view": "try", "prompt": "a blue robot on meadow background", "seed": 1}
PATIENCE = 600_000


def main(out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    path = chromium()
    expect.set_options(timeout=PATIENCE)
    with tempfile.TemporaryDirectory() as folder, whole_demo(Path(folder)) as demo, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        for name, visit in IMAGES_OF.items():
            size, quality = (TOUR_SIZE, TOUR_QUALITY) if name.startswith("tour-") else (SIZE, 82)
            page = browser.new_context(viewport=size, color_scheme="light", reduced_motion="reduce").new_page()
            page.set_default_timeout(PATIENCE)
            visit(page, demo)
            save(page, out / f"{name}.webp", quality=quality)
            page.context.close()
        browser.close()


def browse(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}?{urlencode([('base', 'sdxl'), ('base', 'flux1')])}")
    come_to_rest(page)
    # What the files of the cards in view say comes a moment after them.
    expect(page.get_by_text("file says FLUX.1").first).to_be_visible()


def sweep(page: Page, demo: Demo) -> None:
    """Five weights of the robot, and the fourth beside none."""
    ref = demo.services.downloads.pull(ROBOT).ref
    page.goto(f"{demo.url}?{urlencode({**FORM, 'lora': str(ref), 'sheet': 'strip'})}")
    make(page)
    page.locator(".strip .tile").nth(3).click()
    expect(page.locator(".strip .tile").nth(3)).to_have_attribute("aria-current", "true")


def make(page: Page) -> None:
    expect(page.get_by_label("Prompt", exact=True)).not_to_have_value("")
    page.locator("#start").click()
    expect(page.locator("#stage .proof")).to_be_visible()


def search(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}?q=robot")


def filters(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}?base=tiny-shapes&kind=character&kind=style")


def panel(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}?base=tiny-shapes&open={ROBOT}")
    expect(page.locator("#panel .facts").first).to_be_visible()


def pair(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}?{urlencode({**FORM, 'lora': str(demo.services.downloads.pull(ROBOT).ref)})}")
    make(page)


def settings(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}settings")


IMAGES_OF = {
    "browse": browse,
    "try": sweep,
    **{f"tour-{name}": visit for name, visit in (
        ("search", search), ("filters", filters), ("panel", panel), ("pair", pair), ("library", library_full),
        ("drop", dropped_image), ("settings", settings),
    )},
}  # fmt: skip


def save(page: Page, path: Path, *, quality: int) -> None:
    """WebP is a fifth of a PNG's size, and GitHub shows it."""
    page.mouse.move(0, 0)
    come_to_rest(page)
    page.evaluate("scrollTo(0, 0)")
    with Image.open(io.BytesIO(page.screenshot())) as image:
        image.convert("RGB").save(path, quality=quality, method=6)
    print(path)


if __name__ == "__main__":
    main(IMAGES)
