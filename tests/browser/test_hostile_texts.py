"""Sixty hostile texts in every field of a hub: nothing runs, nothing leaves, and no layout breaks at three widths."""

import json
from collections.abc import Iterator
from pathlib import Path
from shutil import copytree
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser, Page, expect

from connectors.ref import Ref
from hub_ui.demo.hubs.folder import SAMPLES
from tests.browser.conftest import watched
from tests.browser.journey import SCREEN
from tests.browser.layout import beyond_the_window, overlaps, too_wide
from tests.browser.places import WAIT, come_to_rest
from tests.hub_ui.web.raw import Visitor, served

pytestmark = pytest.mark.browser
# What the texts run sets `window.hacked`.
RUN = "window.hacked=1"
# Of what marks up pages, templates and scripts.
MARKUP = (
    f"<script>{RUN}</script>", f"</script><script>{RUN}</script>", f"<img src=x onerror={RUN}>",
    f'"><img src=x onerror="{RUN}">', f"'><svg onload='{RUN}'>", f"<svg><script>{RUN}</script></svg>",
    f"<iframe src=\"javascript:parent.{RUN}\"></iframe>", f"<iframe srcdoc='<script>parent.{RUN}</script>'>",
    f"<body onload={RUN}>", f"<details open ontoggle={RUN}>", f"<input autofocus onfocus={RUN}>",
    f"<video><source onerror={RUN}></video>", f"<math><mtext><img src=x onerror={RUN}></mtext></math>",
    f"<a href=\"javascript:{RUN}\">open</a>", f"</textarea><script>{RUN}</script>", f"</title><script>{RUN}</script>",
    f"</style><script>{RUN}</script>", f"<!--><script>{RUN}</script>-->", f"]]><script>{RUN}</script>",
    f"<template><script>{RUN}</script></template>", f"<object data=\"javascript:{RUN}\"></object>",
    f"<meta http-equiv=refresh content='0;url=javascript:{RUN}'>", "<base href='https://example.invalid/'>",
    f"<form action=\"javascript:{RUN}\"><button>go</button></form>", f"&lt;script&gt;{RUN}&lt;/script&gt;",
    f"&#60;img src=x onerror={RUN}&#62;", f"\\x3cscript\\x3e{RUN}\\x3c/script\\x3e", f"<x/onpointerenter={RUN}>hover",
    f"${{{RUN}}}", f"`${{{RUN}}}`", f"{{{{{RUN}}}}}", f"{{{{{{{RUN}}}}}}}", "{% for x in y %}", "{{ config.items() }}",
    "{{#each this}}{{/each}}", "<%= 7*7 %>", "#{7*7}", f"\";{RUN};//", f"';{RUN};//", f"\\\";{RUN};//",
)  # fmt: skip
# Of links, styles, terminals, paths and tables.
SYNTAX = (
    f"[open](javascript:{RUN})", f"![](x\"onerror=\"{RUN})", f"data:text/html,<script>{RUN}</script>",
    "<style>*{display:none}</style>", "background:url(https://example.invalid/x);position:fixed",
    "\x1b[31mred\x1b]0;title\x07", "../../../../etc/passwd", "C:\\con\\nul\\..\\x.exe", "=HYPERLINK(\"x\",\"y\")",
    "'; DROP TABLE loras; --", "%00%0d%0aSet-Cookie: a=b", "javascript:" + RUN,
)  # fmt: skip
# Of what is hard to draw.
SHAPES = (
    "nul\x00 bell\x07 tab\t line\nbreak", "\u202egpj.evil\u202c \u2066x", "\u200b\u200d\ufeff\u00ad" * 50,
    "Z\u0351\u0363\u0357\u0304\u0307\u034f\u0324" * 40, "👩‍👩‍👧‍👦" * 60, "half \ud800 and \udfff a character",
    "w" * 5_000, "x" * 100_000,
)  # fmt: skip
TEXTS = MARKUP + SYNTAX + SHAPES
assert len(TEXTS) == 60


