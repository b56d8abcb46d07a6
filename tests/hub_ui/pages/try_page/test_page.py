from __future__ import annotations

from dataclasses import replace
from typing import Any

import gradio as gr
import pytest

from connectors.errors import UsageError
from hub_ui.pages.events import Turns
from hub_ui.pages.try_page import generate, page
from hub_ui.pages.try_page.form import HERE, OWN_SAMPLER, FormSource
from hub_ui.pages.try_page.page import Blank
from hub_ui.web.view import StackedLora, TrySettings, View
from hub_ui.services import Services
from hub_ui.widgets import result
from hub_ui.widgets.render import Renderer
from hub_ui.widgets.result import Result, Tile

ONE = View(page="try", stack=(StackedLora(ref="civitai:1"),))

# The fields after the control image, as nobody filled them in.
USUAL = ("", None, "balanced", "", "", None, 0.6)


def request(session: str) -> gr.Request:
    return gr.Request(session_hash=session)


def strip(**fields: Any) -> Result:
    tiles = tuple(Tile(src=f"{w}.png", label=str(w), weight=w) for w in (0.0, 0.6, 1.2))
    values: dict[str, Any] = {
        "kind": "strip", "tiles": tiles, "width": 64, "height": 64, "proof": "", "whole": True, "detail": "",
        "right": 2, "refs": ("civitai:1@10#100",),
    }  # fmt: skip
    return Result(**{**values, **fields})


def test_a_weight_must_be_a_number() -> None:
    assert page.apply_click(ONE, {"act": "weigh", "ref": "civitai:1", "value": "0.4"}).stack[0].weight == 0.4
    with pytest.raises(UsageError):
        page.apply_click(ONE, {"act": "weigh", "ref": "civitai:1", "value": "much"})


def test_trigger_words_are_left_out_and_put_in_again() -> None:
    out = page.apply_click(ONE, {"act": "words"})
    assert (out.settings.use_trigger_words, page.apply_click(out, {"act": "words"}).settings.use_trigger_words) == (
        False,
        True,
    )


@pytest.mark.parametrize(("kind", "sheet"), [("grid", "grid"), ("strip", "strip"), ("<b>", "pair")])
def test_a_tab_chooses_what_is_compared(kind: str, sheet: str) -> None:
    assert page.apply_click(ONE, {"act": "sheet", "kind": kind}).settings.sheet == sheet


def test_two_loras_are_needed_to_compare_two() -> None:
    assert "Two LoRAs are compared here" in page.stage_updates(Renderer(), ONE, None)[0]


def test_a_result_stays_while_its_kind_of_sheet_is_looked_at() -> None:
    looked = View(page="try", settings=TrySettings(sheet="strip"))
    assert page.stage_updates(Renderer(), looked, strip())[1:4] == ("Make the weight sweep", gr.skip(), gr.skip())
    assert page.stage_updates(Renderer(), ONE, strip())[3] is None


def test_an_empty_stage_is_written_for_other_words_only_and_never_its_result() -> None:
    """Images may come while a view is on its way, such as one of a weight that is moved as they are made."""
    swept = replace(ONE, settings=TrySettings(sheet="strip"))
    assert page.stage_updates(Renderer(), ONE, None, Blank())[2:] == (gr.skip(), gr.skip(), Blank())
    words, kept, blank = page.stage_updates(Renderer(), swept, None, Blank())[2:]
    assert (kept, blank) == (gr.skip(), Blank(kind="strip"))
    assert "the base alone" in words


def test_a_tile_comes_under_the_slider_and_gives_the_lora_its_weight() -> None:
    html, now, view = page.select_tile(Renderer(), ONE, strip(), {"act": "tile", "index": "1"})
    assert (now.right, view.stack[0].weight) == (1, 0.6)
    assert '<img class="under" src="0.6.png"' in html


@pytest.mark.parametrize("index", ["-1", "x", "", None])
def test_a_tile_that_is_not_there_changes_nothing(index: str | None) -> None:
    assert page.select_tile(Renderer(), ONE, strip(), {"act": "tile", "index": index}) == (gr.skip(),) * 3


def test_a_tile_gives_its_weight_to_the_lora_that_is_varied_and_to_no_other() -> None:
    both = replace(ONE, stack=(*ONE.stack, StackedLora(ref="civitai:9", weight=0.8)))
    varied = strip(refs=("civitai:1@10#100", "civitai:9@90#900"), varied=1)
    view = page.select_tile(Renderer(), both, varied, {"act": "tile", "index": "1"})[2]
    assert [s.weight for s in view.stack] == [1.0, 0.6]


def test_with_two_loras_nobody_is_told_that_weight_zero_is_the_base_alone() -> None:
    both = View(page="try", stack=(*ONE.stack, StackedLora(ref="civitai:9")), settings=TrySettings(sheet="strip"))
    assert "the others keep theirs" in page.stage_updates(Renderer(), both, None)[2]
    assert "base alone" not in page.stage_updates(Renderer(), both, None)[2]


