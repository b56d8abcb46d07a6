"""What a person does on a hosted page: a table of actions, each of them whole, with the person's own word in it."""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any
from urllib.parse import quote, urlencode

from tests.hub_ui.images.building import image_bytes, texts
from tests.people.browser import Browser
from tests.people.two_people import Person

# For the tiny base of the demo.
TINY = (
    "huggingface:shapeworks/ink-outline-tiny", "huggingface:hatbox/top-hat-tiny", "civitai:900102", "civitai:900103",
)  # fmt: skip
WORDS = ("ink", "robot", "hat", "neon", "flux", "style", "base:tiny-shapes", "rank:>=4")
SETTINGS = "Steps: 2, Sampler: Euler, CFG scale: 5, Seed: 77, Size: 64x64, Model: dreamshaper_8"
# What was made, or the sentence that says why not.
MADE, SAID = "#shown .proof", ".problem, #toast, [role=alert], .need"


@dataclass(frozen=True, kw_only=True)
class Visit:
    """A person at the page. Names of what they bring have a number, so that each is new."""

    person: Person
    browser: Browser
    random: Random

    def words(self, what: str) -> str:
        return f"{self.person.word}-{what}-{self.random.randrange(10**6)}"

    def image(self, text: str = "") -> bytes:
        return image_bytes(self.person.colours.image(), pnginfo=texts(parameters=text or self.words("upload")))

    def go(self, path: str = "") -> None:
        self.browser.go(self.browser.url + path)
        self.browser.one("#header")

    def own_ref(self) -> str:
        """Of their own model, or of one that is open."""
        model = self.person.model
        return self.random.choice((f"replicate:{model}", f"huggingface:{model}", self.random.choice(TINY)))

    def browse(self, query: str = "") -> None:
        self.go(f"?{query}" if query else "")
        self.browser.one("#cards .hit, .hit")

    def open(self, ref: str = "") -> None:
        """The panel, or the sentence that says why not."""
        self.go(f"?open={quote(ref or self.random.choice(TINY))}")
        self.browser.one(".lora .ref, .lora .problem, .lora [role=status]")

    def fill(self, *, loras: int = 1, **settings: object) -> None:
        """The Compare page, with LoRAs for the tiny base."""
        chosen = [("lora", f"{ref}*0.8") for ref in self.random.sample(TINY, loras)]
        asked = {"steps": 2, "seed": self.random.randrange(10**6), "prompt": self.words("prompt"), **settings}
        self.go("?" + urlencode([("view", "try"), *chosen, *((name, str(value)) for name, value in asked.items())]))
        assert self.browser.one("#prompt").get_text(strip=True) == asked["prompt"]

    def make(self, **values: str) -> None:
        """To its end."""
        self.browser.submit("form#try", "#run", values=values, part=True)
        self.browser.one(f"{MADE}, {SAID}")

    def call(self, name: str, **arguments: Any) -> list[str]:
        """An endpoint, as programs do. Returns the lines of its answer."""
        begun = self.browser.request("POST", f"{self.browser.url}gradio_api/call/v2/{name}", json=arguments)
        if begun.status_code != 200:
            return []
        path = f"{self.browser.url}gradio_api/call/{name}/{begun.json()['event_id']}"
        return [line for each in self.browser.messages(self.browser.request("GET", path)) for line in each.splitlines()]


def search(visit: Visit) -> None:
    visit.browse()
    word = visit.random.choice((*WORDS, visit.words("search")))
    visit.browser.submit("form#view", values={"q": word}, part=visit.random.random() < 0.5)
    visit.browser.one("#line")


def save_a_search(visit: Visit) -> None:
    """It is in their own cookie, and its feed is for everybody who has its address."""
    visit.go(f"news?q={quote(visit.words('saved'))}")
    visit.browser.submit("form#save-search", part=visit.random.random() < 0.5)
    visit.go("news")
    feed = visit.browser.one("#saved-rows a[href^=feed]")["href"]
    visit.browser.request("GET", visit.browser.url + str(feed)).close()


