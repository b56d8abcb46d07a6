from pathlib import Path

import pytest

from hub_ui.library.library import Library
from tests.connectors.conftest import elsewhere as delivery  # noqa: F401
from tests.connectors.conftest import server as hub  # noqa: F401
from tests.contract.conftest import running as running
from tests.hub_ui.library.building import QUICK


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(tmp_path / "loras", tmp_path / "loras.lock", options=QUICK)
