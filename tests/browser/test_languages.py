"""The page in Chinese and Japanese, as browsers ask for it: nothing on it is left in English, and nothing breaks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from shutil import copytree

import pytest
from playwright.sync_api import Browser, Page, expect

from hub_ui.demo.hubs.folder import SAMPLES
from hub_ui.i18n import LANGUAGES
from hub_ui.locales import get_language
from tests.browser import axe, places
from tests.browser.demo import served_demo
from tests.browser.layout import too_wide, unreachable
from tests.browser.places import come_to_rest
from tests.words.catalogues import placeholders, read_catalogue, strings

pytestmark = pytest.mark.browser
OTHERS = [code for code in LANGUAGES if code != "en"]
# Texts that people see, without the words of hubs and files (whose direction is "auto") and those of programs.
TEXTS = """() => {
  const foreign = '[dir=auto], [data-facet=text], code, .mono, .chip.base, style, script, [aria-hidden=true]';
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const found = [];
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    if (node && !node.closest(foreign) && node.checkVisibility()) { found.push(walker.currentNode.textContent.trim()); }
  }
  for (const node of document.querySelectorAll('[aria-label], [placeholder]')) {
    if (!node.closest(foreign) && node.checkVisibility() && !node.dataset.ref) {
      found.push((node.getAttribute('aria-label') || '').trim(), (node.placeholder || '').trim());
    }
  }
  return [...new Set(found)].filter(Boolean);
}"""
CLIPPED = """() => [...document.querySelectorAll('button, a, label, legend, th')].filter((node) =>
  node.checkVisibility() && !node.matches('.visually-hidden, .skip, [dir=auto], .hit')
  && getComputedStyle(node).overflowX !== 'visible' && node.scrollWidth > node.clientWidth + 1
).map((node) => node.textContent.trim())"""
SENTENCE = re.compile(r"\b[a-z]{2,} [a-z]{2,}\b")
ASIAN = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")
# Names and examples of input that are the same in every language.
SAME = ("a red boat",)


def english(code: str) -> list[re.Pattern[str]]:
    """Patterns of the texts that have another form in the language."""
    found = []
    for message in read_catalogue(code):
        texts = message.id if isinstance(message.id, tuple) else (message.id,)
        for text in map(str, texts):
            letters = re.sub(r"\{[^{}]*\}|[^A-Za-z]", "", text)
            if len(letters) > 2 and text not in strings(message):
                parts = re.split("|".join(map(re.escape, placeholders(text))) or "$^", text)
                found.append(re.compile(".+".join(map(re.escape, parts)), re.DOTALL))
    return found


def leftovers(page: Page, patterns: list[re.Pattern[str]]) -> list[str]:
    """What a person reads that has a translation, or looks like an English sentence."""
    texts = [text for text in page.evaluate(TEXTS) if text not in SAME and not ASIAN.search(text)]
    return [text for text in texts if SENTENCE.search(text) or any(p.fullmatch(text) for p in patterns)]


def faults(page: Page) -> list[str]:
    """What does not fit into the window, and what no hand can reach."""
    come_to_rest(page)
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return [
        *unreachable(page),
        *too_wide(page),
        *page.evaluate(CLIPPED),
        *([f"{wide} px too wide"] if wide > 0 else []),
    ]


@pytest.fixture(scope="module", params=OTHERS)
def opened(browser: Browser, demo: str, request: pytest.FixtureRequest) -> Iterator[tuple[Page, str]]:
    context = browser.new_context(
        locale=request.param, viewport={"width": 1440, "height": 900}, reduced_motion="reduce"
    )
    page = context.new_page()
    page.goto(demo)
    expect(page.locator("#grid .card .hit").first).to_be_visible()
    yield page, request.param
    context.close()


def check(page: Page, code: str) -> None:
    assert leftovers(page, english(code)) == []
    for width in (390, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        assert faults(page) == [], width
    assert axe.violations(page) == []


@pytest.mark.journeys
def test_from_a_search_to_the_try_page_and_the_rest(opened: tuple[Page, str]) -> None:
    page, code = opened
    assert page.evaluate("[document.documentElement.lang, navigator.language]") == [code, code]
    check(page, code)
    page.locator("#search textarea, #search input").fill("ink outline")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("q=ink"))
    page.locator("#grid .card .hit", has_text="Ink").first.click()
    expect(page.locator("#detail .facts")).to_be_visible()
    expect(page.locator("#detail .state")).not_to_have_text(get_language(code).gettext("Reading the file's header…"))
    check(page, code)
    page.locator("#detail [data-act=try]").first.click()
    expect(page.locator("#pair .pair img").first).to_be_visible(timeout=places.MAKING)
    check(page, code)
    for name in ("library", "train", "settings", "browse"):
        page.locator(f"#nav [data-page={name}]").click()
        expect(page.locator(f"#nav [data-page={name}][aria-current=page]")).to_be_visible()
        check(page, code)


@pytest.fixture(scope="module")
def hosted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("hosted")
    copytree(SAMPLES, folder / "data")
    with served_demo(folder, hosted=True) as demo:
        yield demo.url


@pytest.mark.journeys
@pytest.mark.parametrize("code", OTHERS)
def test_what_only_a_hosted_page_has(browser: Browser, hosted: str, code: str) -> None:
    context = browser.new_context(locale=code, viewport={"width": 1440, "height": 900}, reduced_motion="reduce")
    page = context.new_page()
    page.goto(f"{hosted}?open=civitai:731905")
    expect(page.locator("#detail .obstacle")).to_be_visible()
    assert leftovers(page, english(code)) == []
    page.goto(f"{hosted}?open=huggingface:shapeworks/ink-outline-tiny")
    # What was painted before the click may come after its answer.
    expect(page.locator("#detail .facts")).to_contain_text(get_language(code).gettext("the file itself"))
    page.locator("#detail [data-act=add]").click()
    expect(page.locator("#detail [data-act=add]")).to_be_disabled()
    for name, part in (("library", ".visit-row"), ("settings", ".key")):
        page.locator(f"#nav [data-page={name}]").click()
        expect(page.locator(part).first).to_be_visible()
        check(page, code)
    context.close()


def test_a_language_that_is_chosen_holds_for_the_browser(browser: Browser, demo: str) -> None:
    context = browser.new_context(locale="en-US")
    page = context.new_page()
    page.goto(f"{demo}?view=settings")
    for code in ("ja", "zh-CN"):
        page.locator("[data-language]").select_option(code)
        browse = get_language(code).gettext("Browse")
        expect(page.locator("#nav [data-page=browse]")).to_have_text(browse)
        expect(page.locator("html")).to_have_attribute("lang", code)
        expect(page.locator("[data-language]")).to_have_value(code)
    page.locator("[data-language]").select_option("")
    expect(page.locator("#nav [data-page=browse]")).to_have_text("Browse")
    context.close()