def type_a_text(visit: Visit) -> None:
    visit.browse()
    text = visit.words("typed")
    for end in range(1, len(text), 4):
        visit.browser.part(f"suggestions?before={quote(text[:end])}", "div#suggestions")
        visit.browser.part(f"./?q={quote(text[:end])}", "main#main")


def open_a_card(visit: Visit) -> None:
    visit.browse(f"q={quote(visit.random.choice(WORDS))}")
    cards = visit.browser.all(".hit")
    visit.browser.part(str(visit.random.choice(cards[:6])["href"]), "aside#panel")
    visit.browser.one(".lora .ref, .lora .problem, .lora [role=status]")


def look_at_an_image(visit: Visit) -> None:
    visit.open()
    for image in visit.browser.all(".gallery img[data-full]")[:2]:
        visit.browser.request("GET", str(image["data-full"])).close()


def open_what_is_private(visit: Visit) -> None:
    """Of their own: it opens with their key of Replicate, or once they have signed in."""
    for hub in ("replicate", "huggingface"):
        visit.open(f"{hub}:{visit.person.model}")


def stack_two(visit: Visit) -> None:
    visit.open("civitai:900102")
    visit.browser.go(str(visit.browser.one(".lora .actions a[title]:not([target])")["href"]))
    stacked = next(pair for pair in visit.browser.address.partition("?")[2].split("&") if pair.startswith("lora="))
    visit.go(f"?{stacked}&open={quote(TINY[0])}")
    visit.browser.go(str(visit.browser.one(".lora .actions a[title]:not([target])")["href"]))
    visit.browser.go(str(visit.browser.one(".places a[href^='try']")["href"]))
    # The form may have come a second time.
    assert len({layer["id"] for layer in visit.browser.all(".layer")}) == 2


def make_a_pair(visit: Visit) -> None:
    visit.fill()
    visit.make()


def make_without_scripts(visit: Visit) -> None:
    visit.fill()
    visit.browser.submit("form#try", "#run")
    visit.browser.one(f"{MADE}, {SAID}")


def begin_and_leave(visit: Visit) -> None:
    """The other's images wait behind it."""
    visit.fill(steps=30)
    form = {"prompt": visit.words("prompt"), "steps": "30", "filled": "1", "lora": TINY[0], "weight": "1", "seed": "5"}
    visit.browser.request("POST", f"{visit.browser.url}try", data=form, allow_redirects=False).close()


def stop_it(visit: Visit) -> None:
    visit.fill()
    form = {"prompt": visit.words("prompt"), "steps": "60", "filled": "1", "lora": TINY[0], "weight": "1", "seed": "6"}
    begun = visit.browser.request("POST", f"{visit.browser.url}try", data=form, allow_redirects=False)
    job = begun.headers.get("location", "").partition("job=")[2].partition("&")[0]
    if job:
        visit.browser.request("POST", f"{visit.browser.url}jobs/{job}/stop?view=try").close()


def try_what_is_private(visit: Visit) -> None:
    visit.fill(loras=1, lora=f"{visit.random.choice(('replicate', 'huggingface'))}:{visit.person.model}")
    visit.make()


def sweep_the_weights(visit: Visit) -> None:
    visit.fill(sheet="strip", weights="0,1")
    visit.make()


def make_a_grid(visit: Visit) -> None:
    visit.fill(sheet="grid", row=visit.words("row"), weights="0,1")
    visit.make()


def compare_with_other_weights(visit: Visit) -> None:
    """After the page was loaded again, which leads back to what was made."""
    make_a_pair(visit)
    visit.browser.go(visit.browser.address)
    if visit.browser.all("#others"):
        visit.browser.submit("form#try", "#others", part=True)
        visit.browser.one(f"{MADE}, {SAID}")


