"""The Try page in a real browser: every kind of sheet, what was made before, and each failure's own sentence.

Each page is opened once: leaving one while it listens for the next step is an error on its console.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import wraps
from itertools import count
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
import torch
from diffusers import UNet2DConditionModel
from playwright.sync_api import Browser, Locator, Page, expect
from safetensors.torch import save_file

from connectors.query import Query
from connectors.ref import Ref
from hub_ui.demo.hubs.folder import SAMPLES
from tests.browser import places
from tests.browser.demo import Demo, served_demo
from tests.browser.held_events import all_held, first_held
from tests.hub_ui.generate.base_hub import HUGE, INDEX, text

pytestmark = pytest.mark.browser
SECONDS = places.MAKING
GATED, LARGE = "maker/gated", "maker/huge"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A demo whose Hugging Face also has a base that is given out one by one, and one of two gigabytes."""
    folder = tmp_path_factory.mktemp("stage")
    copytree(SAMPLES, folder / "data", dirs_exist_ok=True)
    add_bases(folder / "data")
    with served_demo(folder) as demo:
        yield demo


@pytest.fixture(scope="module")
def hosted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """For strangers."""
    folder = tmp_path_factory.mktemp("hosted")
    copytree(SAMPLES, folder / "data", dirs_exist_ok=True)
    with served_demo(folder, hosted=True) as demo:
        yield demo


def add_bases(data: Path) -> None:
    files = json.loads((data / "files.json").read_text(encoding="utf-8"))
    files["huggingface"][GATED] = {"model_index.json": {**text(INDEX), "access": "gated"}}
    files["huggingface"][LARGE] = {"model_index.json": text(INDEX), "unet/config.json": text({})}
    (data / "files.json").write_text(json.dumps(files), encoding="utf-8")
    (data / "hf_model_maker__gated.json").write_text(json.dumps({"id": GATED, "gated": "manual"}), encoding="utf-8")
    (data / "hf_model_maker__huge.json").write_text(json.dumps({"id": LARGE, "siblings": [HUGE]}), encoding="utf-8")


@pytest.fixture(scope="module")
def refs(stage: Demo) -> tuple[Ref, ...]:
    """Three LoRAs for the demo's own base, in the library."""
    answers = stage.services.lookup.search(Query.of(bases=("tiny-shapes",), hubs=("civitai",)))
    loras = [lora for answer in answers if answer.page for lora in answer.page.loras]
    found = tuple(stage.services.downloads.pull(lora.ref).ref for lora in loras[:3])
    assert len(found) == 3
    return found


def opened(page: Page, address: str) -> Page:
    """The Try page, filled in."""
    page.goto(address)
    expect(page.locator(".layer output").first).to_be_visible()
    expect(page.get_by_label("Prompt", exact=True)).not_to_have_value("")
    return page


def address(stage: Demo, *refs: Ref, **settings: Any) -> str:
    given = "".join(f"&lora={str(ref).replace('#', '%23')}" for ref in refs)
    asked = "".join(f"&{name}={value}" for name, value in {"steps": 4, "prompt": "a red circle", **settings}.items())
    return f"{stage.url}?view=try{given}{asked}"


@contextmanager
def swapped(stage: Demo, ref: Ref, tensors: dict[str, torch.Tensor]) -> Iterator[None]:
    """Another file stands where a LoRA was pulled to."""
    entry = stage.services.downloads.find_installed(ref)
    assert entry is not None
    path = stage.services.library.path(entry)
    before = path.read_bytes()
    save_file(tensors, path)
    try:
        yield
    finally:
        path.write_bytes(before)


