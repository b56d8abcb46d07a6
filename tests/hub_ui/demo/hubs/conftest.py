"""The local hubs with the small data folder of the contract tests."""

from pathlib import Path

import pytest

from tests.contract.conftest import HERE
from tests.contract.conftest import hubs as hubs
from tests.contract.conftest import running as running


@pytest.fixture(scope="session")
def data() -> Path:
    return HERE / "data"
