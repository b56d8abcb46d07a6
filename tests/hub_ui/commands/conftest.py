"""What the tests of the library's commands share: one LoRA of each hub, pulled."""

from pathlib import Path
from typing import Any

import pytest

from tests.faulty_hubs import HubEndpoints
from tests.hub_ui.library.shared_hubs import CIVITAI, HUGGINGFACE, REPLICATE, Line


@pytest.fixture
def folder(home: Path) -> Path:
    return home / "loras"


@pytest.fixture
def pulled(hubs: HubEndpoints, line: Line, folder: Path) -> dict[str, Path]:
    """One LoRA of each hub in the library, by hub."""
    code, items = line("pull", CIVITAI, HUGGINGFACE, REPLICATE)
    assert code == 0
    return {item["ref"].split(":")[0]: Path(item["path"]) for item in items}


def states(document: Any) -> dict[str, str]:
    return {item["ref"].split(":")[0]: item["state"] for item in document["entries"]}
