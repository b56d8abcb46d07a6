from __future__ import annotations

from dataclasses import replace
from typing import Any

import gradio as gr
import pytest

from connectors.errors import UsageError
from hub_ui.pages import form
from hub_ui.pages.form import Shown
from hub_ui.pages.view import Stacked, View
from hub_ui.pages.wish import Wish
from hub_ui.services import Services
from hub_ui.widgets.render import Renderer

STACK, CHIPS, BASE, LINE, ROWS, PLACE, PROMPT, SEED, STEPS, SIZE = range(10)


def view(*refs: str, **wish: Any) -> View:
    return View(page="try", stack=tuple(Stacked(ref=ref) for ref in refs), wish=Wish(**wish))


def show(built: Services, shown: View, before: Shown | None = None) -> Any:
    return form.show(built, Renderer(), shown, before or Shown())


def typed(**changes: Any) -> list[Any]:
    values: dict[str, Any] = {
        "prompt": "a  boat", "rows": "", "base": "", "seed": 7, "steps": 4, "size": "64 x 32", "negative": "",
        "guidance": None, "sampler": form.OWN_SAMPLER, "place": form.HERE, "control": None, "kind": "canny",
    }  # fmt: skip
    return list({**values, **changes}.values())


def test_the_first_example_suggests_the_prompt_without_other_tools_tags(built: Services) -> None:
    assert show(built, view("civitai:2"))[PROMPT] == "a cat"


def test_the_base_suggests_steps_and_size(built: Services) -> None:
    painted = show(built, view("civitai:2"))
    assert (painted[STEPS], painted[SIZE]) == (20, "128 × 128")
    assert painted[BASE]["choices"] == [("Tiny Shapes", "tiny-shapes")]


def test_what_the_address_asks_for_leads(built: Services) -> None:
    painted = show(built, view("civitai:2", prompt="a dog", seed=3, steps=5, size=(64, 64)))
    assert [painted[i] for i in (PROMPT, SEED, STEPS, SIZE)] == ["a dog", 3, 5, "64 × 64"]


def test_what_is_written_already_is_left_alone_while_weights_and_tabs_change(built: Services) -> None:
    first = view("civitai:2")
    painted = show(built, replace(first, wish=replace(first.wish, sheet="grid")), Shown.of(first))
    assert painted[PROMPT:-1] == (gr.skip(),) * 7
    assert painted[ROWS] == gr.update(visible=True)


def test_a_lora_the_demo_can_not_draw_says_so_in_place(built: Services) -> None:
    painted = show(built, view("civitai:1"))
    assert "This LoRA needs FLUX.1 dev, and the demo brings only its tiny base." in painted[STACK]
    assert "No base model for this LoRA here" in painted[LINE]


def test_on_another_page_nothing_is_painted(built: Services) -> None:
    assert show(built, View()) == (gr.skip(),) * 14


def test_the_form_becomes_a_wish() -> None:
    wish = form.filled(view(sheet="strip"), typed(guidance=3, sampler="Euler a")).wish
    assert wish == Wish(prompt="a boat", seed=7, steps=4, size=(64, 32), guidance=3.0, sampler="Euler a", sheet="strip")


def test_a_size_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match="width × height"):
        form.filled(view(), typed(size="big"))


def test_replicate_is_offered_where_it_can_run_the_lora(built: Services) -> None:
    object.__setattr__(built, "settings", replace(built.settings, tokens={"replicate": "r8_x"}))
    show(built, view("civitai:1"))
    assert show(built, view("civitai:1", place="replicate"))[PLACE] == gr.update(visible=True, value="Replicate")
    assert show(built, view("civitai:2"))[PLACE] == gr.update(visible=False, value="This computer")
