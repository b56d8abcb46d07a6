"""What a person does on a hosted page: a table of actions, each of them whole, with the person's own word in it."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from urllib.parse import quote, urljoin

import gradio_client  # type: ignore[import-untyped]
from PIL.PngImagePlugin import PngInfo
from playwright.sync_api import Locator, Page, expect

from tests.browser import places
from tests.browser.two_people import Person

BOX = "#search input, #search textarea"
# For the tiny base of the demo.
TINY = (
    "huggingface:shapeworks/ink-outline-tiny", "huggingface:hatbox/top-hat-tiny", "civitai:900102", "civitai:900103",
)  # fmt: skip
WORDS = ("ink", "robot", "hat", "neon", "flux", "style", "base:tiny-shapes", "rank:>=4")
SETTINGS = "Steps: 2, Sampler: Euler, CFG scale: 5, Seed: 77, Size: 64x64, Model: dreamshaper_8"


@dataclass(frozen=True, kw_only=True)
class Visit:
    """A person in front of the page. Names of what they bring have a number, so that each is new."""

    person: Person
    page: Page
    url: str
    random: Random
    downloads: Path

    def words(self, what: str) -> str:
        return f"{self.person.word}-{what}-{self.random.randrange(10**6)}"

    def image(self, text: str = "") -> bytes:
        info, file = PngInfo(), io.BytesIO()
        info.add_text("parameters", text or self.words("text"))
        self.person.colours.image().save(file, "PNG", pnginfo=info)
        return file.getvalue()

    def go(self, query: str = "") -> None:
        self.page.goto(f"{self.url}?{query}" if query else self.url)
        expect(self.page.locator("#search")).to_be_visible(timeout=places.WAIT)

    def own_ref(self) -> str:
        """Of their own model, or of one that is open."""
        model = self.person.model
        return self.random.choice((f"replicate:{model}", f"huggingface:{model}", self.random.choice(TINY)))

    def browse(self, query: str = "") -> None:
        self.go(query)
        expect(self.page.locator("#grid .card .hit").first).to_be_visible(timeout=places.WAIT)
        expect(self.page.locator(".card.ghost")).to_have_count(0, timeout=places.WAIT)

    def open(self, ref: str = "") -> None:
        """The panel, or the sentence that says why not."""
        self.go(f"open={quote(ref or self.random.choice(TINY))}")
        expect(self.page.locator(".detail .pin, .detail .obstacle").first).to_be_visible(timeout=places.WAIT)
        expect(self.page.locator(".detail .state", has_text="Reading")).to_have_count(0, timeout=places.WAIT)

    def fill(self, *, loras: int = 1, **settings: object) -> None:
        """The Try page, with LoRAs for the tiny base."""
        chosen = "".join(f"&lora={quote(ref)}*0.8" for ref in self.random.sample(TINY, loras))
        asked = {"steps": 2, "seed": self.random.randrange(10**6), "prompt": self.words("prompt"), **settings}
        self.go("view=try" + chosen + "".join(f"&{name}={quote(str(value))}" for name, value in asked.items()))
        expect(self.page.locator(".layer output").first).to_be_visible(timeout=places.WAIT)
        expect(self.page.get_by_label("Prompt", exact=True)).to_have_value(str(asked["prompt"]), timeout=places.WAIT)

    def make(self) -> None:
        self.page.locator("#make").click()

    def see(self, what: str = ".pair img.over") -> None:
        """What was made, or the sentence that says why not."""
        shown: Locator = self.page.locator(f"{what}, .toast-body, .need")
        expect(shown.first).to_be_visible(timeout=places.MAKING)


def search(visit: Visit) -> None:
    visit.browse()
    visit.page.locator(BOX).fill(visit.random.choice((*WORDS, visit.words("search"))))
    visit.page.locator(BOX).press("Enter")
    expect(visit.page.locator(".sentence .part").first).to_be_visible(timeout=places.WAIT)


def type_a_text(visit: Visit) -> None:
    visit.browse()
    visit.page.locator(BOX).press_sequentially(visit.words("typed"), delay=20)
    visit.page.wait_for_timeout(500)


def filter_the_list(visit: Visit) -> None:
    visit.browse()
    visit.page.get_by_role("group", name="Kind").get_by_role("checkbox").first.click()
    expect(visit.page.locator(".sentence .part").first).to_be_visible(timeout=places.WAIT)


def order_the_list(visit: Visit) -> None:
    visit.browse()
    visit.page.get_by_label("Sort").click()
    visit.page.get_by_role("option", name=visit.random.choice(("Most downloaded", "Newest"))).click()
    expect(visit.page).to_have_url(re.compile("sort="), timeout=places.WAIT)


def open_a_card(visit: Visit) -> None:
    visit.browse(f"q={quote(visit.random.choice(WORDS))}")
    cards = visit.page.locator("#grid .card .hit")
    cards.nth(visit.random.randrange(min(6, cards.count()))).click()
    expect(visit.page.locator(".detail .pin")).to_be_visible(timeout=places.WAIT)


def change_the_version(visit: Visit) -> None:
    visit.open("civitai:900103")
    visit.page.locator(".versions a").last.click()
    expect(visit.page.locator(".versions li").last).to_have_class("current", timeout=places.WAIT)


def look_at_an_image(visit: Visit) -> None:
    visit.open()
    visit.page.locator(".strip > figure").first.click()
    expect(visit.page.locator(".lightbox")).to_be_visible(timeout=places.WAIT)
    visit.page.keyboard.press("Escape")


def use_an_examples_settings(visit: Visit) -> None:
    visit.open("civitai:900102")
    visit.page.locator(".strip > figure").first.click()
    visit.page.locator(".lightbox").get_by_role("button", name="Use these settings").click()
    expect(visit.page).to_have_url(re.compile("view=try"), timeout=places.WAIT)


def open_what_is_private(visit: Visit) -> None:
    """Of their own: it opens with their key of Replicate, or once they have signed in."""
    for hub in ("replicate", "huggingface"):
        visit.open(f"{hub}:{visit.person.model}")


def stack_two(visit: Visit) -> None:
    for ref in visit.random.sample(TINY, 2):
        visit.open(ref)
        visit.page.locator(".detail [data-act=stack]").click()
    visit.page.locator("#nav [data-page=try]").click()
    expect(visit.page.locator(".layer b").first).to_be_visible(timeout=places.WAIT)


def make_a_pair(visit: Visit) -> None:
    visit.fill()
    visit.make()
    visit.see()


def begin_and_leave(visit: Visit) -> None:
    """The other's images wait behind it."""
    visit.fill(steps=30)
    visit.make()
    visit.page.wait_for_timeout(300)


