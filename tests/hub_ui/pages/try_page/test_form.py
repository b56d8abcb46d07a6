from __future__ import annotations

from dataclasses import replace
from typing import Any

import gradio as gr
import pytest

from connectors.errors import UsageError
from connectors.ref import Ref
from hub_ui.pages.try_page import form
from hub_ui.pages.try_page.form import FormSource
from hub_ui.web.view import StackedLora, TrySettings, View
from hub_ui.services import Services
from hub_ui.widgets.render import Renderer
from tests.hub_ui.catalog.builders import claim, lora, version
from tests.hub_ui.web.conftest import with_settings

STACK, CHIPS, BASE, LINE, ROWS, PLACE, WEIGHTS, VARIED, PROMPT, SEED, STEPS, SIZE = range(12)
RANGE = 19


def view(*refs: str, **settings: Any) -> View:
    return View(page="try", stack=tuple(StackedLora(ref=ref) for ref in refs), settings=TrySettings(**settings))


def show(built: Services, shown: View, before: FormSource | None = None) -> Any:
    return form.show(built, Renderer(), shown, before or FormSource())


def typed(**changes: Any) -> list[Any]:
    values: dict[str, Any] = {
        "prompt": "a  boat", "rows": "", "base": "", "seed": 7, "steps": 4, "size": "64 x 32", "negative": "",
        "guidance": None, "sampler": form.OWN_SAMPLER, "place": form.HERE, "control": None, "kind": "canny",
        "weights": "", "varied": None, "quality": "balanced", "clip_weights": "", "blocks": "", "image": None,
        "strength": 0.6,
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
    painted = show(built, replace(first, settings=replace(first.settings, sheet="grid")), FormSource.of(first))
    assert painted[PROMPT:RANGE] == (gr.skip(),) * 11
    assert painted[ROWS] == gr.update(visible=True)


def test_a_lora_the_demo_can_not_draw_says_so_in_place(built: Services) -> None:
    painted = show(built, view("civitai:1"))
    assert "This LoRA needs FLUX.1 dev, and the demo brings only its tiny base." in painted[STACK]
    assert "No base model for this LoRA here" in painted[LINE]


def test_a_base_that_is_chosen_while_the_form_is_on_its_way_stays(built: Services) -> None:
    looked = view("civitai:2", sheet="strip")
    same = form.show(built, Renderer(), looked, FormSource.of(looked), "", "maker/own")[BASE]
    assert ("choices" in same, "value" in same) == (True, False)
    # None stands there where its LoRA could not be looked up before.
    assert form.show(built, Renderer(), looked, FormSource.of(looked), "", "")[BASE]["value"] == "tiny-shapes"
    other = form.show(built, Renderer(), looked, FormSource.of(view("civitai:1")), "", "flux.1-dev")[BASE]
    assert other["value"] == "tiny-shapes"


def test_on_another_page_nothing_is_painted(built: Services) -> None:
    assert show(built, View()) == (gr.skip(),) * 23


def test_the_form_becomes_a_wish() -> None:
    settings = form.read_form(view(sheet="strip"), typed(guidance=3, sampler="Euler a")).settings
    assert settings == TrySettings(
        prompt="a boat", seed=7, steps=4, size=(64, 32), guidance=3.0, sampler="Euler a", sheet="strip"
    )


def test_the_weights_of_a_loras_parts_and_the_image_to_start_from_are_read() -> None:
    values = typed(clip_weights="0.5, 0.5", blocks="OUTALL; lbw=1, 0, 0.5", image="/tmp/cat.png", strength=0.4)
    filled = form.read_form(view(), values)
    assert (filled.image, filled.settings.strength) == ("/tmp/cat.png", 0.4)
    assert (filled.settings.clip_weights, filled.settings.blocks) == ((0.5, 0.5), ("OUTALL", "lbw=1,0,0.5"))


@pytest.mark.parametrize(
    ("typing", "said"),
    [
        ({"size": "big"}, "width × height"),
        ({"seed": -1}, "Press ⟳"),
        ({"seed": 2**60}, "Press ⟳"),
        ({"clip_weights": "5"}, "A clip weight is a number from -1 to 2"),
        ({"blocks": "1;;2"}, "Block weights are a name such as OUTALL"),
    ],
)
def test_what_can_not_be_meant_is_refused_with_a_way_out(typing: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        form.read_form(view(), typed(**typing))


def test_no_steps_are_not_taken_for_the_usual_number() -> None:
    assert form.read_form(view(), typed(steps=0)).settings.steps == 0


def test_another_base_suggests_its_own_numbers_and_leaves_what_is_written() -> None:
    settings = form.read_form_for_new_base(view(), typed(base=" sdxl-1.0 ", negative="blur", guidance=3))
    assert settings == TrySettings(prompt="a boat", negative="blur", seed=7, base="sdxl-1.0")


def test_another_base_fills_the_form_in_anew(built: Services) -> None:
    first = view("civitai:2", prompt="a boat")
    other = replace(first, settings=replace(first.settings, base="maker/own"))
    assert show(built, other, FormSource.of(first))[PROMPT:SIZE] == ("a boat", 417, 20)


def test_after_a_wrong_base_the_right_ones_are_offered(built: Services) -> None:
    painted = show(built, view("civitai:2", base="sdxl-1.0"))
    assert painted[BASE]["choices"] == [("Tiny Shapes", "tiny-shapes")]
    assert "no part of it would fit" in painted[LINE]


def test_nothing_is_claimed_of_the_size_of_a_base_of_ones_own(built: Services) -> None:
    assert "GB" not in show(built, view("civitai:2", base="maker/own"))[LINE]


def test_a_lora_that_does_not_fit_beside_the_first_says_so_in_place(built: Services) -> None:
    built = with_settings(built, demo=False)
    assert "LoRA: does not fit Tiny Shapes. Take one of them away" in show(built, view("civitai:2", "civitai:1"))[STACK]


@pytest.mark.parametrize("base", ["/etc", "/etc/passwd.safetensors", "maker/own"])
def test_strangers_choose_among_the_bases_of_the_list(built: Services, base: str) -> None:
    built = with_settings(built, hosted=True)
    assert "A shared page generates with the bases of its list." in show(built, view("civitai:2", base=base))[LINE]


def test_replicate_is_offered_where_it_can_run_the_lora(built: Services) -> None:
    built = with_settings(built, tokens={"replicate": "r8_x"})
    show(built, view("civitai:1"))
    assert show(built, view("civitai:1", place="replicate"))[PLACE] == gr.update(visible=True, value="Replicate")
    assert show(built, view("civitai:2"))[PLACE] == gr.update(visible=False, value="This computer")


def test_a_click_on_a_tab_leaves_the_place_as_it_was_chosen(built: Services) -> None:
    built = with_settings(built, tokens={"replicate": "r8_x"})
    looked = view("civitai:1")
    show(built, looked)
    assert show(built, looked, FormSource.of(looked))[PLACE] == gr.update(visible=True)


def test_a_lora_is_first_tried_at_its_authors_weight(built: Services) -> None:
    assert built.generation.default_weight(Ref.parse("civitai:404")) == 1.0
    built.catalog.add([lora(2, versions=(version("civitai:2@20", claims=(claim("weight", 0.6),)),))])
    assert built.generation.default_weight(Ref.parse("civitai:2")) == 0.6


def test_the_weights_of_a_strip_and_which_lora_has_them_are_chosen(built: Services) -> None:
    painted = show(built, view("civitai:2", "civitai:1", sheet="strip", weights=(0.0, 0.4), varied=1))
    assert (painted[WEIGHTS]["visible"], painted[WEIGHTS]["value"]) == (True, "0, 0.4")
    assert painted[WEIGHTS]["placeholder"] == "0, 0.3, 0.6, 0.9, 1.2"
    assert (painted[VARIED]["visible"], painted[VARIED]["value"], len(painted[VARIED]["choices"])) == (True, 1, 2)
    assert show(built, view("civitai:2"))[WEIGHTS]["visible"] is False


def test_weights_are_read_from_the_form() -> None:
    settings = form.read_form(view("civitai:1", "civitai:2"), typed(weights="0, .5; 1", varied=1)).settings
    assert (settings.weights, settings.varied) == ((0.0, 0.5, 1.0), 1)
    with pytest.raises(UsageError, match="for example 0"):
        form.read_form(view("civitai:1"), typed(weights="much"))


def test_a_range_is_shown_beside_its_weights(built: Services) -> None:
    painted = show(built, view("civitai:2", sheet="strip", weights=(0.0, 0.4, 0.8)))
    assert [(part["value"], part["visible"]) for part in painted[RANGE : RANGE + 3]] == [
        (0, True),
        (0.8, True),
        (3, True),
    ]


def test_a_range_leaves_weights_alone_that_were_typed_meanwhile(built: Services) -> None:
    first = view("civitai:2", sheet="strip")
    painted = form.show(built, Renderer(), first, FormSource.of(first), "0, 2")
    assert painted[RANGE] == gr.update(visible=True)


def test_a_range_becomes_evenly_spaced_weights() -> None:
    assert form.weights_in(0, 1.2, 4) == "0, 0.4, 0.8, 1.2"


@pytest.mark.parametrize("values", [(1, 0, 3), (0, 3, 3), (-2, 1, 3), (0, 1, 1), (0, 1, 9), (None, 1, 3), (0, 1, None)])
def test_what_is_no_range_is_refused_with_a_way_out(values: tuple[Any, ...]) -> None:
    with pytest.raises(UsageError, match=r"from a lower weight to a higher one|2 to 8 images"):
        form.weights_in(*values)


@pytest.mark.parametrize(
    ("recommended", "weights"),
    [(None, (0, 0.3, 0.6, 0.9, 1.2)), (0.6, (0, 0.3, 0.6, 0.9, 1.2)), (0.4, (0, 0.2, 0.4, 0.6, 0.8)),
     (0.9, (0, 0.3, 0.6, 0.9, 1.2)), (1.2, (0, 0.4, 0.8, 1.2, 1.6)), (-1, (0, 0.3, 0.6, 0.9, 1.2))],
)  # fmt: skip
def test_a_sweep_goes_around_the_weight_that_the_author_recommends(
    recommended: float | None, weights: tuple[float, ...]
) -> None:
    assert form.sweep_around(recommended) == pytest.approx(weights)


def test_the_stack_has_no_room_for_a_ninth(built: Services) -> None:
    full = show(built, view(*(f"civitai:{number}" for number in range(1, 9))))[STACK]
    assert "8 of 8" in full
    assert "take one away to add another" in full