FIRST = 8_000_001
EVERYTHING = FIRST + len(TEXTS)
_PICTURE = "{CIVITAI_ENDPOINT}/pictures/original=true/sks-robot-3.webp"


def write_hub(folder: Path) -> None:
    """Adds the LoRAs to a data folder of the local hubs, with files that say the same in their headers."""
    files = json.loads((folder / "files.json").read_text(encoding="utf-8"))
    for number, texts in enumerate([*([text] for text in TEXTS), list(TEXTS)], FIRST):
        model = _model(number, texts)
        (folder / f"civitai_model_{number}.json").write_text(json.dumps(model), encoding="utf-8")
        files["civitai"][str(number)] = {"safetensors": _file(number, texts[0])}
    (folder / "files.json").write_text(json.dumps(files), encoding="utf-8")


def _model(number: int, texts: list[str]) -> dict[str, Any]:
    """A sample's, with these texts in every field that its author can write."""
    model = json.loads((SAMPLES / "civitai_model_900103.json").read_text(encoding="utf-8"))
    first, whole = texts[0], " ".join(texts)
    version = model["modelVersions"][0]
    image = version["images"][0]
    version |= {"baseModel": first, "trainedWords": texts, "description": whole, "name": first}
    # The local hub serves no file whose name leads out of its folder, or can't stand in an address.
    name = "".join(filter(str.isprintable, first[:200].replace("..", "")))
    version["files"][0] |= {"id": number, "name": f"{name}.safetensors", "sizeKB": None, "hashes": {}}
    version["images"] = [
        {**image, "id": number * 100 + place, "url": _PICTURE, "meta": {"prompt": text, "negativePrompt": text,
         "sampler": text, "Model": text, "steps": text, "resources": [{"name": text, "type": "lora", "weight": text}]}}
        for place, text in enumerate(texts)
    ]  # fmt: skip
    versions = [{**version, "id": number}]
    for place, text in enumerate(texts[1:], 1):
        versions.append({**version, "id": number * 100 + place, "name": text, "files": [], "images": []})
    return {
        **model, "id": number, "name": first, "description": f"<p>{whole}</p>{whole}", "tags": texts,
        "creator": {"username": first, "image": first}, "baseModels": [first], "allowCommercialUse": first,
        "modelVersions": versions,
    }  # fmt: skip


def _file(number: int, text: str) -> dict[str, Any]:
    """A small LoRA of Stable Diffusion. Half a character would be refused with the whole header."""
    clean = text.encode("utf-8", "replace").decode()
    name = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q"
    tensors = {f"{name}.lora_down.weight": ["F16", [4, 320]], f"{name}.lora_up.weight": ["F16", [320, 4]]}
    words = {key: clean[:9_000] for key in ("ss_output_name", "modelspec.title", "modelspec.trigger_phrase",
             "ss_base_model_version", "ss_network_module", "modelspec.author", "modelspec.license")}  # fmt: skip
    return {"tensors": tensors, "metadata": words, "seed": number}


WIDTHS = (1440, 1024, 390)
# Nothing ran, and nothing that could run is in the page.
HARM = """() => [...document.querySelectorAll(
  'iframe, object, embed, base, [href^="javascript:" i], [src^="javascript:" i], [onerror], [onload], main style'
)].map((node) => node.outerHTML.slice(0, 120)).concat(window.hacked ? ['it ran'] : [])"""
REFS = [Ref.parse(f"civitai:{FIRST + number}@{FIRST + number}#{FIRST + number}") for number in range(len(TEXTS))]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visitor]:
    """A demo with the sixty on its hub and in its library, each with notes and tags and a collection of its own."""
    folder = tmp_path_factory.mktemp("hostile")
    copytree(SAMPLES, folder / "data", dirs_exist_ok=True)
    write_hub(folder / "data")
    with served(folder / "home", data=folder / "data") as demo:
        for ref, text in zip(REFS, TEXTS, strict=True):
            pulled = demo.services.downloads.pull(ref)
            demo.services.collections.add(text[:60], [pulled])
            words = {"note": text[:2_000], "tags": (text[:60],), "trigger_words": (text[:60],)}
            demo.services.annotations.change(ref.lora, **words)
        yield demo


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with watched(browser, viewport=SCREEN, reduced_motion="reduce") as opened:
        yield opened
        assert opened.evaluate(HARM) == []


