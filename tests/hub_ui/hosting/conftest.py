"""The local hubs with what is private to some visitors, and what was asked of them."""

from collections.abc import Iterator

import pytest

from tests.faulty_hubs import HubEndpoints, running_hubs
from tests.hub_ui.hosting.private_data import write_private_data
from tests.recording import Recorder


@pytest.fixture(scope="module")
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture(scope="module")
def hubs(tmp_path_factory: pytest.TempPathFactory, recorder: Recorder) -> Iterator[HubEndpoints]:
    with running_hubs(write_private_data(tmp_path_factory.mktemp("private")), around=recorder.around) as found:
        yield found
