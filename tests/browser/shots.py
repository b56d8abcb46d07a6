"""Images of the pages: `python -m tests.browser.shots FOLDER [STATE...]`.

Of every page and state, at three widths in both themes. Without a STATE also those of README.md and docs/, in
docs/images.
"""

import io
import sys
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Literal
from urllib.parse import urlencode

from PIL import Image
from playwright.sync_api import Browser, Page, ViewportSize, expect, sync_playwright

from connectors.query import Query
from connectors.ref import Ref
from hub_ui.demo.hubs.folder import SAMPLES
from hub_ui.web.layout.pages import STATIC
from hub_ui.web.layout.render import Renderer
from tests.browser import places
from tests.browser.chromium import chromium
from tests.browser.places import PLACES, come_to_rest
from tests.faults import Fault
from tests.hub_ui.web.raw import Visitor, served

Reach = Callable[[Page, Visitor], None]
PATIENCE = 600_000
SIZES: Mapping[str, ViewportSize] = MappingProxyType(
    {
        "1440": {"width": 1440, "height": 900},
        "1024": {"width": 1024, "height": 768},
        "390": {"width": 390, "height": 844},
    }
)
THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
OF_TOUR: ViewportSize = {"width": 1200, "height": 720}
ROBOT = Ref.parse("civitai:900103")
DOWN = Fault(kind="status", status=503, hub="civitai")
# What is longer than a screen and worth seeing as a whole.
WHOLE = ("compare_strip", "compare_grid", "settings", "library_full", "about")


def main(out: Path, names: Collection[str]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    expect.set_options(timeout=PATIENCE)
    with running() as (browser, demo):
        for name, reach in STATES.items():
            if not names or name in names:
                shoot(browser, demo, out, name, reach)
    if not names:
        with running(scrollbars=False) as (browser, demo):
            for name, reach in OF_DOCS.items():
                shoot_for_docs(browser, demo, name, reach)


@contextmanager
def running(*, scrollbars: bool = True) -> Iterator[tuple[Browser, Visitor]]:
    path, shown = chromium(), ["--hide-scrollbars"] if scrollbars else []
    with tempfile.TemporaryDirectory() as home, served(Path(home), data=SAMPLES) as demo, sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-gpu"], ignore_default_args=shown
        )
        yield browser, demo
        browser.close()


def shoot(browser: Browser, demo: Visitor, out: Path, name: str, reach: Reach) -> None:
    """The state is reached once; then the window changes its size and its theme."""
    context = browser.new_context(viewport=SIZES["1440"], reduced_motion="reduce")
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    reach(page, demo)
    for width, size in SIZES.items():
        page.set_viewport_size(size)
        for theme in THEMES:
            page.emulate_media(color_scheme=theme, reduced_motion="reduce")
            if name != "compare_making":
                come_to_rest(page)
            path = out / f"{name}-{theme}-{width}.png"
            page.screenshot(path=path, full_page=name in WHOLE)
            print(path, flush=True)
    context.close()
    demo.faults.clear()


def shoot_for_docs(browser: Browser, demo: Visitor, name: str, reach: Reach) -> None:
    """WebP is a fifth of a PNG's size, and GitHub shows it."""
    size = OF_TOUR if name.startswith("tour-") else SIZES["1440"]
    context = browser.new_context(viewport=size, color_scheme="light", reduced_motion="reduce")
    page, path = context.new_page(), IMAGES / f"{name}.webp"
    page.set_default_timeout(PATIENCE)
    reach(page, demo)
    is_whole = name == "controls"
    if not is_whole:
        page.mouse.move(0, 0)
        come_to_rest(page)
        page.evaluate("scrollTo(0, 0)")
    with Image.open(io.BytesIO(page.screenshot(full_page=is_whole))) as image:
        image.convert("RGB").save(path, quality=70 if size is OF_TOUR else 82, method=6)
    print(path, flush=True)
    context.close()


def compare_making(page: Page, demo: Visitor) -> None:
    """Many steps, so that it is still at it when the last image is taken."""
    page.goto(f"{demo.url}try?steps=500&seed=7&lora={places.INK}")
    page.locator("#make button.filled").click()
    expect(page.locator("#preview")).to_be_visible()


def _made(form: str) -> Reach:
    return lambda page, demo: make(page, f"{demo.url}try?lora={places.INK}&{form}")


def make(page: Page, address: str) -> None:
    page.goto(address)
    page.locator("#make button.filled").click()
    expect(page.locator("#stage .proof")).to_be_visible(timeout=places.MAKING)


def hub_down(page: Page, demo: Visitor) -> None:
    demo.faults.add(DOWN)
    # What no other state has asked the hubs just now.
    page.goto(f"{demo.url}?kind=style")
    expect(page.locator("#hubs .dot.down")).to_have_count(1)


def hubs_open(page: Page, demo: Visitor) -> None:
    hub_down(page, demo)
    page.locator("#hubs-menu > summary").click()
    expect(page.locator("#hubs-list li.down")).to_be_visible()


def lightbox(page: Page, demo: Visitor) -> None:
    places.panel(page, demo.url)
    page.locator("#strip a").first.click()
    expect(page.locator("#lightbox")).to_be_visible()


