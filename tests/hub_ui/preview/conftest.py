from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hub_ui.preview.studio import Studio
from tests.hub_ui.preview.building import save_base


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(save_base(tmp_path_factory.mktemp("base")))


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    built = Studio(hf_endpoint="http://127.0.0.1:9", hf_token=None, cache=tmp_path / "cache")
    yield built
    built.close()
