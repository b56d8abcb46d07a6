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
# As where an event comes from a page that is left: its stream is a new one, which ends as HOW says.
LATE_EVENT = """
const ask = window.fetch;
let isLeft = false;
addEventListener('beforeunload', () => {
  isLeft = true;
  setTimeout(() => document.querySelector('#dice').click(), 500);
});
window.fetch = async (...asked) => {
  const answer = await ask(...asked);
  if (!isLeft || !String(asked[0].url ?? asked[0]).includes('/queue/data')) { return answer; }
  return new Response(new ReadableStream({ start(to) { HOW } }), answer);
};
"""
BROKEN = LATE_EVENT.replace("HOW", "to.error(new TypeError('network error'));")
# What Gradio sends where the stream before it has ended and taken the session along.
FORGOTTEN = LATE_EVENT.replace(
    "HOW",
    """
    const message = { msg: 'unexpected_error', message: '404: Not Found', session_not_found: true, success: false };
    to.enqueue(new TextEncoder().encode(`data: ${JSON.stringify(message)}\n\n`));
    to.close();
    """,
)


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


# Other steps, other images: none is in the cache.
@pytest.mark.journeys
@pytest.mark.parametrize(
    ("script", "steps"),
    [("", "100"), (BROKEN, "99"), (FORGOTTEN, "98")],
    ids=["which ends its stream", "which sends an event", "which sends an event of a session that is gone"],
)
def test_a_page_that_is_left_while_images_are_made_gives_way_to_a_slow_one(
    script: str, steps: str, demo: str, browser: Browser
) -> None:
    # Not watched: a stream that breaks is an error on the console of the page that is left.
    page = browser.new_context().new_page()
    page.add_init_script(script)
    page.goto(TRY.format(demo))
    expect(page.locator(".layer output")).to_be_visible()
    page.locator("#form").get_by_label("Steps").fill(steps)
    page.locator("#make").click()
    expect(page.locator("#stop")).to_be_visible()
    page.route(re.compile(r"/\?view=library"), answer_late)
    page.goto(f"{demo}?view=library")
    expect(page.locator("#library-heading h2")).to_be_visible()
    page.context.close()


def answer_late(route: Route) -> None:
    time.sleep(6)
    route.continue_()
