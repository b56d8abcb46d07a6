"""What the tests of several commands share: sample hubs, and a command line."""

from collections.abc import Iterator

import pytest

from tests.faulty_hubs import HubEndpoints
from tests.hub_ui.library.shared_hubs import Line, answering, copied
from tests.recording import Recorder


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubEndpoints]:
    """Hubs whose data no test changes."""
    with pytest.MonkeyPatch.context() as patch, answering(copied(tmp_path_factory.mktemp("quiet") / "d"), patch) as on:
        yield on


@pytest.fixture(scope="module")
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def hubs(quiet: HubEndpoints) -> Iterator[HubEndpoints]:
    yield quiet
    quiet.faults.clear()


@pytest.fixture
def new_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hub's answer counts for nobody else, so that the next one says what the hub says then."""
    monkeypatch.setattr("hub_ui.app.services.ANSWER_SECONDS", 0.0)


@pytest.fixture
def line(capsys: pytest.CaptureFixture[str]) -> Line:
    return Line(capsys)
