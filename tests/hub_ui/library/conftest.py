from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hub_ui.library.library import Library
from tests.connectors.serving import Hub
from tests.connectors.serving import hub as host
from tests.contract.conftest import running as running
from tests.hub_ui.library.building import QUICK


@pytest.fixture
def hub() -> Iterator[Hub]:
    with host() as origin:
        yield origin


@pytest.fixture
def delivery() -> Iterator[Hub]:
    with host() as origin:
        yield origin


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(tmp_path / "loras", tmp_path / "loras.lock", options=QUICK)