def try_what_is_private(visit: Visit) -> None:
    visit.fill(loras=1, lora=f"{visit.random.choice(('replicate', 'huggingface'))}:{visit.person.model}")
    visit.make()
    visit.see()


def sweep_the_weights(visit: Visit) -> None:
    visit.fill(sheet="strip", weights="0,1")
    visit.make()
    visit.see(".tiles img")


def make_a_grid(visit: Visit) -> None:
    visit.fill(sheet="grid", row=visit.words("row"), weights="0,1")
    visit.make()
    visit.see(".sheet td img")


def compare_with_other_weights(visit: Visit) -> None:
    make_a_pair(visit)
    visit.page.get_by_role("button", name="Show other weights").click()
    visit.see(".tiles.row img")


def drop_an_image(visit: Visit) -> None:
    visit.browse()
    text = f"{visit.words('dropped')} <lora:robot:0.9>\nNegative prompt: {visit.words('negative')}\n{SETTINGS}"
    places.drop(visit.page, f"{visit.words('file')}.png", visit.image(text), "image/png")
    expect(visit.page.locator(".dropped").first).to_be_visible(timeout=places.WAIT)


def begin_with_an_image(visit: Visit) -> None:
    upload(visit, "#start")


def give_a_control_image(visit: Visit) -> None:
    upload(visit, "#control")


def upload(visit: Visit, where: str) -> None:
    visit.fill()
    visit.page.get_by_role("button", name="More").click()
    file = {"name": f"{visit.words('upload')}.png", "mimeType": "image/png", "buffer": visit.image()}
    visit.page.locator(f"{where} input[type=file]").set_input_files(file)  # type: ignore[arg-type]
    expect(visit.page.locator(f"{where} img")).to_be_visible(timeout=places.WAIT)
    visit.make()
    visit.see()


def open_a_share_link(visit: Visit) -> None:
    make_a_pair(visit)
    link = visit.page.locator("[data-copy-link]").first.get_attribute("data-copy-link")
    if link is not None:
        visit.go(link)


