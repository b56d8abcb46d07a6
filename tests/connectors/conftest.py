from collections.abc import Iterator

import pytest

from tests.connectors.serving import Hub, hub
from tests.contract.conftest import recordings as recordings
from tests.contract.conftest import sample_hubs as sample_hubs
from tests.faulty_hubs import HubEndpoints


@pytest.fixture
def server() -> Iterator[Hub]:
    with hub() as answering:
        yield answering


@pytest.fixture
def elsewhere() -> Iterator[Hub]:
    """Another origin, where a key has no business."""
    with hub() as answering:
        yield answering


@pytest.fixture
def hubs(sample_hubs: HubEndpoints) -> Iterator[HubEndpoints]:
    yield sample_hubs
    sample_hubs.faults.clear()
