"""Each fault as a client sees it."""

import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
import requests

from tests.contract.conftest import hubs as hubs
from tests.contract.conftest import running as running
from tests.faults import Fault, Faults
from tests.faulty_hubs import HubEndpoints, running_hubs

DATA = Path(__file__).parent / "contract" / "data"


@pytest.fixture
def signed(hubs: HubEndpoints) -> str:
    answer = requests.get(f"{hubs.civitai}/api/download/models/2001", allow_redirects=False, timeout=30)
    return answer.headers["location"]


def test_a_rate_limit_says_when_to_come_back(hubs: HubEndpoints) -> None:
    hubs.faults.add(Fault(kind="status", hub="huggingface", status=429, retry_after=7, times=1))
    limited = requests.get(f"{hubs.huggingface}/api/models", timeout=30)
    assert (limited.status_code, limited.headers["retry-after"]) == (429, "7")
    assert limited.headers["ratelimit"] == '"api";r=0;t=7'
    assert requests.get(f"{hubs.huggingface}/api/models", timeout=30).status_code == 200


def test_a_fault_hits_only_its_hub_and_its_path(hubs: HubEndpoints) -> None:
    hubs.faults.add(Fault(kind="status", hub="civitai", match=r"/models\?.*query=x"))
    assert requests.get(f"{hubs.civitai}/api/v1/models?limit=1&query=x", timeout=30).status_code == 500
    assert requests.get(f"{hubs.civitai}/api/v1/models?limit=1", timeout=30).status_code == 200
    assert requests.get(f"{hubs.huggingface}/api/models?query=x", timeout=30).status_code == 200


def test_a_hang_ends_when_the_client_leaves(hubs: HubEndpoints) -> None:
    hubs.faults.add(Fault(kind="latency", hub="civitai", seconds=3600, times=1))
    with pytest.raises(requests.exceptions.ReadTimeout):
        requests.get(f"{hubs.civitai}/api/v1/enums", timeout=0.2)
    assert requests.get(f"{hubs.civitai}/api/v1/enums", timeout=30).status_code == 200


def test_a_hang_ends_when_the_faults_of_its_hub_are_removed(hubs: HubEndpoints) -> None:
    for hub in ("civitai", "replicate"):
        hubs.faults.add(Fault(kind="latency", hub=hub, seconds=3600, times=1))
    with ThreadPoolExecutor(1) as pool:
        waits = pool.submit(requests.get, f"{hubs.civitai}/api/v1/enums", timeout=30)
        while len(hubs.faults.coming()) > 1:
            time.sleep(0.01)
        hubs.faults.clear("civitai")
        assert waits.result().status_code == 200
    assert [fault.hub for fault in hubs.faults.coming()] == ["replicate"]


@pytest.mark.parametrize("origin", ["huggingface", "civitai", "replicate", "delivery"])
def test_every_origin_has_faults_until_they_are_removed(hubs: HubEndpoints, origin: str) -> None:
    hubs.faults.add(Fault(kind="status", status=418))
    assert requests.get(getattr(hubs, origin), timeout=30).status_code == 418
    hubs.faults.clear()
    assert requests.get(getattr(hubs, origin), timeout=30).status_code != 418


def test_a_fault_that_makes_no_sense_is_an_error() -> None:
    with pytest.raises(ValueError, match="flood"):
        Fault(kind="flood")
    with pytest.raises(re.error):
        Fault(kind="html", match="(")


def test_a_fault_with_a_number_hits_that_often_from_any_thread() -> None:
    faults = Faults()
    faults.add(Fault(kind="html", times=50))
    hits: list[int] = []
    threads = [threading.Thread(target=lambda: hits.append(len(faults.take("civitai", "/")))) for _ in range(80)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(hits) == 50


def test_a_slow_connection_takes_its_time(hubs: HubEndpoints, signed: str) -> None:
    hubs.faults.add(Fault(kind="slow", hub="delivery", bytes_per_second=1, times=1))
    with pytest.raises((requests.exceptions.ConnectionError, requests.exceptions.ReadTimeout)):
        requests.get(signed, timeout=(30, 0.2))  # the next byte is a second away
    assert len(requests.get(signed, timeout=30).content) == 1604


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
