"""The pages of hub-ui as a person meets them, each brought to rest: for tests that look at every one."""

import base64
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType

from playwright.sync_api import Page, expect

from hub_ui.demo.hubs.folder import PACKAGE
from hub_ui.images.infotext import autov3
from tests.hub_ui.images.building import image_bytes, texts

WAIT = 60_000
# Milliseconds that images may take where other work has the processors.
MAKING = 480_000
AT_REST, DROP = (Path(__file__).with_name(name).read_text(encoding="utf-8") for name in ("at_rest.js", "drop.js"))
# What a part brings with it asks for more only after it has been put in its place.
MOMENT = 250
# A LoRA of the demo's own base, which can be tried there.
INK = "huggingface:shapeworks/ink-outline-tiny"
ROBOT_FILE = PACKAGE / "data" / "weights" / "loras" / "sks-robot.safetensors"
SETTINGS = "Steps: 4, Sampler: Euler, CFG scale: 5, Seed: 77, Size: 128x128, Model: dreamshaper_8"
ROBOT_TEXT = f'a robot <lora:robot:0.9>\nNegative prompt: dull\n{SETTINGS}, Lora hashes: "robot: {autov3(ROBOT_FILE)}"'


Place = Callable[[Page, str], None]


def settle(page: Page, sign: str) -> None:
    """Waits for what shows that a person is there."""
    expect(page.locator(sign).first).to_be_visible(timeout=WAIT)
    come_to_rest(page)


def own_page(name: str, path: str, sign: str = "#main") -> Place:
    def reach(page: Page, demo: str) -> None:
        page.goto(f"{demo}{path}")
        settle(page, sign)

    reach.__name__ = name
    return reach


browse = own_page("browse", "", ".card .hit")
compare = own_page("compare", "try", "#make button")
# With two steps: how good the images are is no matter here.
compare_lora = own_page("compare_lora", f"try?steps=2&lora={INK}", ".layer")
library = own_page("library", "library", "#line")


def nothing_found(page: Page, demo: str) -> None:
    page.goto(f"{demo}?q=zzzznothing")
    come_to_rest(page)
    expect(page.locator("#news")).to_contain_text("Nothing matches", timeout=WAIT)
    expect(page.locator("#filters .ghost:visible")).to_have_count(0)


def panel(page: Page, demo: str) -> None:
    browse(page, f"{demo}?base=tiny-shapes")
    page.locator(".card .hit").first.click()
    settle(page, "#panel .actions")


def compare_expert(page: Page, demo: str) -> None:
    """Each part of its form is unfolded."""
    compare_lora(page, demo)
    page.evaluate("document.querySelectorAll('#making details').forEach((fold) => { fold.open = true; })")
    expect(page.get_by_label("Negative prompt")).to_be_visible(timeout=WAIT)


def compare_result(page: Page, demo: str) -> None:
    compare_lora(page, demo)
    page.locator("#make button.filled").click()
    expect(page.locator(".pair img.over")).to_be_visible(timeout=MAKING)
    come_to_rest(page)


def drawer(page: Page, demo: str) -> None:
    library(page, demo)
    page.locator("#downloads").click()
    settle(page, "#drawer h2")


def news(page: Page, demo: str) -> None:
    page.goto(f"{demo}news?kind=style")
    page.get_by_role("button", name="Save this search").click()
    expect(page.locator("#saved").get_by_role("link", name="styles", exact=True)).to_be_visible(timeout=WAIT)
    come_to_rest(page)


def suggestions(page: Page, demo: str) -> None:
    browse(page, demo)
    page.locator("#q").press_sequentially("base:s")
    expect(page.locator("#suggestions [role=option]").first).to_be_visible()


OWN = tuple(own_page(name, name) for name in ("settings", "glossary", "about", "history", "downloads", "image"))
PLACES: MappingProxyType[str, Place] = MappingProxyType(
    {place.__name__: place for place in (
        browse, nothing_found, panel, compare, compare_expert, compare_result, library, drawer, news,
        own_page("train", "train"), *OWN,
    )}
)  # fmt: skip


def drop_image(page: Page, name: str, text: str = ROBOT_TEXT) -> None:
    """One that says how it was made, as other programs write it."""
    drop(page, name, image_bytes(128, pnginfo=texts(parameters=text)), "image/png")


def drop(page: Page, name: str, data: bytes, media_type: str = "") -> None:
    page.evaluate(DROP, [name, media_type, base64.b64encode(data).decode()])


def come_to_rest(page: Page) -> None:
    """Waits until nothing is asked for any more, and looks once again."""
    for _ in range(2):
        page.wait_for_function(AT_REST, timeout=WAIT)
        page.wait_for_timeout(MOMENT)