def library_full(page: Page, demo: Visitor) -> None:
    """All LoRAs of the demo's own base, one of them with a note and tags, and open."""
    keep_all(demo)
    page.goto(f"{demo.url}library")
    page.locator("#results .hit", has_text="SKS Robot").click()
    expect(page.locator("#panel .entry")).to_be_visible()


def keep_all(demo: Visitor) -> None:
    groups = demo.services.lookup.search(Query(bases=("tiny-shapes",), hubs=("civitai", "huggingface")))
    for lora in (lora for group in groups for answer in group if answer.page for lora in answer.page.loras):
        demo.services.downloads.pull(lora.ref)
    demo.services.annotations.change(ROBOT, favorite=True, note="Best at 0.8 with a plain background.", tags=("work",))


def library_bulk(page: Page, demo: Visitor) -> None:
    keep_all(demo)
    places.library(page, demo.url)
    for place in range(2):
        page.locator(".shelf .tick input").nth(place).check()
    expect(page.locator("#bulk")).to_be_visible()


def dropped_image(page: Page, demo: Visitor) -> None:
    places.browse(page, demo.url)
    places.drop_image(page, "robot.png")
    expect(page.locator("#dropped .actions .filled")).to_be_visible()


def phone_filters(page: Page, demo: Visitor) -> None:
    page.set_viewport_size(SIZES["390"])
    places.browse(page, demo.url)
    page.get_by_role("button", name="Filters").click()
    expect(page.locator("#filters")).to_be_visible()


def more_menu(page: Page, demo: Visitor) -> None:
    places.browse(page, demo.url)
    page.locator(".menu.on-desktop > summary").click()


def _place(reach: Callable[[Page, str], None], language: str = "en") -> Reach:
    def reach_in_language(page: Page, demo: Visitor) -> None:
        page.set_extra_http_headers({"Accept-Language": language})
        reach(page, demo.url)

    return reach_in_language


STATES: Mapping[str, Reach] = MappingProxyType(
    {
        **{name: _place(reach) for name, reach in {**PLACES, "suggestions": places.suggestions}.items()},
        **{state.__name__: state for state in (
            hub_down, hubs_open, more_menu, phone_filters, dropped_image, library_full, library_bulk, lightbox,
            compare_making,
        )},
        "library_tool": _place(places.own_page("library_tool", "library?ltool=collections", "#tool h2")),
        "mature": _place(lambda page, url: places.browse(page, f"{url}?nsfw=explicit&base=sdxl&sort=newest")),
        "compare_strip": _made("steps=4&sheet=strip"),
        "compare_grid": _made("steps=2&sheet=grid&prompt=a+cat&row=a+yellow+star"),
        "browse_chinese": _place(places.browse, "zh-CN"),
        "panel_japanese": _place(places.panel, "ja"),
        "compare_japanese": _place(places.compare_lora, "ja"),
        "settings_chinese": _place(PLACES["settings"], "zh-CN"),
    }
)  # fmt: skip


def of_docs_browse(page: Page, demo: Visitor) -> None:
    _at("?base=sdxl&base=flux1")(page, demo)
    # What the files of the cards in view say comes a moment after them.
    expect(page.get_by_text("file says FLUX.1").first).to_be_visible()


def of_docs_sweep(page: Page, demo: Visitor) -> None:
    """Five weights of the robot, and the fourth beside none."""
    of_docs_pair(page, demo, sheet="strip")
    page.locator(".strip .tile").nth(3).click()
    expect(page.locator(".strip .tile").nth(3)).to_have_attribute("aria-current", "true")


def of_docs_pair(page: Page, demo: Visitor, **asked: str) -> None:
    lora = str(demo.services.downloads.pull(ROBOT).ref)
    form = {"view": "try", "prompt": "a blue robot on meadow background", "seed": 1, "lora": lora, **asked}
    make(page, f"{demo.url}?{urlencode(form)}")


def of_docs_controls(page: Page, _demo: Visitor) -> None:
    page.set_viewport_size({"width": 1160, "height": 600})
    page.set_content(controls_html())


def controls_html() -> str:
    """All controls of the stylesheet, with the page's own macros."""
    template = Renderer()._environment.from_string(Path(__file__).with_name("controls.html").read_text("utf-8"))
    return template.render(css=(STATIC / "hub_ui.css").read_text("utf-8"))


def _at(address: str, sign: str = "#main") -> Reach:
    return _place(places.own_page(address, address, sign))


OF_DOCS: Mapping[str, Reach] = MappingProxyType(
    {
        "browse": of_docs_browse,
        "try": of_docs_sweep,
        "tour-search": _at("?q=robot"),
        "tour-filters": _at("?base=tiny-shapes&kind=character&kind=style"),
        "tour-panel": _at(f"?base=tiny-shapes&open={ROBOT}", "#panel .facts"),
        "tour-pair": of_docs_pair,
        "tour-library": library_full,
        "tour-drop": dropped_image,
        "tour-settings": _at("settings"),
        "controls": of_docs_controls,
    }
)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "shots"), sys.argv[2:])
