from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from hub_ui.generate.base_models.download import Source
from hub_ui.generate.engine import Engine
from tests.hub_ui.generate.building import save_base


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """Networks this small lose more by sharing work between threads than they win."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(save_base(tmp_path_factory.mktemp("base")))


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Engine]:
    built = Engine(Source(endpoint="http://127.0.0.1:9", cache=tmp_path / "cache"))
    yield built
    built.close()
