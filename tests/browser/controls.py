"""All controls of the stylesheet on one page, for docs/controls.md: `python -m tests.browser.controls`."""

import io
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from hub_ui.web.layout.pages import STATIC
from hub_ui.web.layout.render import Renderer
from tests.browser.chromium import chromium

PICTURE = Path(__file__).resolve().parents[2] / "docs" / "images" / "controls.webp"
TEMPLATE = Path(__file__).with_name("controls.html")


def controls_html() -> str:
    """With the page's own stylesheet and macros."""
    template = Renderer()._environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    return template.render(css=(STATIC / "hub_ui.css").read_text(encoding="utf-8"))


def main() -> None:
    path = chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1160, "height": 600})
        page.set_content(controls_html())
        shot = Image.open(io.BytesIO(page.screenshot(full_page=True)))
        shot.save(PICTURE, quality=80)
        print(PICTURE)
        browser.close()


if __name__ == "__main__":
    main()
