import sys
from pathlib import Path

import pytest
import typer

from hub_ui.base.disk import reveal


def test_a_file_is_shown_where_there_is_a_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[tuple[str, bool]] = []
    monkeypatch.setattr(typer, "launch", lambda path, locate: shown.append((path, locate)))
    monkeypatch.setattr(sys, "platform", "linux")
    for environ in ({"DISPLAY": ":0"}, {"WAYLAND_DISPLAY": "wayland-0"}, {}):
        reveal(Path("ink.safetensors"), environ)
    assert shown == [("ink.safetensors", True)] * 2
