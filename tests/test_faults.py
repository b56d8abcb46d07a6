"""A fault that hangs ends in time, so that no test waits for it."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
import requests

from tests.contract.conftest import hubs as hubs
from tests.contract.conftest import running as running
from tests.faults import Fault
from tests.faulty_hubs import HubEndpoints, running_hubs

DATA = Path(__file__).parent / "contract" / "data"


def test_a_hang_ends_when_the_client_leaves(hubs: HubEndpoints) -> None:
    hubs.faults.add(Fault(kind="latency", hub="civitai", seconds=3600, times=1))
    with pytest.raises(requests.exceptions.ReadTimeout):
        requests.get(f"{hubs.civitai}/api/v1/tags", timeout=0.2)
    assert requests.get(f"{hubs.civitai}/api/v1/tags", timeout=30).status_code == 200


def test_a_hang_ends_when_the_faults_of_its_hub_are_removed(hubs: HubEndpoints) -> None:
    for hub in ("civitai", "replicate"):
        hubs.faults.add(Fault(kind="latency", hub=hub, seconds=3600, times=1))
    with ThreadPoolExecutor(1) as pool:
        waits = pool.submit(requests.get, f"{hubs.civitai}/api/v1/tags", timeout=30)
        while len(hubs.faults.coming()) > 1:
            time.sleep(0.01)
        hubs.faults.clear("civitai")
        assert waits.result().status_code == 200
    assert [fault.hub for fault in hubs.faults.coming()] == ["replicate"]


@pytest.mark.timeout(30)
def test_a_stop_does_not_wait_for_a_request_that_hangs() -> None:
    with running_hubs(DATA) as hubs:
        hubs.faults.add(Fault(kind="latency", seconds=3600, times=1))
        hanging = threading.Thread(target=_swallowed_get, args=(hubs.civitai,))
        hanging.start()
        while hubs.faults.coming():
            time.sleep(0.01)
    hanging.join(30)
    assert not hanging.is_alive()


def _swallowed_get(url: str) -> None:
    with suppress(requests.exceptions.RequestException):
        requests.get(url, timeout=30)
