"""The local hubs with the small data folder of the contract tests."""

from pathlib import Path

import pytest

from hub_ui.demo.hubs.folder import DataFolder, Origins
from tests.contract.conftest import HERE
from tests.contract.conftest import hubs as hubs
from tests.contract.conftest import running as running


@pytest.fixture(scope="session")
def data() -> Path:
    return HERE / "data"


def folder(path: Path) -> DataFolder:
    origins = Origins(huggingface="http://h", civitai="http://c", replicate="http://r", delivery="http://d")
    return DataFolder(path=path, origins=origins)
