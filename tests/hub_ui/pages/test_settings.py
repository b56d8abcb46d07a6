"""What the Settings page says of the demo: its own folders, and a key that the demo keeps."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hub_ui import services
from hub_ui.commands.demo import demo_settings
from hub_ui.demo.hubs.folder import SAMPLES
from hub_ui.demo.hubs.server import running_hubs
from hub_ui.pages.settings import settings_view
from hub_ui.services import Services


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Services]:
    with (
        running_hubs(SAMPLES) as hubs,
        services.build(demo_settings(tmp_path / "run", tmp_path / "loras", hubs)) as made,
    ):
        yield made


def test_the_folder_of_the_library_is_the_one_in_use(demo: Services, tmp_path: Path) -> None:
    fields = {field.name: field for field in settings_view(demo).fields}
    assert (fields["library"].value, fields["library"].is_fixed) == (str(tmp_path / "loras"), True)
    assert fields["home"].value == str(tmp_path / "run")


def test_nobody_is_said_to_have_set_the_demos_key(demo: Services) -> None:
    states = {key.hub.name: key.state for key in settings_view(demo).keys}
    assert states == {"civitai": "none", "huggingface": "none", "replicate": "in a file that only you can read"}
    assert demo.settings.tokens["replicate"] == "r8_demo"