def change_the_form(visit: Visit) -> None:
    visit.fill(loras=2)
    visit.browser.submit("form#try", values={"prompt": visit.words("prompt"), "act": "dice"}, part=True)
    visit.browser.submit("form#try", "[id^=remove-]", part=True)


def drop_an_image(visit: Visit) -> None:
    visit.browse()
    text = f"{visit.words('dropped')} <lora:robot:0.9>\nNegative prompt: {visit.words('negative')}\n{SETTINGS}"
    file = (f"{visit.words('file')}.png", visit.image(text), "image/png")
    visit.browser.submit("form#drop", files={"file": file}, part=True)
    for name in visit.browser.all(".dropped input[name=name]")[:1]:
        # Which is the other's alone.
        visit.browser.request("GET", f"{visit.browser.url}uploaded?name={name['value']}").close()


def begin_with_an_image(visit: Visit) -> None:
    upload(visit, "image")


def give_a_control_image(visit: Visit) -> None:
    upload(visit, "control")


def upload(visit: Visit, field: str) -> None:
    visit.fill()
    file = (f"{visit.words('upload')}.png", visit.image(), "image/png")
    visit.browser.submit("form#upload", files={f"{field}_file": file}, part=True)
    chosen = str(visit.browser.one(f"#chosen-{field}")["value"])
    assert chosen
    visit.make(**{field: chosen})


def open_a_share_link(visit: Visit) -> None:
    make_a_pair(visit)
    for link in visit.browser.all("#shown [data-share]")[:1]:
        visit.browser.go(str(link["data-share"]))


def save_the_image(visit: Visit) -> None:
    make_a_pair(visit)
    for link in visit.browser.all(".proof a[download]"):
        visit.browser.request("GET", str(link["href"])).close()


def settings(visit: Visit) -> None:
    visit.go("settings?nsfw=mature")
    visit.browser.one("#keys")


def add_keys(visit: Visit) -> None:
    """Those that are not there."""
    settings(visit)
    for hub, key in visit.person.keys.items():
        settings(visit)
        if visit.browser.all(f"#{hub} input[name=key]"):
            part = visit.random.random() < 0.5
            visit.browser.submit(f"#{hub} form", f"#{hub} button[value=save]", values={"key": key}, part=part)
            visit.browser.one(f"#{hub} .good")


def remove_a_key(visit: Visit) -> None:
    settings(visit)
    if visit.browser.all("#replicate button[value=remove]"):
        visit.browser.submit("#replicate form", "#replicate button[value=remove]", part=True)


def check_a_key(visit: Visit) -> None:
    settings(visit)
    if visit.browser.all("#civitai button[value=check]"):
        visit.browser.submit("#civitai form", "#civitai button[value=check]", part=True)


def type_a_wrong_key(visit: Visit) -> None:
    settings(visit)
    for hub in ("civitai", "replicate"):
        if visit.browser.all(f"#{hub} input[name=key]"):
            wrong = {"key": f"{visit.person.keys['civitai']} wrong"}
            visit.browser.submit(f"#{hub} form", f"#{hub} button[value=save]", values=wrong)
            settings(visit)


def sign_in(visit: Visit) -> None:
    """Or out, where they are signed in."""
    settings(visit)
    link = visit.browser.one("#huggingface a.button")
    visit.browser.go(str(link["href"]))
    if "logout" not in str(link["href"]):
        visit.browser.submit("form", values={"account": visit.person.account})
        settings(visit)
        assert visit.person.account in visit.browser.one("#huggingface").get_text()


def change_the_look(visit: Visit) -> None:
    """The language, the theme, and which images are blurred."""
    for code in (visit.random.choice(("ja", "zh-CN")), ""):
        settings(visit)
        look = {"language": code, "theme": visit.random.choice(("light", "dark")), "nsfw": "mature"}
        visit.browser.submit("#look form", values=look, part=visit.random.random() < 0.5)
        assert visit.browser.one("html")["lang"] == (code or "en")


