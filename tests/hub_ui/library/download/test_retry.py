from __future__ import annotations

from typing import Any

import pytest

from connectors.errors import HubDown
from connectors.http.adapter import Attempts, RetryPolicy

DOWN = HubDown("The connection broke off in the middle.")


def tries(done: list[int], **fields: Any) -> int:
    """After how many failures it gives up, where the bytes come so far."""
    attempts = Attempts(RetryPolicy(first=0.0, **fields), lambda: None)
    for tried, came in enumerate(done, 1):
        try:
            attempts.wait(DOWN, came)
        except HubDown:
            return tried
    return 0


def test_without_progress_it_gives_up_after_a_few_tries() -> None:
    assert tries([7] * 100, tries=3) == 3


def test_every_byte_that_comes_is_a_reason_to_go_on() -> None:
    assert tries(list(range(40)), tries=3) == 0


def test_a_server_that_gives_nine_bytes_at_a_time_is_left_in_the_end() -> None:
    assert tries(list(range(9, 10_000, 9)), most=50) == 50


@pytest.mark.parametrize(("each", "given_up"), [(1000, 0), (999, 50)])
def test_a_long_file_on_a_bad_line_is_not(each: int, given_up: int) -> None:
    assert tries([each * tried for tried in range(1, 200)], most=50, worth=1000) == given_up
