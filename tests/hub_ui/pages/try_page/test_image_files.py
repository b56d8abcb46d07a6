from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from hub_ui.generate import comparison
from hub_ui.images import infotext
from hub_ui.pages.try_page import image_files
from tests.hub_ui.generate.making import INK, job, made


def test_a_result_names_its_loras_and_stands_in_the_served_folder(tmp_path: Path) -> None:
    asked = job()
    shown = image_files.result_of(made(asked, comparison.before_after(asked)), str(tmp_path))
    assert (shown.kind, shown.refs, shown.right) == ("pair", (str(INK),), 1)
    assert all(tile.src.startswith("images/") for tile in shown.tiles)


def test_a_long_prompt_is_shortened_beside_the_picture_and_whole_in_its_settings(tmp_path: Path) -> None:
    asked = job(prompt="猫" * 500)
    shown = image_files.result_of(made(asked, comparison.before_after(asked)), str(tmp_path))
    assert shown.detail.count("猫") < 200
    assert shown.detail.endswith("…")
    assert "猫" * 500 in shown.settings


def test_a_first_look_needs_no_file() -> None:
    assert image_files.data_url(Image.new("RGB", (2, 2))).startswith("data:image/png;base64,")


def test_the_files_of_the_loras_are_hashed_once_for_all_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []
    monkeypatch.setattr(infotext, "autov3", read.append)
    asked = job()
    image_files.result_of(made(asked, comparison.weight_sweep(asked)), str(tmp_path))
    assert len(read) == 1
