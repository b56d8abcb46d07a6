from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hub_ui.library.library import Library
from tests.contract.conftest import running as running
from tests.hub_ui.library.building import QUICK
from tests.hub_ui.library.serving import Host, host


@pytest.fixture
def hub() -> Iterator[Host]:
    with host() as origin:
        yield origin


@pytest.fixture
def delivery() -> Iterator[Host]:
    with host() as origin:
        yield origin


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(tmp_path / "loras", tmp_path / "loras.lock", options=QUICK)
