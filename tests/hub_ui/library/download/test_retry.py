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


@pytest.mark.parametrize(
    ("done", "fields", "given_up"),
    [
        ([7] * 100, {"tries": 3}, 3),
        (list(range(40)), {"tries": 3}, 0),
        (list(range(9, 10_000, 9)), {"most": 50}, 50),
        (list(range(1000, 200_000, 1000)), {"most": 50, "worth": 1000}, 0),
        (list(range(999, 199_800, 999)), {"most": 50, "worth": 1000}, 50),
    ],
    ids=["no progress", "a byte a time", "nine bytes for ever", "a long file on a bad line", "too little a time"],
)
def test_a_download_is_given_up_where_too_little_comes(done: list[int], fields: dict[str, Any], given_up: int) -> None:
    assert tries(done, **fields) == given_up
