from __future__ import annotations

from pathlib import Path

from hub_ui.generate import comparison
from hub_ui.pages.try_page import history
from hub_ui.pages.view import View
from hub_ui.services import Services
from hub_ui.widgets.render import Renderer
from tests.hub_ui.generate.making import adapter, job, made, report


def test_what_was_made_again_with_the_same_settings_stands_there_once(built: Services, tmp_path: Path) -> None:
    asked = job()
    for wanted in (asked, asked, job(seed=8)):
        built.history.add(made(wanted, comparison.before_after(wanted), report=report(seed=wanted.seed)))
    html = history.history_html(built, Renderer(), str(tmp_path))
    assert html.count('data-act="again"') == 2


def test_a_row_says_what_was_compared(built: Services, tmp_path: Path) -> None:
    asked = job()
    built.history.add(made(asked, comparison.weight_sweep(asked, (0.0, 1.0))))
    assert "<small>Weights · " in history.history_html(built, Renderer(), str(tmp_path))


def test_the_weights_of_a_loras_parts_and_the_strength_come_back() -> None:
    parts = adapter(weight=0.8, text_encoder_scale=0.5, block_weights=(1.0, 0.5))
    asked = job(parts, adapter(title="Paper", weight=0.5), image=Path("cat.png"), strength=0.4)
    settings = history.view_of_result(View(), made(asked)).settings
    assert (settings.clip_weights, settings.blocks, settings.strength) == ((0.4, 0.5), ("1,0.5", "ALL"), 0.4)


def test_the_weights_of_a_strip_and_the_lora_that_had_them_come_back() -> None:
    asked = job(adapter(), adapter(title="Paper", weight=0.5))
    back = history.view_of_result(View(), made(asked, comparison.weight_sweep(asked, (0.0, 0.7), varied=1)))
    assert (back.settings.sheet, back.settings.weights, back.settings.varied) == ("strip", (0.0, 0.7), 1)