def save_the_image(visit: Visit) -> None:
    make_a_pair(visit)
    with visit.page.expect_download(timeout=places.WAIT) as saved:
        visit.page.get_by_role("link", name="save PNG").click()
    saved.value.save_as(visit.downloads / saved.value.suggested_filename)


def save_a_search(visit: Visit) -> None:
    visit.browse("q=ink")
    visit.page.locator(".saved summary").click()
    visit.page.get_by_label("Name of this search").fill(visit.words("saved"))
    visit.page.get_by_label("Name of this search").press("Enter")
    expect(visit.page.locator(".saved-menu .name").last).to_be_visible(timeout=places.WAIT)


def add_keys(visit: Visit) -> None:
    """Those that are not there."""
    for hub, key in visit.person.keys.items():
        row = keys(visit).locator(f"[data-hub={hub}]")
        if row.locator("[data-form=key]").count():
            row.locator("input[name=key]").fill(key)
            row.locator("button[type=submit]").click()
            expect(row.locator(".state")).to_have_class("state good", timeout=places.WAIT)


def remove_a_key(visit: Visit) -> None:
    remove = keys(visit).locator("[data-key=remove]")
    count = remove.count()
    if count:
        remove.last.click()
        expect(remove).to_have_count(count - 1, timeout=places.WAIT)


def check_a_key(visit: Visit) -> None:
    check = keys(visit).locator("[data-key=check]")
    if check.count():
        check.first.click()
        expect(visit.page.locator("#settings [data-said]")).not_to_have_text(re.compile("^…?$"), timeout=places.WAIT)


def type_a_wrong_key(visit: Visit) -> None:
    field = keys(visit).locator("input[name=key]")
    if field.count():
        field.first.fill(f"{visit.person.keys['civitai']} wrong")
        field.first.press("Enter")
        expect(visit.page.locator("#settings [data-said]")).not_to_have_text(re.compile("^…?$"), timeout=places.WAIT)


def keys(visit: Visit) -> Locator:
    # It stands there first as it is for everybody, with another level.
    visit.go("view=settings&nsfw=mature")
    expect(visit.page.locator("#settings [data-input=nsfw]")).to_have_value("mature", timeout=places.WAIT)
    return visit.page.locator("#settings .keys")


def sign_in(visit: Visit) -> None:
    """Or out, where they are signed in."""
    go = keys(visit).locator("[data-go]")
    is_in = go.get_attribute("data-go") == "logout"
    go.click()
    if is_in:
        expect(go).to_have_attribute("data-go", "login/huggingface", timeout=places.WAIT)
    else:
        visit.page.locator("input[name=account]").fill(visit.person.account, timeout=places.WAIT)
        visit.page.locator("button[value=yes]").click()
        expect(visit.page.locator("#settings .shelf")).to_contain_text(visit.person.account, timeout=places.WAIT)


def change_the_language(visit: Visit) -> None:
    for code in (visit.random.choice(("ja", "zh-CN")), ""):
        keys(visit)
        visit.page.locator("#settings [data-language]").select_option(code)
        expect(visit.page.locator("html")).to_have_attribute("lang", code or "en", timeout=places.WAIT)


def change_the_theme(visit: Visit) -> None:
    keys(visit)
    visit.page.locator("#settings [data-theme]").select_option(visit.random.choice(("light", "dark")))


def choose_mature_images(visit: Visit) -> None:
    visit.browse()
    visit.page.get_by_label("Mature images", exact=True).select_option(visit.random.choice(("soft", "mature")))
    visit.page.wait_for_timeout(300)


def load_again(visit: Visit) -> None:
    """Wherever they are, the glossary included."""
    visit.page.reload()
    expect(visit.page.get_by_role("heading", level=1)).to_be_visible(timeout=places.WAIT)
    visit.page.wait_for_timeout(500)


def go_back(visit: Visit) -> None:
    visit.browse("q=ink")
    visit.page.locator("#grid .card .hit").first.click()
    expect(visit.page.locator(".detail .pin")).to_be_visible(timeout=places.WAIT)
    visit.page.go_back()
    expect(visit.page.locator(".detail")).to_have_count(0, timeout=places.WAIT)


def add_to_the_library(visit: Visit) -> None:
    visit.open(visit.own_ref())
    add = visit.page.locator(".detail [data-act=add]")
    if add.count() and add.is_enabled():
        add.click()
        visit.page.wait_for_timeout(1000)


