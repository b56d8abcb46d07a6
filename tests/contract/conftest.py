"""The local hubs with the small data folder beside these tests, for every client."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from hub_ui.demo.hubs.folder import SAMPLES
from tests.corpus import RESPONSES, absence
from tests.faulty_hubs import HubEndpoints, running_hubs

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def running() -> Iterator[HubEndpoints]:
    with running_hubs(HERE / "data") as endpoints:
        yield endpoints


@pytest.fixture
def hubs(running: HubEndpoints) -> Iterator[HubEndpoints]:
    yield running
    running.faults.clear()


@pytest.fixture(scope="session")
def sample_hubs() -> Iterator[HubEndpoints]:
    """What `hub-ui demo` serves."""
    with running_hubs(SAMPLES) as endpoints:
        yield endpoints


@pytest.fixture(scope="session")
def recordings() -> Path:
    if absent := absence():
        pytest.skip(absent)
    return RESPONSES
