from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
import requests

from connectors.http.retry import RetryPolicy, retry_after
from tests.connectors.cases import read_cases
from tests.connectors.http.test_errors import answer
from tests.connectors.serving import Hub, said

READ = read_cases(__file__)


@pytest.mark.parametrize(("headers", "seconds"), READ["three hubs say in three ways when to come back"])
def test_three_hubs_say_in_three_ways_when_to_come_back(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(answer(429, **headers)) == seconds


def test_a_date_to_come_back_is_a_number_of_seconds() -> None:
    in_a_minute = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    seconds = retry_after(answer(429, Retry_After=in_a_minute))
    assert seconds is not None
    assert 50 < seconds <= 60


def test_retry_after_ignores_counts_of_requests_in_a_fault() -> None:
    assert retry_after(answer(503, RateLimit='"api";r=499;t=55', ratelimit_reset="30")) is None


@pytest.mark.parametrize(
    ("headers", "waits"), [({"Retry_After": "2"}, [2.0, 2.0]), ({}, [0.5, 1.0]), ({"Retry_After": "31"}, [])]
)
def test_policy_waits_as_long_as_a_fault_asks(server: Hub, headers: dict[str, str], waits: list[float]) -> None:
    server.answers["/x"] = said({}, 503, **headers)
    waited: list[float] = []
    policy = RetryPolicy(tries=3, first=0.5, longest=30.0, pause=waited.append)
    response = policy.send(lambda: requests.get(f"{server.url}/x", timeout=30))
    assert (response.status_code, waited) == (503, waits)
