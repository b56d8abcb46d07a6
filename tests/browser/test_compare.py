"""Results beside each other in a real browser: a row of weights, the history by request, any two of it, and links."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from connectors.query import Query
from connectors.ref import Ref
from tests.browser.demo import Demo, whole_demo
from tests.browser.journey import stop
from tests.browser.layout import COUNT_SHIFTS, assert_still, forget_shifts
from tests.browser.places import MAKING

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with whole_demo(tmp_path_factory.mktemp("compare")) as running:
        yield running


@pytest.fixture(scope="module")
def ref(demo: Demo) -> Ref:
    answers = demo.services.lookup.search(Query.of(bases=("tiny-shapes",), hubs=("civitai",)))
    return demo.services.downloads.pull(next(a.page.loras[0].ref for a in answers if a.page)).ref


def address(demo: Demo, ref: Ref, **settings: object) -> str:
    asked = "".join(f"&{name}={value}" for name, value in {"steps": 4, "prompt": "a red circle", **settings}.items())
    return f"{demo.url}?view=try&lora={str(ref).replace('#', '%23')}*0.8{asked}"


def made(page: Page, address: str) -> Page:
    page.goto(address)
    expect(page.locator(".layer output")).to_have_count(1)
    expect(page.get_by_label("Prompt", exact=True)).not_to_have_value("")
    page.locator("#make").click()
    expect(page.locator(".pair img.over")).to_be_visible(timeout=MAKING)
    return page


@pytest.mark.journeys
def test_other_weights_come_under_the_pair_without_moving_it(demo: Demo, ref: Ref, page: Page) -> None:
    page.add_init_script(COUNT_SHIFTS)
    made(page, address(demo, ref))
    own = page.locator(".pair img.under").get_attribute("src")
    expect(page.locator(".tiles.row .slot")).to_have_count(4)
    forget_shifts(page)
    page.get_by_role("button", name="Show other weights").click()
    expect(page.locator(".tiles.row img")).to_have_count(6, timeout=MAKING)
    assert_still(page, 0.1)
    expect(page.get_by_role("tab", name="Without / with")).to_have_attribute("aria-selected", "true")
    # The pair's own two were not generated again.
    assert page.locator(".pair img.under").get_attribute("src") == own
    assert len(demo.services.history.entries()[0].provenance.sheet.cells) == 4  # type: ignore[union-attr]
    page.locator(".tiles.row button").nth(1).click()
    expect(page.locator(".pair .tag.right")).to_contain_text(" 0.3")
    expect(page.locator(".layer output")).to_have_text("0.80")
    page.get_by_role("button", name="Use weight 0.3").click()
    expect(page.locator(".layer output")).to_have_text("0.30")


def test_the_history_groups_a_request_and_makes_it_again(demo: Demo, ref: Ref, journey: Page) -> None:
    made(journey, address(demo, ref, seed=31))
    stop(journey)
    journey.get_by_role("tab", name="Weights").click()
    expect(journey.locator("#make")).to_have_text("Make the weight sweep")
    journey.locator("#make").click()
    expect(journey.locator(".tiles img")).to_have_count(5, timeout=MAKING)
    stop(journey)
    group = journey.locator(".made").first
    expect(group.locator("small").first).to_contain_text("seed 31")
    expect(group.locator(".kind")).to_have_count(2)
    before = len(demo.services.history.entries())
    group.get_by_role("button", name="Make it again: Without / with").click()
    expect(journey.get_by_role("tab", name="Without / with")).to_have_attribute("aria-selected", "true")
    expect(journey.locator(".tiles.row")).to_be_visible(timeout=MAKING)
    assert len(demo.services.history.entries()) == before + 1
    # The same again is no row of its own.
    expect(journey.locator(".made").first.locator(".kind")).to_have_count(2)
    # And once more, though the address is the same.
    journey.locator(".made").first.get_by_role("button", name="Make it again: Without / with").click()
    expect(journey.locator(".proof")).to_contain_text("from the cache", timeout=MAKING)


@pytest.mark.journeys
def test_what_is_removed_comes_back_by_undo(demo: Demo, ref: Ref, page: Page) -> None:
    made(page, address(demo, ref, seed=41))
    rows = page.locator(".past")
    expect(page.locator(".made").first).to_contain_text("seed 41")
    count = rows.count()
    page.locator(".made").first.get_by_role("button", name="Remove").click()
    expect(rows).to_have_count(count - 1)
    page.get_by_role("button", name="Undo").click()
    expect(rows).to_have_count(count)


def test_any_two_results_are_compared_and_what_differs_is_named(demo: Demo, ref: Ref, page: Page) -> None:
    first = page.context.new_page()
    made(first, address(demo, ref, seed=51))
    made(page, address(demo, ref, seed=52, size="96x128"))
    expect(page.locator(".made").nth(1)).to_contain_text("seed 51")
    page.locator(".made").nth(1).get_by_role("button", name="Compare with what is shown").click()
    expect(page.locator(".pair .tag.left")).to_contain_text("A · with ")
    expect(page.locator(".pair .tag.right")).to_contain_text("B · with ")
    expect(page.locator(".differs dt")).to_have_text(["Seed", "Size"])
    expect(page.locator(".differs")).to_contain_text("51")
    expect(page.locator("#pair")).to_contain_text("A has 128 × 128 pixels, B 96 × 128: each is shown whole.")
    page.get_by_role("button", name="Compare without").first.click()
    expect(page.locator(".pair .tag.left")).to_have_text("A · without")
    expect(page.locator(".differs dt").first).to_contain_text("Weight of ")


def test_a_shared_link_fills_the_form_of_a_fresh_profile_and_runs_nothing(
    demo: Demo, ref: Ref, page: Page, browser: Browser
) -> None:
    made(page, address(demo, ref, seed=61, negative="blurred"))
    link = page.get_by_role("button", name="share link").get_attribute("data-copy-link") or ""
    context = browser.new_context()
    fresh = context.new_page()
    fresh.goto(f"{demo.url}?{link}")
    expect(fresh.locator("#numbers").get_by_label("Seed", exact=True)).to_have_value("61")
    expect(fresh.get_by_label("Prompt", exact=True)).to_have_value("a red circle")
    expect(fresh.locator(".layer output")).to_have_text("0.80")
    expect(fresh.locator("#estimate p")).to_be_visible()
    expect(fresh.locator(".pair")).to_have_class("pair empty")
    expect(fresh.locator("#stop")).to_be_hidden()
    context.close()
