"""The local hubs with the small data folder of the contract tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faulty_hubs import HubEndpoints, running_hubs

DATA = Path(__file__).parents[3] / "contract" / "data"


@pytest.fixture(scope="session")
def running() -> Iterator[HubEndpoints]:
    with running_hubs(DATA) as endpoints:
        yield endpoints


@pytest.fixture
def hubs(running: HubEndpoints) -> Iterator[HubEndpoints]:
    yield running
    running.faults.clear()


@pytest.fixture(scope="session")
def data() -> Path:
    return DATA
