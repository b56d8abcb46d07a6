from __future__ import annotations

import pytest

from connectors.errors import BadQuery
from connectors.query import Query
from hub_ui.pages.try_page.settings import TrySettings
from hub_ui.pages.view import PAGE_SIZE, StackedLora, View


def test_an_untouched_view_has_an_empty_address() -> None:
    assert View().to_address() == ""


def test_a_view_survives_the_address_bar() -> None:
    view = View(
        page="try",
        query=Query(text="ink & wash", hubs=("civitai",), bases=("flux1",), kinds=("style",), limit=PAGE_SIZE),
        open="civitai:12@34",
        stack=(StackedLora(ref="huggingface:some/lora", weight=0.6), StackedLora(ref="civitai:12@34#56")),
        settings=TrySettings(prompt="a boat, *bold*", seed=7),
    )
    assert View.from_address(view.to_address()) == view


@pytest.mark.parametrize(
    "address",
    ["view=nowhere", "hub=nohub", "kind=nokind", "sort=up", "nsfw=all", "open=%00", "lora=*", "lora=x*y", "seed=-1"],
)
def test_what_an_address_says_wrongly_is_left_out(address: str) -> None:
    assert View.from_address(address) == View()


def test_one_bad_filter_does_not_empty_the_others() -> None:
    assert View.from_address("hub=nohub&kind=style").query.kinds == ("style",)


def test_a_weight_in_an_address_stays_within_its_range() -> None:
    assert View.from_address("lora=civitai:1*99").stack == (StackedLora(ref="civitai:1", weight=2.0),)


def test_a_long_prompt_in_any_script_survives_the_address() -> None:
    view = View(page="try", settings=TrySettings(prompt="灯" * 2000, negative="ب" * 2000))
    assert View.from_address(view.to_address()) == view


def test_a_lora_named_twice_in_an_address_is_there_once() -> None:
    assert View.from_address("lora=civitai:1&lora=civitai:1*0.5").stack == (StackedLora(ref="civitai:1", weight=0.5),)


def test_a_filter_is_added_and_taken_away_by_the_same_click() -> None:
    once = View(open="civitai:1").toggle_filter("kinds", "style")
    assert (once.query.kinds, once.open) == (("style",), "")
    assert once.toggle_filter("kinds", "style").query.kinds == ()


def test_a_made_up_filter_is_refused() -> None:
    with pytest.raises(BadQuery, match="no filter called"):
        View().toggle_filter("limit", "9")


def test_trying_replaces_the_stack_and_stacking_adds_once() -> None:
    view = View(stack=(StackedLora(ref="civitai:1"),)).with_lora("civitai:2").with_lora("civitai:1")
    assert [s.ref for s in view.stack] == ["civitai:2", "civitai:1"]
    assert [s.ref for s in view.try_lora("civitai:3").stack] == ["civitai:3"]


@pytest.mark.parametrize(
    ("address", "usual", "level"),
    [
        ("", "mature", "mature"),
        ("nsfw=explicit", "mature", "explicit"),
        ("", "everything", "soft"),
        ("", ["mature"], "soft"),
        ("", None, "soft"),
    ],
)
def test_the_browsers_usual_level_holds_where_the_address_names_none(address: str, usual: object, level: str) -> None:
    assert View.from_address(address, usual).query.nsfw == level
