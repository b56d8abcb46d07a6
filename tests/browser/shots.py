"""Images of every page and state, at three widths in both themes: `python -m tests.browser.shots FOLDER [STATE...]`."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from types import MappingProxyType

from playwright.sync_api import Browser, Page, ViewportSize, expect, sync_playwright

from connectors.query import Query
from connectors.ref import Ref
from hub_ui.demo.hubs.faults import Fault
from hub_ui.images.infotext import autov3
from tests.browser import places
from tests.browser.chromium import chromium
from tests.browser.demo import Demo, whole_demo
from tests.browser.places import PLACES, come_to_rest
from tests.browser.test_dropped_images import ROBOT as ROBOT_FILE
from tests.browser.test_dropped_images import SETTINGS, drop, png

PATIENCE = 180_000
SIZES: Mapping[str, ViewportSize] = MappingProxyType(
    {
        "1440": {"width": 1440, "height": 960},
        "1024": {"width": 1024, "height": 768},
        "390": {"width": 390, "height": 844},
    }
)
THEMES = ("light", "dark")
ROBOT = Ref.parse("civitai:900103")
# What is longer than a screen and worth seeing as a whole.
WHOLE = ("try_strip", "try_grid", "settings", "library")


def main(out: Path, names: Collection[str]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    path = chromium()
    expect.set_options(timeout=PATIENCE)
    with tempfile.TemporaryDirectory() as folder, whole_demo(Path(folder)) as demo, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-gpu"], ignore_default_args=["--hide-scrollbars"]
        )
        for name, reach in STATES.items():
            if not names or name in names:
                shoot(browser, demo, out, name, reach)
        browser.close()


def shoot(browser: Browser, demo: Demo, out: Path, name: str, reach: Callable[[Page, Demo], None]) -> None:
    """The state is reached once; then the window changes its size and its theme."""
    context = browser.new_context(viewport=SIZES["1440"], reduced_motion="reduce")
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    reach(page, demo)
    for width, size in SIZES.items():
        page.set_viewport_size(size)
        for theme in THEMES:
            page.evaluate("(dark) => document.body.classList.toggle('dark', dark)", theme == "dark")
            come_to_rest(page)
            path = out / f"{name}-{theme}-{width}.png"
            page.screenshot(path=path, full_page=name in WHOLE)
            print(path)
    context.close()
    demo.hubs.faults.clear()


def try_strip(page: Page, demo: Demo) -> None:
    places.try_lora(page, demo.url)
    comparison(page, "Weights")


def try_grid(page: Page, demo: Demo) -> None:
    places.try_lora(page, demo.url)
    comparison(page, "Grid")


def comparison(page: Page, tab: str) -> None:
    """Another kind of comparison on the open Try page, made."""
    page.get_by_role("tab", name=tab).click()
    expect(page.get_by_role("tab", name=tab)).to_have_attribute("aria-selected", "true")
    if tab == "Grid":
        page.get_by_label("More prompts, one a line").fill("a yellow star on navy background")
    page.locator("#make").click()
    expect(page.locator(".tiles img, .sheet td img").first).to_be_visible()


def hub_down(page: Page, demo: Demo) -> None:
    demo.hubs.faults.add(Fault(kind="status", status=503, hub="civitai"))
    page.goto(demo.url)
    expect(page.locator(".hub.down")).to_have_count(1)


def lightbox(page: Page, demo: Demo) -> None:
    places.panel(page, demo.url)
    page.locator(".strip > figure").first.click()
    expect(page.locator(".lightbox")).to_be_visible()


def mature(page: Page, demo: Demo) -> None:
    places.browse(page, f"{demo.url}?nsfw=explicit&base=sdxl&sort=newest")


def library_full(page: Page, demo: Demo) -> None:
    """All LoRAs of the demo's own base, one of them with a note and tags, and open."""
    answers = demo.services.lookup.search(Query.of(bases=("tiny-shapes",), hubs=("civitai", "huggingface")))
    for lora in (lora for answer in answers if answer.page for lora in answer.page.loras):
        demo.services.downloads.pull(lora.ref)
    demo.services.annotations.change(ROBOT, favorite=True, note="Best at 0.8 with a plain background.", tags=("work",))
    page.goto(f"{demo.url}?view=library")
    page.get_by_role("button", name="Edit SKS Robot").click()
    expect(page.locator("#entry .entry")).to_be_visible()


def dropped_image(page: Page, demo: Demo) -> None:
    text = f'a robot <lora:robot:0.9>\nNegative prompt: dull\n{SETTINGS}, Lora hashes: "robot: {autov3(ROBOT_FILE)}"'
    with tempfile.TemporaryDirectory() as folder:
        drop(page, demo.url, png(Path(folder) / "robot.png", parameters=text))
    expect(page.locator(".dropped")).to_be_visible()


def phone_filters(page: Page, demo: Demo) -> None:
    page.set_viewport_size(SIZES["390"])
    places.browse(page, demo.url)
    page.locator("label[for=unfold]").click()


def _in(language: str, reach: Callable[[Page, Demo], None]) -> Callable[[Page, Demo], None]:
    def reach_in_language(page: Page, demo: Demo) -> None:
        page.set_extra_http_headers({"Accept-Language": language})
        reach(page, demo)

    return reach_in_language


def _of_places(reach: Callable[[Page, str], None]) -> Callable[[Page, Demo], None]:
    return lambda page, demo: reach(page, demo.url)


STATES: Mapping[str, Callable[[Page, Demo], None]] = MappingProxyType(
    {
        **{name: _of_places(reach) for name, reach in PLACES.items()},
        **{
            state.__name__: state
            for state in (
                try_strip,
                try_grid,
                lightbox,
                mature,
                dropped_image,
                library_full,
                hub_down,
                phone_filters,
            )
        },
        "browse_chinese": _in("zh-CN", _of_places(places.browse)),
        "panel_japanese": _in("ja", _of_places(places.panel)),
        "settings_chinese": _in("zh-CN", _of_places(places.settings)),
    }
)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "shots"), sys.argv[2:])
