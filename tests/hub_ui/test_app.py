from __future__ import annotations

from pathlib import Path

import gradio as gr
import pytest

from connectors.errors import BadRef
from hub_ui.app import RunningEvents, apply_click
from hub_ui.web.view import StackedLora, View
from tests.hub_ui.web.raw import served


def test_opening_a_card_puts_it_into_the_view() -> None:
    view, _ = apply_click(View(), {"act": "open", "ref": "civitai:1@2#3"})
    assert view == View(open="civitai:1@2#3")


def test_download_and_try_goes_to_the_try_page_and_orders_a_pair() -> None:
    view, ordered = apply_click(View(open="civitai:1@2"), {"act": "try", "ref": "civitai:1@2"})
    assert (view, ordered.refs) == (View(page="try", stack=(StackedLora(ref="civitai:1@2"),)), ("civitai:1@2",))


def test_a_lora_is_tried_at_the_weight_it_is_meant_for() -> None:
    view, _ = apply_click(View(), {"act": "try", "ref": "civitai:1@2"}, lambda ref: 0.8)
    assert view.stack == (StackedLora(ref="civitai:1@2", weight=0.8),)


def test_stacking_stays_on_the_page() -> None:
    view, _ = apply_click(View(open="civitai:1@2"), {"act": "stack", "ref": "civitai:1@2"})
    assert (view.page, view.open, len(view.stack)) == ("browse", "civitai:1@2", 1)


def test_going_back_shows_what_the_address_says() -> None:
    view, _ = apply_click(View(open="civitai:1@2"), {"act": "address", "query": "?kind=style"})
    assert (view.open, view.query.kinds) == ("", ("style",))


def test_an_unknown_page_is_the_first_one() -> None:
    view, _ = apply_click(View(page="library"), {"act": "go", "page": "<script>"})
    assert view.page == "browse"


@pytest.mark.parametrize("act", [{}, {"act": "pull"}, {"act": "more"}])
def test_clicks_of_other_pages_change_nothing(act: dict[str, str]) -> None:
    assert apply_click(View(), act) == (gr.skip(), gr.skip())


def test_a_click_that_names_no_lora_is_refused() -> None:
    with pytest.raises(BadRef):
        apply_click(View(), {"act": "open", "ref": "<b>"})


def test_the_iterator_of_an_event_may_be_deleted_twice() -> None:
    events = RunningEvents({"a": 1, "b": 2})
    for _ in range(2):
        del events["a"]
    assert events == {"b": 2}


def test_no_event_shows_its_progress_on_a_part_of_the_page(tmp_path: Path) -> None:
    with served(tmp_path) as page:
        config = page.config()
    kinds = {part["id"]: part["type"] for part in config["components"]}
    targets = [event["show_progress_on"] for event in config["dependencies"]]
    assert {tuple(kinds[target] for target in each or ()) for each in targets} == {("state",)}


def test_a_click_on_a_lora_changes_the_view_before_anything_else(tmp_path: Path) -> None:
    with served(tmp_path) as page:
        config = page.config()
    names = {part["id"]: part["props"].get("elem_id") or part["type"] for part in config["components"]}
    first: dict[str, list[str]] = {}
    for event in config["dependencies"]:
        for target, name in event["targets"]:
            first.setdefault(f"{names.get(target)}.{name}", [names[each] for each in event["outputs"]])
    assert [first[click] for click in ("grid.act", "panel.act")] == [["state"] * 3] * 2
