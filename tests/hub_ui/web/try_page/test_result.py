"""What is said of images that are there, and what stands beside them."""

import hashlib
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import pytest
from PIL import Image

from connectors.ref import Ref
from hub_ui.base.i18n import use_language
from hub_ui.generate.compare import comparison
from hub_ui.generate.result import GeneratedImage
from hub_ui.generate.try_fields import TrySettings
from hub_ui.images import png_metadata
from hub_ui.locales import get_language
from hub_ui.web.images import GeneratedImages
from hub_ui.web.layout.render import Renderer
from hub_ui.web.try_page import result
from hub_ui.web.view import StackedLora, View
from tests.hub_ui.generate.making import INK, adapter, job, made
from tests.hub_ui.web.conftest import read


def names(shown: result.Result) -> list[str]:
    """What stands below the images of a row."""
    return [tile.text for tile in read(Renderer()("try_page/result", r=shown, box=(8, 8))).select(".strip .tile span")]


def test_a_result_names_its_loras_and_stands_in_the_served_folder_with_the_whole_prompt(tmp_path: Path) -> None:
    asked = job()
    shown = result.result_of(made(asked, comparison.before_after(asked)), GeneratedImages(folder=tmp_path))
    assert (shown.kind, shown.refs, shown.right) == ("pair", (str(INK),), 1)
    assert all(tile.src.startswith("images/") for tile in shown.tiles)
    asked = job(prompt="猫" * 500)
    shown = result.result_of(made(asked, comparison.before_after(asked)), GeneratedImages(folder=tmp_path))
    assert "猫" * 500 in shown.right_tile.settings


def test_a_clip_is_saved_in_three_forms_that_say_the_same(tmp_path: Path) -> None:
    frames = (Image.new("RGB", (32, 16)),) * 3
    film = made(images=(GeneratedImage(image=frames[1], frames=frames, seconds=1.0),))
    tile = result.result_of(film, GeneratedImages(folder=tmp_path)).right_tile
    assert [Path(clip).suffix for clip in tile.clips] == [".mp4", ".webp"]
    files = [tmp_path / address.removeprefix("images/") for address in (tile.src, *tile.clips)]
    assert {png_metadata.read(file).frames for file in files} == {3}


def test_the_files_of_the_loras_are_hashed_once_and_without_both_of_two_is_no_weight_of_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, digest = tmp_path / "ink.safetensors", Mock(wraps=hashlib.file_digest)
    path.write_bytes((2).to_bytes(8, "little") + b"{}tensors")
    monkeypatch.setattr(hashlib, "file_digest", digest)
    asked = job(adapter(path=path))
    result.result_of(made(asked, comparison.weight_sweep(asked)), GeneratedImages(folder=tmp_path))
    # The whole file, and its tensors alone.
    assert digest.call_count == 2
    asked = job(adapter(), adapter(ref=Ref.parse("civitai:9@90#900"), title="Paper", weight=0.5))
    shown = result.result_of(made(asked, comparison.before_after(asked)), GeneratedImages(folder=tmp_path))
    assert [tile.weight for tile in shown.tiles] == [None, 0.8]


def test_a_row_under_a_pair_has_the_pairs_own_images(tmp_path: Path) -> None:
    asked = job()
    shown = result.result_of(made(asked, comparison.before_after(asked)), GeneratedImages(folder=tmp_path))
    offered = replace(shown, offered=(0.0, 0.3, 0.8))
    assert (offered.slots, offered.missing) == ([(0.0, 0), (0.3, None), (0.8, 1)], (0.3,))
    whole = result.with_weights(
        offered, made(asked, comparison.weight_sweep(asked, (0.3,))), GeneratedImages(folder=tmp_path)
    )
    assert (whole.missing, whole.slots[1], whole.usable) == ((), (0.3, 2), None)
    assert whole.showing(2).usable == 0.3
    assert names(whole) == ["0", "0.3", "0.8"]


def test_a_row_of_combinations_is_named_by_its_loras(tmp_path: Path) -> None:
    asked = job(adapter(), adapter(ref=Ref.parse("civitai:9@90#900"), title="Paper", weight=1.5))
    shown = result.result_of(made(asked, comparison.lora_combinations(asked)), GeneratedImages(folder=tmp_path))
    assert names(shown) == ["without", "Ink 0.8", "Paper 1.5", "Ink 0.8 + Paper 1.5"]


def test_a_link_says_what_it_leaves_out(tmp_path: Path) -> None:
    shown = result.result_of(made(), GeneratedImages(folder=tmp_path))
    mine = View(page="try", stack=(StackedLora(ref=f"local:ink@{'a' * 64}"),), settings=TrySettings(base="/secret"))
    page = read(Renderer()("try_page/result", r=replace(shown, view=mine), box=(8, 8)))
    link = page.select_one("[data-share]")["data-share"]
    assert ("secret" in link, "local" in link) == (False, False)
    assert [hint.text for hint in page.select(".hint")] == [
        "The share link leaves out LoRAs that are files of this computer.",
        "The share link leaves out the base, which is a folder of this computer.",
    ]


def test_labels_of_cells_are_in_the_language_of_the_page() -> None:
    cells = [("pair", "without"), ("pair", "with Ink 0.8"), ("trigger", "without “ink”"), ("both", "with love 1")]
    labels = [result.cell_label(kind, label) for kind, label in cells]  # type: ignore[arg-type]
    assert labels == [label for _kind, label in cells]
    with use_language(get_language("ja")):
        labels = [result.cell_label(kind, label) for kind, label in cells]  # type: ignore[arg-type]
    assert labels == ["LoRA なし", "Ink 0.8 あり", "“ink” なし", "with love 1"]
