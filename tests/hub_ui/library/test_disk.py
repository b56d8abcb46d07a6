from pathlib import Path

import pytest

from hub_ui.library.disk import command, reveal

FILE = Path("/loras/sd1/ada/Ink lines.safetensors")
SCREEN = {"DISPLAY": ":0"}


@pytest.mark.parametrize(
    ("platform", "wanted"),
    [
        ("darwin", ["open", "-R", str(FILE)]),
        ("win32", ["explorer", f"/select,{FILE}"]),
        ("linux", ["/usr/bin/xdg-open", "/loras/sd1/ada"]),
    ],
)
def test_each_system_has_its_file_manager(platform: str, wanted: list[str]) -> None:
    assert command(FILE, SCREEN, platform, lambda name: f"/usr/bin/{name}") == wanted


def test_without_a_screen_there_is_none() -> None:
    assert command(FILE, {}, "linux", lambda name: f"/usr/bin/{name}") is None
    assert command(FILE, SCREEN, "linux", lambda name: None) is None
    assert not reveal(FILE, {"PATH": ""})
