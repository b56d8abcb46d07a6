"""Every event of the page gets its answer, whenever the event stream ends (widgets/scripts/event_stream.js)."""

from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import Browser, Page, Route, expect

pytestmark = pytest.mark.browser

TRY = "{}?view=try&lora=huggingface:hatbox/top-hat-tiny&prompt=a+hat"
# As on a slow network: `close_stream` comes after the response to the next event's post.
LATE_END = """
const ask = window.fetch;
const waiting = [];
window.fetch = async (...asked) => {
  const answer = await ask(...asked);
  const address = String(asked[0].url ?? asked[0]);
  if (address.includes('/queue/join')) {
    setTimeout(() => waiting.splice(0).forEach((go) => go()), 500);
  }
  if (!address.includes('/queue/data')) { return answer; }
  const late = new TransformStream({
    async transform(chunk, to) {
      const messages = new TextDecoder().decode(chunk);
      const [before, last] = messages.split('data: {"msg":"close_stream"');
      to.enqueue(new TextEncoder().encode(before));
      if (last === undefined) { return; }
      window.isEnding = true;
      if (window.isLate) { await new Promise((go) => waiting.push(go)); }
      to.enqueue(new TextEncoder().encode('data: {"msg":"close_stream"' + last));
    },
  });
  return new Response(answer.body.pipeThrough(late), answer);
};
"""


def test_a_press_while_the_event_stream_ends_is_answered(demo: str, page: Page) -> None:
    page.add_init_script(LATE_END)
    page.goto(TRY.format(demo))
    expect(page.locator(".layer output")).to_be_visible()
    page.wait_for_timeout(1000)
    page.evaluate("window.isLate = true; window.isEnding = false")
    seed = page.locator("#form").get_by_label("Seed").input_value()
    page.locator("#dice").click()
    expect(page.locator("#form").get_by_label("Seed")).not_to_have_value(seed)
    page.wait_for_function("window.isEnding")
    page.get_by_role("tab", name="Weights").click()
    expect(page.get_by_role("tab", name="Weights")).to_have_attribute("aria-selected", "true")


def test_a_page_that_is_left_while_images_are_made_gives_way_to_a_slow_one(demo: str, browser: Browser) -> None:
    # Not watched: a stream that breaks is an error on the console of the page that is left.
    page = browser.new_context().new_page()
    page.goto(TRY.format(demo))
    expect(page.locator(".layer output")).to_be_visible()
    page.locator("#form").get_by_label("Steps").fill("100")
    page.locator("#make").click()
    expect(page.locator("#stop")).to_be_visible()
    page.route(re.compile(r"/\?view=library"), answer_late)
    page.goto(f"{demo}?view=library")
    expect(page.locator("#library-heading h2")).to_be_visible()
    page.context.close()


def answer_late(route: Route) -> None:
    time.sleep(6)
    route.continue_()