def expect_whole(page: Page, containers: str) -> None:
    """At each width: everything lies in the window, and no text on another."""
    faults = {}
    come_to_rest(page)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 960})
        page.wait_for_timeout(100)
        found = [*beyond_the_window(page), *overlaps(page, containers), *(f"scrolls: {box}" for box in too_wide(page))]
        beside = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        faults[width] = [*found[:8], *([f"{beside} pixels beside the window"] if beside > 0 else [])]
    assert faults == {width: [] for width in WIDTHS}
    page.set_viewport_size({"width": WIDTHS[0], "height": 960})


def test_in_cards_filters_and_the_panel_of_what_has_all_of_them(hostile: Visitor, page: Page) -> None:
    """As versions, tags, trigger words, prompts and description."""
    page.goto(f"{hostile.url}?hub=civitai&sort=newest&nsfw=explicit")
    expect(page.locator(".card .hit").nth(23)).to_be_attached(timeout=WAIT)
    expect_whole(page, ".card, #filters, #line")
    page.goto(f"{hostile.url}?open=civitai:{EVERYTHING}")
    expect(page.locator("#panel .actions")).to_be_visible(timeout=WAIT)
    expect_whole(page, "#panel")


@pytest.mark.journeys
def test_in_the_library_its_entries_and_names_of_collections(hostile: Visitor, page: Page) -> None:
    page.goto(f"{hostile.url}library")
    expect(page.locator(".shelf tbody tr").first).to_be_visible()
    expect_whole(page, ".shelf tr, #filters")
    page.locator(".shelf .hit").first.click()
    expect(page.locator("#panel .entry")).to_be_visible()
    expect_whole(page, "#panel")
    page.goto(f"{hostile.url}library?ltool=collections")
    expect(page.locator("#tool .plan tr")).to_have_count(len(TEXTS))
    expect_whole(page, "#tool")


@pytest.mark.journeys
def test_in_the_loras_and_the_form_of_the_compare_page(hostile: Visitor, page: Page) -> None:
    loras = [("lora", str(ref)) for ref in (*REFS[:3], *REFS[-4:])]
    asked = [("view", "try"), *loras, ("prompt", " ".join(TEXTS[:52]))]
    page.goto(f"{hostile.url}?{urlencode(asked, errors='replace')}")
    expect(page.locator(".layer").first).to_be_visible()
    expect_whole(page, ".layer, #making, #stage")


@pytest.mark.journeys
def test_in_the_search_box_and_in_each_part_of_the_address(hostile: Visitor, page: Page) -> None:
    page.goto(hostile.url)
    # An address that names no LoRA is refused, which a browser notes as an error where nothing overtakes the answer.
    for text in (text for text in TEXTS if "://" not in text):
        page.locator("#q").fill(text.replace("\ud800", "").replace("\udfff", "")[:1_000])
        page.locator("#q").press("Enter")
    expect_whole(page, "#line, #header")
    names = "q base kind hub sort nsfw open view lora prompt seed sheet on row steps lq lset ltool lsort tag"
    for start in range(0, len(TEXTS), 20):
        parts = dict(zip(names.split(), (text[:500] for text in TEXTS[start : start + 20]), strict=True))
        page.goto(f"{hostile.url}?{urlencode(parts, errors='replace')}")
        expect(page.locator("#header")).to_be_visible()
        expect_whole(page, "#line, #header")