def test_a_strip_names_the_lora_that_it_varies_and_what_the_others_keep() -> None:
    assert "Weights of Ink, with Paper 0.8</h3>" in result.result_html(Renderer(), strip(title="Ink, with Paper 0.8"))


def test_a_tile_of_another_lora_changes_no_weight() -> None:
    other = strip(refs=("civitai:9@90#900",))
    assert page.select_tile(Renderer(), ONE, other, {"act": "tile", "index": "1"})[2] == gr.skip()


@pytest.mark.parametrize(
    ("refs", "stays"), [(("civitai:1@10",), True), (("civitai:9", "civitai:1"), True), (("civitai:9",), False)]
)
def test_a_result_goes_when_none_of_its_loras_is_looked_at_any_more(refs: tuple[str, ...], stays: bool) -> None:
    looked = View(page="try", stack=ONE.stack, settings=TrySettings(sheet="strip"))
    assert (page.stage_updates(Renderer(), looked, strip(refs=refs))[3] == gr.skip()) == stays


def test_a_single_picture_of_before_is_shown_where_pairs_are() -> None:
    one = strip(kind="one", tiles=strip().tiles[:1], left=0, right=0)
    assert page.stage_updates(Renderer(), ONE, one)[3] == gr.skip()
    assert "data-slide" not in result.result_html(Renderer(), one)


@pytest.mark.parametrize(
    ("act", "subject", "answer"),
    [("fetch", "sdxl-1.0 civitai:1", "fetch"), ("fetch", "flux.1-dev civitai:1", "ask"), ("leave", "", "")],
)
def test_who_agrees_to_one_base_has_not_agreed_to_another(act: str, subject: str, answer: str) -> None:
    assert page.read_answer(ONE, "sdxl-1.0", {"act": act, "subject": subject}) == answer


def test_what_was_made_is_what_the_address_says() -> None:
    values = ("a boat", "", "", 9, 4, "64 x 64", "", None, OWN_SAMPLER, HERE, None, "canny", *USUAL)
    now, shown = page.store_settings(ONE, values)
    assert now.settings == TrySettings(prompt="a boat", seed=9, steps=4, size=(64, 64))
    assert shown == FormSource.of(now)


def test_a_form_that_can_not_be_read_leaves_the_address_alone() -> None:
    values = ("a boat", "", "", 9, 4, "big", "", None, OWN_SAMPLER, HERE, None, "canny", *USUAL)
    assert page.store_settings(ONE, values) == (gr.skip(), gr.skip())


def test_what_is_wrong_with_a_field_is_said_where_the_time_would_be(built: Services) -> None:
    values = ("a boat", "", "", 9, 4, "big", "", None, OWN_SAMPLER, HERE, None, "canny", *USUAL)
    assert "width × height" in page.estimate_html(built, Renderer(), ONE, values)


def test_a_lora_moves_up_and_down_and_the_varied_one_stays_the_same() -> None:
    stack = tuple(StackedLora(ref=f"civitai:{number}") for number in (1, 2, 3))
    before = View(page="try", stack=stack, settings=TrySettings(varied=2))
    after = page.apply_click(before, {"act": "move", "ref": "civitai:3", "by": "-1"})
    assert ([s.ref for s in after.stack], after.settings.varied) == (["civitai:1", "civitai:3", "civitai:2"], 1)
    assert page.apply_click(after, {"act": "move", "ref": "civitai:1", "by": "-1"}).stack == after.stack


@pytest.mark.parametrize("clicked", [{"ref": "civitai:9", "by": "1"}, {"ref": "civitai:1", "by": "9" * 50}, {}])
def test_a_move_that_makes_no_sense_moves_nothing(clicked: dict[str, str]) -> None:
    assert page.apply_click(ONE, {"act": "move", **clicked}).stack == ONE.stack


def test_a_shown_weight_of_a_row_is_used_when_it_is_asked_for() -> None:
    row = strip(kind="pair", offered=(0.0, 0.6, 1.2), right=1)
    assert page.select_tile(Renderer(), ONE, row, {"act": "tile", "index": "2"})[2] == gr.skip()
    assert page.select_tile(Renderer(), ONE, row, {"act": "use-weight"})[2].stack[0].weight == 0.6


def test_only_the_newest_generation_updates_the_page_and_its_last_step_is_not_repeated() -> None:
    turns, visitor, other = Turns(), request("a"), request("b")
    first, theirs = (
        page.run(turns, who, iter([generate.Updates(progress=str(n)) for n in range(3)])) for who in (visitor, other)
    )
    assert [next(first).progress, next(theirs).progress] == ["0", "0"]
    second = page.run(turns, visitor, iter([generate.Updates(progress="newest")]))
    # Gradio repeats what came last when an event ends.
    assert [step.progress for step in second] == ["newest", gr.skip()]
    assert list(first) == [generate.Updates()]
    assert [step.progress for step in theirs] == ["1", "2", gr.skip()]


def test_two_compared_results_stay_while_tabs_and_weights_change() -> None:
    both = strip(kind="one", split=1, refs=("civitai:9",))
    assert page.stage_updates(Renderer(), View(page="try", settings=TrySettings(sheet="grid")), both)[3] == gr.skip()
