"""The Compare page in a real browser: what only a browser can see of it."""

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from itertools import count
from typing import Any
from urllib.parse import quote

import pytest
from diffusers import UNet2DConditionModel
from playwright.sync_api import Page, Route, expect

from connectors.query import Query
from tests.browser.places import MAKING, MOMENT
from tests.hub_ui.web.raw import Visitor

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def refs(whole: Visitor) -> tuple[str, ...]:
    """Two LoRAs for the demo's own base, in the library."""
    groups = whole.services.lookup.search(Query(bases=("tiny-shapes",), hubs=("civitai",)))
    loras = [lora for group in groups for answer in group if answer.page for lora in answer.page.loras]
    return tuple(str(whole.services.downloads.pull(lora.ref).ref) for lora in loras[:2])


@contextmanager
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Images that are begun stand still after a few steps, until they are let go."""
    steps, go, forward = count(), threading.Event(), UNet2DConditionModel.forward

    @wraps(forward)
    def wait(*args: Any, **kwargs: Any) -> Any:
        if next(steps) > 3:
            go.wait()
        return forward(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(UNet2DConditionModel, "forward", wait)
        try:
            yield go
        finally:
            go.set()


def address(whole: Visitor, *refs: str, **settings: Any) -> str:
    given = "".join(f"&lora={quote(ref)}" for ref in refs)
    asked = "".join(f"&{name}={value}" for name, value in {"steps": 3, "prompt": "a red circle", **settings}.items())
    return f"{whole.url}try?{(given + asked)[1:]}"


def make(page: Page) -> None:
    page.locator("#run").click()


def test_a_card_is_tried_at_once_and_its_pair_s_line_moves(whole: Visitor, refs: tuple[str, ...], page: Page) -> None:
    page.goto(f"{whole.url}?base=tiny-shapes")
    page.locator(".card:has(.try) .hit").first.focus()
    page.locator(".card .try").first.click()
    line = page.get_by_role("slider", name=re.compile("^Compare without and with"))
    expect(line).to_be_attached(timeout=MAKING)
    over = page.locator("#pair .over")
    before = over.evaluate("image => getComputedStyle(image).clipPath")
    line.press("ArrowRight")
    assert over.evaluate("image => getComputedStyle(image).clipPath") != before
    expect(page.locator(".proof b")).to_have_text(re.compile(r"\d+ of \d+ tensors applied"))
    both = page.locator("#history").get_by_text("Compare ticked")
    expect(both).to_be_hidden()
    page.locator("#history [name=open]").first.check()
    expect(both).to_be_visible()


def test_arrows_go_through_a_row_and_its_weight_is_the_forms(whole: Visitor, refs: tuple[str, ...], page: Page) -> None:
    page.goto(address(whole, refs[0], sheet="strip", weights="0,0.5,1.2"))
    make(page)
    first = page.locator(".strip .tile").first
    expect(first).to_be_visible(timeout=MAKING)
    first.focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".layer output")).to_have_text("0.50")
    expect(page.locator("#tile-1")).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".layer output")).to_have_text("1.20")
    expect(page.locator("#pair .under")).to_have_attribute("alt", re.compile("1.2$"))


def test_stop_ends_it_and_what_is_typed_meanwhile_stays(
    whole: Visitor, refs: tuple[str, ...], page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    with held(monkeypatch):
        page.goto(address(whole, refs[0], seed=13, steps=12))
        make(page)
        expect(page.locator("#preview")).to_be_visible(timeout=MAKING)
        page.locator("#prompt").fill("a blue square")
        page.get_by_role("button", name="Stop").click()
        expect(page.locator("#shown")).to_contain_text("Stopped.")
    expect(page.locator("#run")).to_have_text("Make the pair")
    expect(page.locator("#prompt")).to_have_value("a blue square")


def test_clicks_in_quick_succession_all_count(whole: Visitor, refs: tuple[str, ...], page: Page) -> None:
    page.goto(address(whole, *refs, seed=14))

    def late(route: Route) -> None:
        page.wait_for_timeout(150)
        route.continue_()

    page.route("**/try/form", late)
    # All before the first answer; the second click on "remove" is on a button that the first one takes away.
    remove = ".layer [id^=remove]"
    buttons = ["#tab-strip", "#words-switch", remove, remove, "#dice"]
    page.evaluate("names => names.forEach((name) => document.querySelector(name).click())", buttons)
    expect(page.locator("#words")).to_contain_text("The trigger words are left out.")
    expect(page.locator("#tab-strip")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("[name=seed]")).not_to_have_value("14")
    expect(page.locator("#making [name=lora]")).to_have_value(refs[1])
    expect(page).to_have_url(re.compile("words=off.*sheet=strip"))


def test_words_switch_keeps_the_focus(whole: Visitor, refs: tuple[str, ...], page: Page) -> None:
    page.goto(address(whole, refs[0]))
    page.get_by_role("button", name="Leave them out").press("Enter")
    expect(page.get_by_role("button", name="Put them in")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Leave them out")).to_be_focused()


def lose_answer(page: Page, pattern: str) -> None:
    """Let the next request fail as it does while hub-ui is stopped."""
    page.route(pattern, lambda route: route.abort(), times=1)


def test_lost_note_goes_with_the_next_answer(
    whole: Visitor, refs: tuple[str, ...], open_page: Callable[..., Page]
) -> None:
    page = open_page()
    page.goto(address(whole, refs[0], seed=15))
    lose_answer(page, "**/try")
    make(page)
    expect(page.locator("#toast")).to_contain_text("The page gets no answer.")
    make(page)
    expect(page.locator(".pair img.over")).to_be_visible(timeout=MAKING)
    expect(page.locator("#toast")).to_be_empty()


def test_lost_note_goes_with_the_next_step_of_a_stream(
    whole: Visitor, refs: tuple[str, ...], open_page: Callable[..., Page], monkeypatch: pytest.MonkeyPatch
) -> None:
    page = open_page()
    with held(monkeypatch):
        page.goto(address(whole, refs[0], seed=16, steps=12))
        make(page)
        expect(page.locator("#preview")).to_be_visible(timeout=MAKING)
        lose_answer(page, "**/try/form")
        page.locator("#dice").click()
        expect(page.locator("#toast")).to_contain_text("The page gets no answer.")
    expect(page.locator("#toast")).to_be_empty()


def open_unseen(fresh: Visitor, page: Page) -> Route:
    """Open a LoRA that the catalog has not seen, and hold back the request for its facts, which is returned."""
    held: list[Route] = []
    page.route("**/try/ask?*", lambda route: held.append(route), times=1)
    page.goto(address(fresh, "civitai:900103", seed=5))
    while not held:
        page.wait_for_timeout(MOMENT)
    return held[0]


def test_first_click_wins_when_facts_arrive_later(fresh: Visitor, page: Page) -> None:
    facts = open_unseen(fresh, page)
    with page.expect_response("**/try"):
        make(page)
    facts.continue_()
    expect(page.locator(".pair img.over")).to_be_visible(timeout=MAKING)
    expect(page.locator(".layer a")).to_have_text("SKS Robot")


def test_first_click_wins_when_facts_arrive_before_its_answer(fresh: Visitor, page: Page) -> None:
    facts = open_unseen(fresh, page)

    def answer_after_facts(route: Route) -> None:
        facts.fulfill(response=facts.fetch())
        route.continue_()

    page.route("**/try", answer_after_facts)
    make(page)
    expect(page.locator(".pair img.over")).to_be_visible(timeout=MAKING)


def test_changed_field_stays_when_facts_arrive_later(fresh: Visitor, page: Page) -> None:
    facts = open_unseen(fresh, page)
    page.locator("#try [name=steps]").fill("4")
    with page.expect_response("**/try/form"):
        page.locator("#try [name=steps]").press("Tab")
    facts.continue_()
    expect(page.locator(".layer a")).to_have_text("SKS Robot")
    expect(page.locator("#try [name=steps]")).to_have_value("4")
