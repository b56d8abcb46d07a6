"""The stack and the weight sweep in a real browser: order, names, range, and where artifacts are likely."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from connectors.query import Query
from connectors.ref import Ref
from tests.browser import places
from tests.browser.demo import Demo, whole_demo
from tests.browser.held_events import first_held
from tests.browser.journey import stop

pytestmark = [pytest.mark.browser, pytest.mark.journeys]
SECONDS = places.MAKING


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with whole_demo(tmp_path_factory.mktemp("sweep")) as running:
        yield running


@pytest.fixture(scope="module")
def refs(demo: Demo) -> tuple[Ref, ...]:
    answers = demo.services.lookup.search(Query.of(bases=("tiny-shapes",), hubs=("civitai",)))
    loras = [lora for answer in answers if answer.page for lora in answer.page.loras]
    return tuple(demo.services.downloads.pull(lora.ref).ref for lora in loras[:3])


def opened(page: Page, demo: Demo, *loras: str, **settings: str) -> Page:
    given = "".join(f"&lora={lora.replace('#', '%23')}" for lora in loras)
    asked = "".join(f"&{name}={value}" for name, value in {"steps": "4", "prompt": "a red circle", **settings}.items())
    page.goto(f"{demo.url}?view=try{given}{asked}")
    expect(page.locator(".layer output")).to_have_count(len(loras))
    expect(page.get_by_label("Prompt", exact=True)).to_have_value(settings.get("prompt", "a red circle"))
    return page


def titles(page: Page) -> list[str]:
    return page.locator(".layer b").all_inner_texts()


def test_a_warning_stands_under_the_slider_while_it_is_above_1(demo: Demo, refs: tuple[Ref, ...], page: Page) -> None:
    opened(page, demo, f"{refs[0]}*1", f"{refs[1]}*0.5")
    warnings, slider = page.locator(".layer .above"), page.locator(".layer input").first
    expect(warnings.first).to_be_hidden()
    # Not its place: what comes above it or beside it later may move it.
    height = page.locator(".layer").first.evaluate("(node) => node.offsetHeight")
    # Without the server: the event of a slider that is still held.
    slider.evaluate("(node) => { node.value = 1.3; node.dispatchEvent(new Event('input', { bubbles: true })); }")
    assert warnings.first.evaluate("(node) => getComputedStyle(node).visibility") == "visible"
    assert warnings.nth(1).evaluate("(node) => getComputedStyle(node).visibility") == "hidden"
    assert page.locator(".layer").first.evaluate("(node) => node.offsetHeight") == height
    slider.evaluate("(node) => { node.value = 1; node.dispatchEvent(new Event('input', { bubbles: true })); }")
    expect(warnings.first).to_be_hidden()


def test_loras_change_places_by_keyboard(demo: Demo, refs: tuple[Ref, ...], page: Page) -> None:
    opened(page, demo, *(str(ref) for ref in refs))
    first, second, third = titles(page)
    page.get_by_role("button", name=f"Move {first} down").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".layer b").first).to_have_text(second)
    expect(page.get_by_role("button", name=f"Move {first} down")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".layer b").nth(2)).to_have_text(first)
    # There it goes no further down.
    expect(page.get_by_role("button", name=f"Move {first} up")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".layer b").nth(1)).to_have_text(first)
    assert titles(page) == [second, first, third]


def test_each_of_two_weights_in_quick_succession_counts(demo: Demo, refs: tuple[Ref, ...], page: Page) -> None:
    opened(page, demo, f"{refs[0]}*1", f"{refs[1]}*1")
    with first_held(page, "weigh"):
        for at, weight in enumerate(("0.5", "0.25")):
            page.locator(".layer input").nth(at).fill(weight)
    expect(page).to_have_url(re.compile(r"\*0\.5&.*\*0\.25&"))


def test_the_page_stays_where_its_next_form_comes_before_the_header(
    demo: Demo, refs: tuple[Ref, ...], page: Page
) -> None:
    opened(page, demo, str(refs[0]))
    expect(page.locator("#nav [aria-current=page]")).to_contain_text("Try")
    page.evaluate("document.querySelector('[data-stack]').dataset.stack = 'the-next'")
    expect(page.locator("#form")).to_be_visible()


def test_a_range_writes_the_weights_and_the_sweep_has_them(demo: Demo, refs: tuple[Ref, ...], page: Page) -> None:
    opened(page, demo, str(refs[0]), sheet="strip")
    name = titles(page)[0]
    page.get_by_label("To", exact=True).fill("1.5")
    page.get_by_label("Images", exact=True).fill("4")
    expect(page.get_by_role("textbox", name="Weights")).to_have_value("0, 0.5, 1, 1.5")
    page.locator("#make").click()
    expect(page.locator(".tiles img")).to_have_count(4, timeout=SECONDS)
    assert [" ".join(text.split()) for text in page.locator(".tiles .tag").all_inner_texts()] == [
        f"{name} {weight}" for weight in ("0", "0.5", "1", "1.5")
    ]
    expect(page.locator(".tiles .tag.high")).to_have_count(1)
    page.get_by_role("textbox", name="Weights").fill("0.2, 0.6")
    page.keyboard.press("Tab")
    expect(page.get_by_label("Images", exact=True)).to_have_value("2")


def test_a_grid_names_the_lora_above_each_column(demo: Demo, refs: tuple[Ref, ...], journey: Page) -> None:
    opened(journey, demo, str(refs[0]), f"{refs[1]}*0.5", sheet="grid", weights="0,1", varied="1")
    first, second = titles(journey)
    stop(journey)
    journey.locator("#make").click()
    expect(journey.locator(".sheet th[scope=col]")).to_have_text([f"{second} 0", f"{second} 1"], timeout=SECONDS)
    expect(journey.locator("#pair h3").first).to_have_text(f"Weights of {second}, with {first} 1")
