from __future__ import annotations

from typing import Any

from hub_ui.widgets import result
from hub_ui.widgets.render import Renderer
from hub_ui.widgets.result import Difference, Result, Tile


def shown(*weights: float, **fields: Any) -> str:
    tiles = tuple(Tile(src=f"images/a/{w}.png", label=f"Ink {w:g}", weight=w) for w in weights)
    values: dict[str, Any] = {
        "kind": "pair", "tiles": tiles, "width": 64, "height": 32, "proof": "", "whole": True, "detail": "",
        "name": "Ink", "title": "Ink, with Paper 0.5",
    }  # fmt: skip
    return result.result_html(Renderer(), Result(**{**values, **fields}))


def test_a_row_under_a_pair_has_room_for_what_is_not_generated_yet() -> None:
    html = shown(0, 1, offered=(0, 0.5, 1))
    assert (html.count('class="slot"'), html.count('data-act="tile"'), html.count('data-act="strip"')) == (1, 2, 1)
    assert "Weights of Ink, with Paper 0.5" in html


def test_a_whole_row_offers_the_shown_weight() -> None:
    html = shown(0, 1, 0.5, offered=(0, 0.5, 1), right=2)
    assert ('data-act="strip"' in html, ">Use weight 0.5</button>" in html) == (False, True)


def test_an_image_above_1_says_that_artifacts_are_likely() -> None:
    html = shown(0, 1, 1.2, kind="strip", right=2)
    assert html.count('class="tag high" title="Above 1, artifacts are likely."') == 1


def test_what_is_saved_is_the_image_on_the_right() -> None:
    assert 'href="images/a/0.5.png" download="0.5.png"' in shown(0, 1, 0.5, offered=(0, 0.5, 1), right=2)


def test_two_results_are_called_a_and_b_and_what_differs_is_listed() -> None:
    difference = Difference(name="Seed", left="<b>5", right="6")
    html = shown(0, 1, 0.5, kind="one", split=1, right=2, differences=(difference,))
    assert ("A · Ink 0<" in html, "B · Ink 0.5<" in html, "<dt>Seed</dt>" in html) == (True, True, True)
    assert "&lt;b&gt;5" in html


def test_a_link_is_an_address_that_the_browser_completes() -> None:
    assert 'data-copy-link="view=try&amp;seed=5"' in shown(0, 1, link="view=try&seed=5")
