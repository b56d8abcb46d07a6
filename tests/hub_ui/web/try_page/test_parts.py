"""What is said of images that are there, and what stands beside them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from starlette.testclient import TestClient

from hub_ui.jobs.jobs import Jobs, JobSubject
from hub_ui.services import Services
from hub_ui.web.images import GeneratedImages
from hub_ui.web.try_page.form import read_address
from hub_ui.web.try_page.generate import Generator
from hub_ui.web.try_page.parts import TryParts
from hub_ui.web.try_page.result import Result, Tile
from tests.hub_ui.catalog.builders import lora
from tests.hub_ui.generate.making import job
from tests.hub_ui.web.conftest import read


def shown(client: TestClient, *weights: float, address: str = "", **fields: Any) -> Any:
    """The stage with such a result."""
    tiles = tuple(Tile(src=f"images/a/{w}.png", label=f"Ink {w:g}", weight=w) for w in weights)
    values: dict[str, Any] = {
        "kind": "pair", "tiles": tiles, "width": 64, "height": 32, "proof": "", "whole": True, "detail": "",
        "name": "Ink", "title": "Ink, with Paper 0.5", "refs": ("civitai:2",),
    }  # fmt: skip
    result = Result(**{**values, **fields})
    jobs: Jobs = client.app.state.jobs  # type: ignore[attr-defined]
    id_ = jobs.keep(JobSubject(name=result.kind, refs=result.refs), result)
    return read(client.get(f"/?view=try&lora=civitai:2&job={id_}{address}").text)


def test_a_row_under_a_pair_has_room_for_what_is_not_made_yet(client: TestClient) -> None:
    stage = shown(client, 0, 1, offered=(0, 0.5, 1), request=job())
    assert [tile.text for tile in stage.select(".strip .tile")] == ["0", "0.5", "1"]
    assert (len(stage.select(".strip button")), len(stage.select("#others"))) == (2, 1)
    assert stage.select_one(".strip")["aria-label"] == "Weights of Ink, with Paper 0.5"


def test_a_whole_row_offers_the_weight_that_is_shown(client: TestClient) -> None:
    stage = shown(client, 0, 1, 0.5, offered=(0, 0.5, 1), address="&shown=2")
    assert (stage.select("#others"), stage.select_one("#use").text) == ([], "Use weight 0.5")


def test_an_image_above_1_says_that_artifacts_are_likely(client: TestClient) -> None:
    stage = shown(client, 0, 1, 1.2, kind="strip", address="&sheet=strip")
    assert [mark["title"] for mark in stage.select(".tile .high")] == ["Above 1, artifacts are likely."]


def test_what_is_saved_is_the_image_on_the_right(client: TestClient) -> None:
    stage = shown(client, 0, 1, 0.5, offered=(0, 0.5, 1), address="&shown=2")
    assert [(a["href"], a["download"]) for a in stage.select("a[download]")] == [("images/a/0.5.png", "0.5.png")]


def test_a_grid_names_the_lora_above_each_column(client: TestClient) -> None:
    stage = shown(client, 0, 1, 0, 1, kind="grid", rows=("a cat", "<b>"), columns=("0", "1"), address="&sheet=grid")
    assert [head.text for head in stage.select(".sheet th")] == ["Ink 0", "Ink 1", "a cat", "<b>"]
    assert len(stage.select(".sheet td a img")) == 4


def test_a_shared_link_has_the_settings_and_not_the_job(client: TestClient) -> None:
    share = shown(client, 0, 1, link="view=try&seed=5").select_one("[data-share]")
    assert share is not None
    assert share["data-share"] == "?view=try&seed=5"


@pytest.mark.parametrize(("address", "tab"), [("", "With and without"), ("&sheet=grid", "Prompts")])
def test_a_tab_for_each_comparison(client: TestClient, address: str, tab: str) -> None:
    page = read(client.get(f"/?view=try&lora=civitai:2{address}").text)
    labels = ["With and without", "Weights", "LoRAs", "Prompts", "Trigger words"]
    assert [each.text for each in page.select(".tab")] == labels
    assert [each.text for each in page.select(".tab[aria-pressed=true]")] == [tab]
    assert [each.text for each in page.select(".tab[disabled]")] == ["LoRAs"]


def test_only_a_grid_asks_for_more_prompts_and_only_a_sweep_for_weights(client: TestClient) -> None:
    pages = {sheet: client.get(f"/?view=try&lora=civitai:2&sheet={sheet}").text for sheet in ("pair", "strip", "grid")}
    assert [sheet for sheet, text in pages.items() if "<textarea" in text and 'id="rows"' in text] == ["grid"]
    assert [sheet for sheet, text in pages.items() if 'id="try-weights"' in text] == ["strip", "grid"]


@pytest.mark.parametrize(("nsfw", "title"), [("safe", "Compare Ink 7"), ("mature", "Compare"), (None, "Compare")])
def test_the_title_of_a_shared_comparison_names_what_everybody_may_see(
    built: Services, client: TestClient, nsfw: Any, title: str
) -> None:
    built.catalog.add([lora(7, base="Tiny Shapes", nsfw=nsfw)])
    page = read(client.get("/?view=try&lora=civitai:7").text)
    assert page.select_one("meta[property='og:title']")["content"] == title


def test_markup_in_what_is_typed_stays_text(client: TestClient) -> None:
    page = read(client.get("/?view=try&lora=civitai:2&prompt=%3C/textarea%3E%3Cscript%3E&steps=%3Cb%3E").text)
    assert page.select_one("#prompt").text == "</textarea><script>"
    assert page.select("#main script") == []


def test_a_dropped_image_is_made_again_beside_itself(built: Services, tmp_path: Path) -> None:
    Image.new("RGB", (64, 32)).save(tmp_path / "old.png")
    jobs = Jobs()
    generator = Generator(services=built, jobs=jobs, images=GeneratedImages(folder=tmp_path))
    parts = TryParts(services=built, generator=generator, uploaded=lambda name: tmp_path / name, history=str)
    original = parts.order(read_address("lora=civitai:2&original=old.png")).original
    assert original is not None
    assert (original.tile.src, original.width, original.height) == ("uploaded?name=old.png", 64, 32)