def download_a_file(visit: Visit) -> None:
    """Their own, through the page; an open one would come from its hub."""
    visit.open(f"huggingface:{visit.person.model}")
    link = visit.page.locator(".detail a.button", has_text="Download")
    expect(link.or_(visit.page.locator(".detail .obstacle")).first).to_be_visible(timeout=places.WAIT)
    if link.count():
        address = urljoin(visit.url, link.get_attribute("href") or "")
        visit.page.context.request.get(address, headers={"sec-fetch-site": "same-origin"})


def look_at_the_library(visit: Visit) -> None:
    """And take its lock home, then one entry out."""
    visit.go("view=library")
    expect(visit.page.locator("#visit h2")).to_be_visible(timeout=places.WAIT)
    lock = visit.page.get_by_role("link", name="Download lock")
    if lock.count():
        visit.page.context.request.get(urljoin(visit.url, lock.get_attribute("href") or ""))
        visit.page.locator("#visit [data-act=drop]").last.click()


def see_what_is_closed(visit: Visit) -> None:
    visit.go("view=train")
    expect(visit.page.locator("#page-train")).to_be_visible(timeout=places.WAIT)


def read_the_glossary(visit: Visit) -> None:
    visit.page.goto(f"{visit.url}glossary")
    expect(visit.page.locator("dt, h2").first).to_be_visible(timeout=places.WAIT)


def use_the_endpoints(visit: Visit) -> None:
    """As gradio_client does, which knows this visitor by the cookie."""
    if not visit.page.url.startswith(visit.url):
        visit.go()
    cookies = "; ".join(f"{each['name']}={each['value']}" for each in visit.page.context.cookies(visit.url))
    folder = str(visit.downloads)
    client = gradio_client.Client(
        visit.url, verbose=False, headers={"cookie": cookies}, download_files=folder, analytics_enabled=False
    )  # fmt: skip
    try:
        ref = visit.own_ref()
        for call in (
            lambda: client.predict(text=visit.words("words"), limit=5, api_name="/search"),
            lambda: client.predict(ref=ref, api_name="/show"),
            lambda: client.predict(source=ref, api_name="/inspect"),
            lambda: client.predict(refs=[ref], prompt=visit.words("asked"), steps=2, api_name="/try"),
        ):
            with suppress(gradio_client.exceptions.AppError):
                call()  # type: ignore[no-untyped-call]
    finally:
        client.close()


def ask_for_files(visit: Visit) -> None:
    """Of the server, by each of Gradio's routes; with a picture as data, which stays the person's own."""
    data = f"data:image/png;base64,{base64.b64encode(visit.image()).decode()}"
    for path in ("gradio_api/file=/etc/hostname", "gradio_api/file=../home/hub-ui", "images/../home", "images/a/b.png"):
        visit.page.context.request.get(visit.url + path)
    visit.page.context.request.post(visit.url + "gradio_api/queue/join", data={"data": [data], "fn_index": 0})


Action = Callable[[Visit], None]
# What both have done before the rest.
FIRST: tuple[Action, ...] = (add_keys, sign_in, open_what_is_private)
# How often each comes, beside the others.
ACTIONS: dict[Action, int] = {
    search: 4, open_a_card: 4, look_at_an_image: 2, begin_and_leave: 3, try_what_is_private: 4,
    compare_with_other_weights: 2, drop_an_image: 4, give_a_control_image: 3, add_to_the_library: 3,
    download_a_file: 3, look_at_the_library: 2, use_the_endpoints: 4, ask_for_files: 1, load_again: 3,
}  # fmt: skip
# Those that CI goes without.
LONG_ONLY: dict[Action, int] = {
    add_keys: 4, sign_in: 2, remove_a_key: 1, check_a_key: 1, type_a_wrong_key: 1, open_what_is_private: 4,
    type_a_text: 2, filter_the_list: 1, order_the_list: 1, change_the_version: 1, make_a_pair: 4, make_a_grid: 1,
    save_a_search: 1, change_the_language: 1, change_the_theme: 1, choose_mature_images: 1, go_back: 1,
    see_what_is_closed: 1, read_the_glossary: 1, use_an_examples_settings: 2, stack_two: 2, sweep_the_weights: 2,
    begin_with_an_image: 3, open_a_share_link: 2, save_the_image: 1,
}  # fmt: skip
