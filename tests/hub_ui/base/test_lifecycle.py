import threading

import pytest

from connectors.errors import HubUiError
from hub_ui.base.lifecycle import Lifecycle


def test_a_run_that_is_being_stopped_begins_nothing_new() -> None:
    lifecycle = Lifecycle()
    lifecycle.check()
    lifecycle.stop(threading.Event())
    with pytest.raises(HubUiError, match="hub-ui is being stopped here, so nothing new is begun"):
        lifecycle.check()


def test_a_stop_waits_for_what_runs_and_what_was_not_told_to_for_nothing() -> None:
    lifecycle, looks = Lifecycle(seconds=60), iter([False, False, True])
    lifecycle.stop(threading.Event())
    assert lifecycle.wait_for(lambda: next(looks))
    assert not Lifecycle(seconds=60).wait_for(lambda: False)


@pytest.mark.parametrize("seconds", [0, 60])
def test_a_stop_ends_after_its_time_and_at_once_when_somebody_is_in_a_hurry(seconds: int) -> None:
    lifecycle, hurry = Lifecycle(seconds=seconds), threading.Event()
    if seconds:
        hurry.set()
    lifecycle.stop(hurry)
    assert not lifecycle.wait_for(lambda: False)
