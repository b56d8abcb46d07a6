"""The pages of hub-ui as a person meets them, each brought to rest: for tests that look at every one."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from types import MappingProxyType

from playwright.sync_api import Page, expect

WAIT = 60_000
# Milliseconds that images may take where other work has the processors.
MAKING = 480_000
# The pictures that can be seen are there.
AT_REST = """() => [...document.images].every((picture) => {
  const place = picture.getBoundingClientRect();
  const seen = picture.checkVisibility() && place.top < innerHeight && place.left < innerWidth;
  return picture.complete || !seen;
})"""

# As a browser brings a file that is dragged onto a page.
DROP = """([name, type, data]) => {
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  const carried = new DataTransfer();
  carried.items.add(new File([bytes], name, { type }));
  for (const kind of ['dragover', 'drop']) {
    const event = new DragEvent(kind, { dataTransfer: carried, bubbles: true, cancelable: true });
    document.querySelector('main').dispatchEvent(event);
  }
}"""


def browse(page: Page, demo: str) -> None:
    page.goto(demo)
    expect(page.locator(".hub.good")).to_have_count(3, timeout=WAIT)
    expect(page.locator(".card.ghost")).to_have_count(0, timeout=WAIT)


def nothing_found(page: Page, demo: str) -> None:
    page.goto(f"{demo}?q=zzzznothing")
    expect(page.locator(".note")).to_be_visible(timeout=WAIT)


def panel(page: Page, demo: str) -> None:
    browse(page, f"{demo}?base=tiny-shapes")
    page.locator(".card .hit").first.click()
    expect(page.locator(".detail .actions")).to_be_visible(timeout=WAIT)
    # Only the file's header says it, which is read last.
    expect(page.locator(".detail .facts [data-term=tensors]")).to_be_visible(timeout=WAIT)


def drawer(page: Page, demo: str) -> None:
    library(page, demo)
    page.locator("#downloads button").click()
    expect(page.locator(".drawer")).to_be_visible(timeout=WAIT)


def try_empty(page: Page, demo: str) -> None:
    page.goto(f"{demo}?view=try")
    expect(page.locator("#make")).to_be_visible(timeout=WAIT)
    expect(page.locator(".pair.empty")).to_be_visible(timeout=WAIT)


def try_more(page: Page, demo: str) -> None:
    try_empty(page, demo)
    page.get_by_role("button", name="More").click()
    expect(page.get_by_label("Negative prompt")).to_be_visible(timeout=WAIT)


def try_lora(page: Page, demo: str) -> None:
    """With two steps: how good the images are is no matter here."""
    browse(page, f"{demo}?base=tiny-shapes")
    lora = page.locator(".card .hit").first.get_attribute("data-ref") or ""
    page.goto(f"{demo}?view=try&steps=2&lora={lora.replace('#', '%23')}")
    expect(page.locator(".layer")).to_be_visible(timeout=WAIT)


def try_result(page: Page, demo: str) -> None:
    try_lora(page, demo)
    page.locator("#make").click()
    expect(page.locator(".pair img.over")).to_be_visible(timeout=MAKING)


def library(page: Page, demo: str) -> None:
    page.goto(f"{demo}?view=library")
    expect(page.locator("#library-heading h2")).to_be_visible(timeout=WAIT)


def library_import(page: Page, demo: str) -> None:
    library(page, demo)
    page.get_by_role("button", name="Import a lock").click()
    expect(page.get_by_label("Text of a loras.lock")).to_be_visible(timeout=WAIT)


def train(page: Page, demo: str) -> None:
    page.goto(f"{demo}?view=train")
    expect(page.locator("#train-look")).to_be_visible(timeout=WAIT)


def settings(page: Page, demo: str) -> None:
    page.goto(f"{demo}?view=settings")
    expect(page.locator("#settings .shelf")).to_be_visible(timeout=WAIT)


PLACES: MappingProxyType[str, Callable[[Page, str], None]] = MappingProxyType(
    {place.__name__: place for place in (
        browse, nothing_found, panel, try_empty, try_more, try_result, library, library_import, drawer, train, settings
    )}
)  # fmt: skip


def drop(page: Page, name: str, data: bytes, media_type: str = "") -> None:
    page.evaluate(DROP, [name, media_type, base64.b64encode(data).decode()])


def come_to_rest(page: Page) -> None:
    """Waits for images, and for Gradio's own first events; its network is never idle."""
    page.wait_for_function(AT_REST, timeout=WAIT)
    expect(page).not_to_have_url(re.compile("^about:"))
    page.wait_for_timeout(300)
