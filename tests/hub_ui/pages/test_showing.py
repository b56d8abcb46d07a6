from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from hub_ui.pages import showing
from hub_ui.preview import parameters, sheets
from tests.hub_ui.preview.making import INK, job, made


def test_a_result_names_its_loras_and_stands_in_the_served_folder(tmp_path: Path) -> None:
    asked = job()
    shown = showing.result_of(made(asked, sheets.pair(asked)), str(tmp_path))
    assert (shown.kind, shown.refs, shown.right) == ("pair", (str(INK),), 1)
    assert all(tile.src.startswith("images/") for tile in shown.tiles)


def test_a_long_prompt_is_shortened_beside_the_picture_and_whole_in_its_settings(tmp_path: Path) -> None:
    asked = job(prompt="猫" * 500)
    shown = showing.result_of(made(asked, sheets.pair(asked)), str(tmp_path))
    assert shown.detail.count("猫") < 200
    assert shown.detail.endswith("…")
    assert "猫" * 500 in shown.settings


def test_a_first_look_needs_no_file() -> None:
    assert showing.inline(Image.new("RGB", (2, 2))).startswith("data:image/png;base64,")


def test_the_files_of_the_loras_are_hashed_once_for_all_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []
    monkeypatch.setattr(parameters, "autov3", read.append)
    asked = job()
    showing.result_of(made(asked, sheets.strip(asked)), str(tmp_path))
    assert len(read) == 1