@contextmanager
def no_memory(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every network runs out of memory at once, as a full card does."""

    def full(*_args: Any, **_kwargs: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    with monkeypatch.context() as patch:
        patch.setattr(UNet2DConditionModel, "forward", full)
        yield


@contextmanager
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Images that are begun stand still after a few steps: however slow the page is, it sees them being made."""
    steps, go, forward = count(), threading.Event(), UNet2DConditionModel.forward

    @wraps(forward)
    def wait(*args: Any, **kwargs: Any) -> Any:
        if next(steps) > 3:
            go.wait()
        return forward(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(UNet2DConditionModel, "forward", wait)
        try:
            yield
        finally:
            go.set()


def opening(stage: Demo, ref: Ref) -> str:
    """Its panel beside the LoRAs of its base."""
    return f"{stage.url}?base=tiny-shapes&open={str(ref).replace('#', '%23')}"


def download_and_try(page: Page) -> None:
    page.locator(".actions").get_by_role("button", name=re.compile("try", re.IGNORECASE)).first.click()


def make(page: Page) -> None:
    page.locator("#make").click()


def toast(page: Page) -> Locator:
    return page.locator(".toast-body")


def test_a_strip_shows_a_picture_for_each_weight(stage: Demo, refs: tuple[Ref, ...], page: Page) -> None:
    opened(page, address(stage, refs[0], sheet="strip"))
    make(page)
    expect(page.locator(".tiles img")).to_have_count(5, timeout=SECONDS)
    name = page.locator(".layer b").inner_text()
    page.get_by_role("button", name=f"Compare {name} 0.6").click()
    expect(page.locator(".pair .tag.left")).to_have_text(f"without {name}")
    expect(page.locator(".pair .tag.right")).to_have_text(f"{name} 0.6")
    expect(page.locator(".layer output").first).to_have_text("0.60")
    expect(page.locator(".proof b")).to_have_text(re.compile(r"^(\d+) of \1 tensors applied$"))


@pytest.mark.journeys
def test_the_second_of_two_loras_is_varied_and_named(stage: Demo, refs: tuple[Ref, ...], page: Page) -> None:
    page.set_viewport_size({"width": 1024, "height": 900})
    opened(page, address(stage, *refs[:2], sheet="strip", weights="0,0.3,0.6,0.9,1.2"))
    second = page.locator(".layer b").nth(1).inner_text()
    page.get_by_role("combobox", name="LoRA", exact=True).click()
    page.get_by_role("option", name=second).click()
    make(page)
    expect(page.locator("#pair h3")).to_contain_text(f"Weights of {second}, with ", timeout=SECONDS)
    # At one moment: the page may still scroll to them.
    tops = page.locator(".tiles button").evaluate_all("(all) => all.map((tile) => tile.getBoundingClientRect().top)")
    assert len(set(tops)) == 1


def test_two_loras_are_seen_alone_and_together(stage: Demo, refs: tuple[Ref, ...], page: Page) -> None:
    opened(page, address(stage, *refs[:2], sheet="both"))
    make(page)
    expect(page.locator(".tiles img")).to_have_count(4, timeout=SECONDS)
    assert len({picture.get_attribute("src") for picture in page.locator(".tiles img").all()}) == 4


@pytest.mark.journeys
def test_a_grid_has_a_row_for_each_prompt(stage: Demo, refs: tuple[Ref, ...], page: Page) -> None:
    opened(page, address(stage, refs[0], sheet="grid", row="a blue cat"))
    make(page)
    expect(page.locator(".sheet tbody tr")).to_have_count(2, timeout=SECONDS)
    expect(page.locator(".sheet td img")).to_have_count(6)


@pytest.mark.journeys
def test_the_trigger_words_make_a_pair(stage: Demo, refs: tuple[Ref, ...], page: Page) -> None:
    opened(page, address(stage, refs[0], sheet="trigger"))
    make(page)
    expect(page.locator(".pair .tag.left")).to_contain_text("without “", timeout=SECONDS)


def test_what_was_made_comes_back_with_its_settings(stage: Demo, refs: tuple[Ref, ...], page: Page) -> None:
    opened(page, address(stage, refs[0], seed=11))
    make(page)
    expect(page.locator(".pair img.over")).to_be_visible(timeout=SECONDS)
    later = page.context.new_page()
    later.goto(f"{stage.url}?view=try")
    later.locator(".past").first.click()
    expect(later.locator(".proof")).to_contain_text("seed 11")
    expect(later.get_by_label("Prompt", exact=True)).to_have_value("a red circle")


def test_a_saved_picture_says_how_it_was_made(stage: Demo, refs: tuple[Ref, ...], page: Page) -> None:
    opened(page, address(stage, refs[0]))
    make(page)
    with page.expect_download(timeout=SECONDS) as saved:
        page.get_by_role("link", name="save PNG").click(timeout=SECONDS)
    assert b"Steps: 4" in Path(saved.value.path()).read_bytes()


@pytest.mark.journeys
def test_the_settings_of_an_example_are_taken_over(stage: Demo, refs: tuple[Ref, ...], page: Page) -> None:
    page.goto(f"{stage.url}?open={str(refs[0]).replace('#', '%23')}")
    page.locator(".strip figure").first.hover()
    page.get_by_role("button", name="Use these settings").first.click()
    expect(page.locator("#said")).to_contain_text("The settings of an example of")
    expect(page).to_have_url(re.compile("view=try.*prompt="))


def test_stop_ends_the_drawing_within_a_step(
    stage: Demo, refs: tuple[Ref, ...], page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(page, address(stage, refs[0], steps=500, seed=21))
    with held(monkeypatch):
        make(page)
        expect(page.locator(".progress .left")).to_be_visible(timeout=SECONDS)
        page.get_by_role("button", name="Stop").click()
        expect(page.locator("#progress")).to_have_text("Stopped. Nothing was changed.")
    expect(page.locator("#progress p")).to_be_visible()
    page.get_by_role("spinbutton", name="Steps").fill("2")
    make(page)
    expect(page.locator(".pair img.over")).to_be_visible()


@pytest.mark.journeys
def test_a_click_while_stop_is_on_its_way_counts(
    stage: Demo, refs: tuple[Ref, ...], page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(page, address(stage, refs[0], steps=500, seed=23))
    with held(monkeypatch):
        make(page)
        expect(page.locator(".progress .left")).to_be_visible(timeout=SECONDS)
        # The click on Stop brings it, and no other.
        with first_held(page, page.locator("#generation textarea").input_value()):
            page.get_by_role("button", name="Stop").click()
            page.get_by_role("spinbutton", name="Steps").fill("2")
            page.get_by_role("spinbutton", name="Seed").fill("25")
            make(page)
            expect(page.locator("#progress")).to_contain_text("Waiting for another image", timeout=SECONDS)
        expect(page.locator("#progress")).to_contain_text("Waiting for another image")
    expect(page.locator(".proof")).to_contain_text("seed 25", timeout=SECONDS)


@pytest.mark.journeys
def test_two_clicks_on_the_button_make_the_images_once(
    stage: Demo, refs: tuple[Ref, ...], page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(page, address(stage, refs[0], seed=24, steps=20))
    before = len(stage.services.history.entries())
    with held(monkeypatch):
        page.locator("#make").dblclick()
        expect(page.locator(".progress .left")).to_be_visible(timeout=SECONDS)
    expect(page.locator(".proof")).to_contain_text("seed 24", timeout=SECONDS)
    expect(page.locator("#stop")).to_be_hidden()
    assert len(stage.services.history.entries()) == before + 1


@pytest.fixture
def unwatched(browser: Browser) -> Iterator[Page]:
    """A page that may be left while it listens for the next step, which is an error on its console."""
    with browser.new_context(viewport={"width": 1440, "height": 960}) as context:
        yield context.new_page()


def test_a_page_that_is_loaded_again_in_a_preview_ends_in_the_pair(
    stage: Demo, refs: tuple[Ref, ...], unwatched: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = opened(unwatched, address(stage, refs[0], steps=20, seed=61))
    with held(monkeypatch):
        make(page)
        expect(page.locator(".progress .left")).to_be_visible(timeout=SECONDS)
        page.reload()
        expect(page.locator(".progress .left")).to_be_visible()
    expect(page.locator(".proof")).to_contain_text("seed 61", timeout=SECONDS)
    expect(page.locator(".pair img.over")).to_be_visible()
    expect(page.locator("#stop")).to_be_hidden()
    assert stage.services.history.entries(1)[0].provenance.seed == 61
    page.reload()
    expect(page.locator(".proof")).to_contain_text("seed 61", timeout=SECONDS)


@pytest.mark.journeys
def test_on_a_phone_what_is_made_comes_into_view(stage: Demo, refs: tuple[Ref, ...], page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{stage.url}?open={str(refs[1]).replace('#', '%23')}")
    page.locator(".actions").get_by_role("button", name=re.compile("try", re.IGNORECASE)).first.click()
    expect(page.locator(".pair img.over")).to_be_visible(timeout=SECONDS)
    expect(page.locator(".pair")).to_be_in_viewport(ratio=0.9)


def test_what_is_ordered_while_other_images_are_made_is_made_too(
    stage: Demo, refs: tuple[Ref, ...], page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = len(stage.services.history.entries())
    page.goto(opening(stage, refs[0]))
    with held(monkeypatch):
        download_and_try(page)
        expect(page.locator(".progress .left")).to_be_visible(timeout=SECONDS)
        page.locator("#nav").get_by_text("Browse").click()
        page.locator(f'.card .hit[data-ref^="{refs[1].lora}"]').first.click()
        download_and_try(page)
        # The page is about the newest.
        expect(page.locator("#progress")).to_contain_text("Waiting for another image", timeout=SECONDS)
        page.get_by_role("tab", name="Weights").click()
        page.get_by_role("tab", name="Without / with").click()
    expect(page.locator(".pair img.over")).to_be_visible(timeout=SECONDS)
    expect(page.locator("#stop")).to_be_hidden()
    made = stage.services.history.entries()[: -before or None]
    assert [entry.provenance.loras[0].ref.lora for entry in made] == [refs[1].lora, refs[0].lora]
    expect(page.locator(".made").nth(1)).to_contain_text(made[1].provenance.loras[0].title)


@pytest.mark.journeys
def test_images_are_ordered_with_the_form_that_was_filled_in_for_them(
    stage: Demo, refs: tuple[Ref, ...], page: Page
) -> None:
    # Events that bring a form.
    with all_held(page, "the base's own"):
        page.goto(opening(stage, refs[0]))
        download_and_try(page)
        expect(page.locator(".layer output")).to_be_visible()
        expect(page.get_by_label("Prompt", exact=True)).not_to_have_value("")
        prompt = page.get_by_label("Prompt", exact=True).input_value()
        # Time for an event that would come with the form as it was before.
        page.wait_for_timeout(1000)
    expect(page.locator(".pair img.over")).to_be_visible(timeout=SECONDS)
    assert stage.services.history.entries()[0].provenance.typed == prompt


@pytest.mark.journeys
def test_two_clicks_order_the_same_images_once(
    stage: Demo, refs: tuple[Ref, ...], page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = len(stage.services.history.entries())
    page.goto(opening(stage, refs[2]))
    with held(monkeypatch):
        expect(page.locator(".actions")).to_be_visible()
        page.locator(".actions [data-act=try]").evaluate("(button) => { button.click(); button.click(); }")
        expect(page.locator(".progress .left")).to_be_visible(timeout=SECONDS)
    expect(page.locator(".pair img.over")).to_be_visible(timeout=SECONDS)
    page.get_by_role("tab", name="Weights").click()
    expect(page.locator("#make")).to_have_text("Make the weight sweep")
    # Time for an order that was left.
    page.wait_for_timeout(1000)
    expect(page.locator("#progress")).to_have_text("")
    assert len(stage.services.history.entries()) == before + 1


@pytest.mark.journeys
def test_a_long_trigger_word_stays_within_the_form(stage: Demo, refs: tuple[Ref, ...], page: Page) -> None:
    opened(page, address(stage, refs[0]))
    page.locator("#chips mark").first.evaluate("(mark) => { mark.textContent = 'x'.repeat(300); }")
    form, chip = page.locator("#form").bounding_box(), page.locator("#chips mark").first.bounding_box()
    assert form is not None
    assert chip is not None
    assert chip["x"] + chip["width"] <= form["x"] + form["width"]


@pytest.mark.journeys
def test_what_was_found_again_can_be_stopped(
    stage: Demo, refs: tuple[Ref, ...], unwatched: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = opened(unwatched, address(stage, refs[0], steps=500, seed=62))
    with held(monkeypatch):
        make(page)
        expect(page.locator(".progress .left")).to_be_visible(timeout=SECONDS)
        page.reload()
        page.get_by_role("button", name="Stop").click()
        expect(page.locator("#progress")).to_have_text("Stopped. Nothing was changed.")
    expect(page.locator("#stop")).to_be_hidden()


@pytest.mark.journeys
def test_another_visitor_with_the_same_link_sees_nothing_of_it(
    hosted: Demo, refs: tuple[Ref, ...], page: Page, unwatched: Page
) -> None:
    mine = opened(unwatched, address(hosted, refs[0], steps=4, seed=63))
    make(mine)
    expect(mine.locator(".proof")).to_contain_text("seed 63", timeout=SECONDS)
    opened(page, mine.url)
    expect(page.locator("#estimate p")).to_be_visible(timeout=SECONDS)
    expect(page.locator(".pair")).to_have_class("pair empty")
    mine.reload()
    expect(mine.locator(".proof")).to_contain_text("seed 63", timeout=SECONDS)


@pytest.mark.journeys
def test_a_base_of_another_architecture_is_refused(stage: Demo, refs: tuple[Ref, ...], page: Page) -> None:
    page.goto(address(stage, refs[0], on="sdxl-1.0"))
    expect(page.locator("#base")).to_contain_text("no part of it would fit")
    make(page)
    expect(toast(page)).to_contain_text("Choose a base of the same architecture")


@pytest.mark.journeys
def test_a_file_that_is_no_lora_is_refused(stage: Demo, refs: tuple[Ref, ...], page: Page) -> None:
    with swapped(stage, refs[2], {"encoder.conv_in.weight": torch.ones(4, 3, 3, 3)}):
        opened(page, address(stage, refs[2], seed=31))
        make(page)
        expect(toast(page)).to_contain_text("no LoRA", timeout=SECONDS)


@pytest.mark.journeys
def test_weights_that_fit_nothing_are_named(stage: Demo, refs: tuple[Ref, ...], page: Page) -> None:
    half = {"lora_unet_mid_block_attentions_0_proj_in.lora_down.weight": torch.ones(4, 8)}
    with swapped(stage, refs[2], half):
        opened(page, address(stage, refs[2], seed=32))
        make(page)
        expect(toast(page)).to_contain_text("other half is missing", timeout=SECONDS)


@pytest.mark.journeys
def test_a_base_without_its_weights_says_so(stage: Demo, refs: tuple[Ref, ...], page: Page, tmp_path: Path) -> None:
    (tmp_path / "model_index.json").write_text('{"_class_name": "StableDiffusionPipeline"}')
    opened(page, address(stage, refs[0], on=str(tmp_path)))
    make(page)
    expect(toast(page)).to_contain_text("Choose another base", timeout=SECONDS)


def test_a_gated_base_says_how_to_get_access(stage: Demo, refs: tuple[Ref, ...], page: Page) -> None:
    opened(page, address(stage, refs[0], on=GATED))
    make(page)
    expect(toast(page)).to_contain_text("HF_TOKEN", timeout=SECONDS)


@pytest.mark.journeys
def test_too_little_memory_says_what_would_fit(
    stage: Demo, refs: tuple[Ref, ...], page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(page, address(stage, refs[0], seed=41))
    make(page)
    expect(page.locator(".pair img.over")).to_be_visible(timeout=SECONDS)
    with no_memory(monkeypatch):
        page.get_by_role("spinbutton", name="Seed").fill("42")
        make(page)
        expect(toast(page)).to_contain_text("memory", timeout=SECONDS)
        expect(toast(page)).to_contain_text("Try 64 × 64, or close other programs.")


def test_before_gigabytes_are_fetched_a_person_is_asked(stage: Demo, refs: tuple[Ref, ...], page: Page) -> None:
    opened(page, address(stage, refs[0], on=LARGE))
    make(page)
    expect(page.locator(".need")).to_contain_text("2.0 GB from maker/huge", timeout=SECONDS)
    page.get_by_role("button", name="Not now").click()
    expect(page.locator(".need")).to_have_count(0)
    expect(page.locator("#stop")).to_be_hidden()


def test_two_pages_at_once_take_turns_and_each_gets_its_own(
    stage: Demo, refs: tuple[Ref, ...], page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(page, address(stage, refs[0], seed=51, steps=20))
    other = opened(page.context.new_page(), address(stage, refs[1], seed=52))
    with held(monkeypatch):
        make(page)
        expect(page.locator(".progress .left")).to_be_visible(timeout=SECONDS)
        make(other)
        expect(other.locator("#progress")).to_contain_text("Waiting for another image")
    expect(page.locator(".proof")).to_contain_text("seed 51", timeout=SECONDS)
    expect(other.locator(".proof")).to_contain_text("seed 52", timeout=SECONDS)


@pytest.mark.journeys
def test_who_waits_may_stop_without_disturbing_the_other(
    stage: Demo, refs: tuple[Ref, ...], page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(page, address(stage, refs[0], seed=53, steps=20))
    other = opened(page.context.new_page(), address(stage, refs[1], seed=54))
    with held(monkeypatch):
        make(page)
        expect(page.locator(".progress .left")).to_be_visible(timeout=SECONDS)
        make(other)
        other.get_by_role("button", name="Stop").click()
        expect(other.locator("#progress")).to_contain_text("Stopped.")
    expect(page.locator(".proof")).to_contain_text("seed 53", timeout=SECONDS)
    expect(other.locator(".proof")).to_have_count(0)


def test_what_is_typed_survives_tabs_and_another_base(stage: Demo, refs: tuple[Ref, ...], page: Page) -> None:
    opened(page, address(stage, refs[0]))
    page.get_by_label("Prompt", exact=True).fill("a green boat")
    page.get_by_role("tab", name="Weights").click()
    expect(page.locator("#make")).to_have_text("Make the weight sweep")
    page.get_by_role("combobox", name="Base").fill("maker/own")
    page.get_by_role("combobox", name="Base").press("Enter")
    expect(page).to_have_url(re.compile("on=maker%2Fown"))
    expect(page.get_by_role("spinbutton", name="Steps")).to_have_value("20")
    expect(page.get_by_label("Prompt", exact=True)).to_have_value("a green boat")


def test_back_and_forward_fill_the_form_in_again(stage: Demo, refs: tuple[Ref, ...], page: Page) -> None:
    opened(page, address(stage, refs[0], prompt="a+boat"))
    # The header comes by itself, and with it the address that "back" leads to.
    expect(page.locator("#nav [aria-current=page]")).to_contain_text("Try")
    page.get_by_role("tab", name="Grid").click()
    expect(page).to_have_url(re.compile("sheet=grid"))
    page.go_back()
    expect(page.get_by_role("tab", name="Without / with")).to_have_attribute("aria-selected", "true")
    page.go_forward()
    expect(page.locator("#rows")).to_be_visible()


@pytest.mark.parametrize(
    ("field", "typed", "said"),
    [
        ("Steps", "0", "between 1 and 500 steps"),
        pytest.param("Size", "99999x1", "up to 4096 pixels", marks=pytest.mark.journeys),
        pytest.param("Size", "big", "1024 x 768", marks=pytest.mark.journeys),
        pytest.param("Seed", str(10**18), "Press ⟳", marks=pytest.mark.journeys),
    ],
)
def test_a_number_that_makes_no_sense_is_told_with_a_way_out(
    stage: Demo, refs: tuple[Ref, ...], page: Page, field: str, typed: str, said: str
) -> None:
    opened(page, address(stage, refs[0]))
    page.locator("#numbers").get_by_label(field, exact=True).fill(typed)
    expect(page.locator("#estimate .problem")).to_contain_text(said)
    make(page)
    expect(toast(page)).to_contain_text(said)
    expect(page.locator("#stop")).to_be_hidden()


@pytest.mark.journeys
def test_the_line_below_the_form_is_about_what_was_typed_last(stage: Demo, refs: tuple[Ref, ...], page: Page) -> None:
    opened(page, address(stage, refs[0]))
    expect(page.locator("#estimate p")).to_be_visible()
    with first_held(page, "a red circle"):
        page.locator("#numbers").get_by_label("Steps", exact=True).fill("5")
        page.locator("#numbers").get_by_label("Seed", exact=True).fill(str(10**18))
        # Time for an answer that does not wait for the one before it.
        page.wait_for_timeout(1000)
    page.wait_for_timeout(1000)
    expect(page.locator("#estimate .problem")).to_contain_text("Press ⟳")


@pytest.mark.journeys
def test_the_address_has_the_settings_of_what_is_being_made(
    stage: Demo, refs: tuple[Ref, ...], page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(page, address(stage, refs[0]))
    page.locator("#numbers").get_by_label("Steps", exact=True).fill("499")
    with held(monkeypatch):
        make(page)
        expect(page.locator("#stop")).to_be_visible()
        expect(page).to_have_url(re.compile("steps=499"))
        page.locator("#stop").click()
        expect(page.locator("#progress")).to_contain_text("Stopped")


@pytest.mark.journeys
def test_markup_in_what_is_typed_stays_text(stage: Demo, refs: tuple[Ref, ...], page: Page) -> None:
    hostile = "<img src=x onerror=alert(1)> ${alert(2)} {{3*3}} `x` \u202eevil"
    page.on("dialog", lambda dialog: pytest.fail(dialog.message))
    opened(page, address(stage, refs[0], sheet="grid", row="b"))
    page.get_by_label("Prompt", exact=True).fill(hostile)
    make(page)
    expect(page.locator(".sheet th[scope=row]").first).to_have_text(hostile.replace("\u202e", ""), timeout=SECONDS)
    expect(page.get_by_label("Prompt", exact=True)).to_have_value(hostile)


@pytest.mark.journeys
def test_strangers_get_no_history_and_no_folder_of_this_machine(
    hosted: Demo, refs: tuple[Ref, ...], page: Page
) -> None:
    page.goto(address(hosted, refs[0], on="/etc"))
    expect(page.locator("#base")).to_contain_text("A shared page generates with the bases of its list.")
    make(page)
    expect(toast(page)).to_contain_text("A shared page generates with the bases of its list.")
    expect(page.locator("#history")).to_have_text("")