def load_again(visit: Visit) -> None:
    """Wherever they are."""
    visit.browser.go(visit.browser.address)


def keep_it(visit: Visit) -> None:
    visit.open(visit.own_ref())
    button = visit.browser.all("form[action='lora/keep'] button:not([disabled])")
    if button:
        visit.browser.submit("form[action='lora/keep']", part=visit.random.random() < 0.5)


def download_a_file(visit: Visit) -> None:
    """Their own, through the page; an open one would come from its hub."""
    visit.open(f"huggingface:{visit.person.model}")
    for link in visit.browser.all(".lora .actions a[target]")[:1]:
        visit.browser.request("GET", str(link["href"])).close()


def look_at_the_library(visit: Visit) -> None:
    """And take its lock home, then one entry out."""
    visit.go("library")
    for link in visit.browser.all(".top a[download]")[:1]:
        visit.browser.request("GET", str(link["href"])).close()
    if visit.browser.all("form[action='visit/remove']"):
        visit.browser.submit("form[action='visit/remove']", part=True)


def read_the_other_pages(visit: Visit) -> None:
    for path in ("train", "glossary", "about", "history", "downloads", "health"):
        visit.browser.request("GET", visit.browser.url + path).close()


def use_the_endpoints(visit: Visit) -> None:
    """As programs do, which this visitor's cookie tells apart."""
    ref = visit.own_ref()
    visit.call("search", text=visit.words("words"), limit=5)
    visit.call("show", ref=ref)
    visit.call("inspect", source=ref)
    told = visit.call("try", refs=[ref], prompt=visit.words("asked"), steps=2)
    for file in files_in([json.loads(line) for line in told if line.startswith("[")]):
        visit.browser.request("GET", file).close()


def files_in(value: object) -> list[str]:
    """The addresses of the files that an endpoint has made."""
    if isinstance(value, dict):
        return [str(value["url"])] if value.get("url") else [url for each in value.values() for url in files_in(each)]
    return [url for each in value for url in files_in(each)] if isinstance(value, list) else []


def ask_for_files(visit: Visit) -> None:
    """Of the server, by each of Gradio's routes and of ours; with a picture as data, which stays the person's own."""
    data = f"data:image/png;base64,{base64.b64encode(visit.image()).decode()}"
    for path in ("gradio_api/file=/etc/hostname", "gradio_api/file=../home/hub-ui", "images/../home", "images/a/b.png"):
        visit.browser.request("GET", visit.browser.url + path).close()
    visit.browser.request("POST", f"{visit.browser.url}gradio_api/call/show", json={"data": [data]}).close()


Action = Callable[[Visit], None]
# What both have done before the rest.
FIRST: tuple[Action, ...] = (add_keys, sign_in, open_what_is_private)
# How often each comes, beside the others.
ACTIONS: dict[Action, int] = {
    search: 4, open_a_card: 4, look_at_an_image: 2, begin_and_leave: 3, try_what_is_private: 4,
    compare_with_other_weights: 2, drop_an_image: 4, give_a_control_image: 3, keep_it: 3, download_a_file: 3,
    look_at_the_library: 2, use_the_endpoints: 4, ask_for_files: 1, load_again: 3, make_a_pair: 4, stop_it: 1,
    read_the_other_pages: 1, save_a_search: 1,
}  # fmt: skip
# Those that CI goes without.
LONG_ONLY: dict[Action, int] = {
    add_keys: 4, sign_in: 2, remove_a_key: 1, check_a_key: 1, type_a_wrong_key: 1, open_what_is_private: 4,
    type_a_text: 2, make_a_grid: 1, make_without_scripts: 1, change_the_form: 2, change_the_look: 1, stack_two: 2,
    sweep_the_weights: 2, begin_with_an_image: 3, open_a_share_link: 2, save_the_image: 1,
}  # fmt: skip
