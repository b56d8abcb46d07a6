from collections.abc import Iterator
from shutil import copytree

import pytest

from hub_ui.demo.hubs.folder import SAMPLES
from tests.connectors.serving import Hub, hub
from tests.contract.conftest import recordings as recordings
from tests.faulty_hubs import HubEndpoints, running_hubs


@pytest.fixture
def server() -> Iterator[Hub]:
    with hub() as answering:
        yield answering


@pytest.fixture
def elsewhere() -> Iterator[Hub]:
    """Another origin, where a key has no business."""
    with hub() as answering:
        yield answering


@pytest.fixture(scope="session")
def sample_hubs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubEndpoints]:
    data = tmp_path_factory.mktemp("samples")
    copytree(SAMPLES, data, dirs_exist_ok=True)
    with running_hubs(data) as running:
        yield running


@pytest.fixture
def hubs(sample_hubs: HubEndpoints) -> Iterator[HubEndpoints]:
    yield sample_hubs
    sample_hubs.faults.clear()
