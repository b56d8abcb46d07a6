from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from connectors.errors import UsageError
from connectors.ref import Ref
from hub_ui.generate import comparison
from hub_ui.generate.result import GenerationResult
from hub_ui.images.provenance import Provenance, from_json, to_json
from hub_ui.pages.try_page import history
from hub_ui.pages.try_page.form import FormSource
from hub_ui.pages.try_page.history import Changes, Click
from hub_ui.web.view import View
from hub_ui.services import Services
from hub_ui.widgets.render import Renderer
from hub_ui.widgets.result import Difference
from tests.hub_ui.generate.making import adapter, job, made, report
from tests.hub_ui.web.conftest import with_settings
from tests.hub_ui.web.raw import served


def click(built: Services, cache: Path, clicked: dict[str, str], **found: Any) -> Changes:
    return history.apply_click(built, Renderer(), Click(**{"view": View(), **found}), clicked, str(cache))


def provenance(result: GenerationResult) -> Provenance:
    return from_json(json.loads(json.dumps(to_json(result, 0))))


def test_what_was_made_again_with_the_same_settings_stands_there_once(built: Services, tmp_path: Path) -> None:
    asked = job()
    for wanted in (asked, asked, job(seed=8)):
        built.history.add(made(wanted, comparison.before_after(wanted), report=report(seed=wanted.seed)))
    html = history.history_html(built, Renderer(), str(tmp_path))
    assert html.count('data-act="again"') == 2


def test_a_row_says_what_was_compared(built: Services, tmp_path: Path) -> None:
    asked = job()
    built.history.add(made(asked, comparison.weight_sweep(asked, (0.0, 1.0))))
    assert ">Weights: Ink 0 … 1</span>" in history.history_html(built, Renderer(), str(tmp_path))


def test_a_sweep_of_two_names_the_varied_one_and_the_weight_of_the_other() -> None:
    asked = job(adapter(), adapter(ref=Ref.parse("civitai:9@90#900"), title="Paper", weight=0.5))
    image = provenance(made(asked, comparison.weight_sweep(asked, (0.0, 1.2), varied=1)))
    assert history.describe(image) == "Weights: Paper 0 … 1.2, with Ink 0.8"


def test_results_of_one_request_are_one_group_with_their_kinds(built: Services, tmp_path: Path) -> None:
    asked = job()
    built.history.add(made(asked, comparison.before_after(asked)))
    built.history.add(made(job(seed=8), report=report(seed=8)))
    built.history.add(made(asked, comparison.weight_sweep(asked, (0.0, 1.0))))
    groups = list(history.group_entries(built.history.entries()))
    assert [[history.describe(entry.provenance) for entry in group] for group in groups] == [
        ["Weights: Ink 0 … 1", "Without / with · 0.8"], ["0.8"],
    ]  # fmt: skip


def test_the_history_has_pages(built: Services, tmp_path: Path) -> None:
    for seed in range(14):
        built.history.add(made(job(seed=seed), report=report(seed=seed)))
    html = history.history_html(built, Renderer(), str(tmp_path))
    assert (html.count('data-act="again"'), 'data-act="more-history"' in html) == (12, True)
    more = click(built, tmp_path, {"act": "more-history"})
    assert (more.history.count('data-act="again"'), "more-history" in more.history) == (14, False)


def test_views_and_results_write_the_history_one_after_the_other(tmp_path: Path) -> None:
    with served(tmp_path) as page:
        config = page.config()
    [history_] = [part["id"] for part in config["components"] if part["props"].get("elem_id") == "history"]
    writing = [event for event in config["dependencies"] if history_ in event["outputs"]]
    assert [(len(event["targets"]), event["trigger_mode"]) for event in writing] == [
        (2, "always_last"),
        (1, "multiple"),
    ]


def test_what_is_removed_comes_back(built: Services, tmp_path: Path) -> None:
    kept = built.history.add(made())
    gone = click(built, tmp_path, {"act": "forget", "id": kept.id})
    assert (gone.removed, 'data-act="bring-back"' in gone.history, built.history.entries()) == (kept.id, True, [])
    back = click(built, tmp_path, {"act": "bring-back"}, removed=kept.id)
    assert (back.removed, [entry.id for entry in built.history.entries()]) == ("", [kept.id])


def test_a_result_is_made_again_with_the_same_settings(built: Services, tmp_path: Path) -> None:
    kept = built.history.add(made())
    first = click(built, tmp_path, {"act": "rerun", "id": kept.id})
    assert (first.shown, first.asked) == (FormSource(), gr.skip())
    assert first.order.is_due(first.view)
    assert first.view.settings.seed == 7
    assert click(built, tmp_path, {"act": "rerun", "id": kept.id}, view=first.view, asked=2).asked == 3


def test_two_results_are_compared_and_what_differs_is_named(built: Services, tmp_path: Path) -> None:
    first = built.history.add(made(job(adapter(weight=0.6)), report=report(seed=8)))
    second = built.history.add(made())
    shown = click(built, tmp_path, {"act": "again", "id": second.id}).kept
    both = click(built, tmp_path, {"act": "compare", "id": first.id}, last=shown).kept
    assert (both.split, both.left, both.right, len(both.tiles)) == (1, 0, 1, 2)
    assert both.differences == (
        Difference(name="Weight of Ink", left="0.6", right="0.8"), Difference(name="Seed", left="8", right="7"),
    )  # fmt: skip


def test_to_compare_another_image_has_to_be_shown(built: Services, tmp_path: Path) -> None:
    kept = built.history.add(made())
    with pytest.raises(UsageError, match="Open the other image first"):
        click(built, tmp_path, {"act": "compare", "id": kept.id})


@pytest.mark.parametrize("act", ["again", "rerun", "compare", "forget", "bring-back", "more-history"])
def test_visitors_have_no_history(built: Services, tmp_path: Path, act: str) -> None:
    with pytest.raises(UsageError, match="keeps no history"):
        click(with_settings(built, hosted=True), tmp_path, {"act": act, "id": "20261124-223801-042-1a2b3c"})


def test_the_weights_of_a_loras_parts_and_the_strength_come_back() -> None:
    parts = adapter(weight=0.8, text_encoder_scale=0.5, block_weights=(1.0, 0.5))
    asked = job(parts, adapter(title="Paper", weight=0.5), image=Path("cat.png"), strength=0.4)
    settings = history.view_of_result(View(), made(asked)).settings
    assert (settings.clip_weights, settings.blocks, settings.strength) == ((0.4, 0.5), ("1,0.5", "ALL"), 0.4)


def test_the_weights_of_a_strip_and_the_lora_that_had_them_come_back() -> None:
    asked = job(adapter(), adapter(title="Paper", weight=0.5))
    back = history.view_of_result(View(), made(asked, comparison.weight_sweep(asked, (0.0, 0.7), varied=1)))
    assert (back.settings.sheet, back.settings.weights, back.settings.varied) == ("strip", (0.0, 0.7), 1)
