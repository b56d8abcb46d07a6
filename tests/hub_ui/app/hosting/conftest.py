"""The local hubs with what is private to some visitors, and what was asked of them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from hub_ui.app.services import Services
from tests.faulty_hubs import HubEndpoints, running_hubs
from tests.hub_ui.app.hosting.private_data import write_private_data
from tests.hub_ui.stand_ins import services_of
from tests.recording import Recorder


@pytest.fixture(scope="module")
def hubs(tmp_path_factory: pytest.TempPathFactory, recorder: Recorder) -> Iterator[HubEndpoints]:
    with running_hubs(write_private_data(tmp_path_factory.mktemp("private")), around=recorder.around) as found:
        yield found


@pytest.fixture
def page(hubs: HubEndpoints, home: Path) -> Iterator[Services]:
    with services_of(hubs, home, hosted=True) as found:
        yield found
