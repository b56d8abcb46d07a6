from __future__ import annotations

import pytest
import requests

from connectors.errors import RateLimited
from connectors.replicate.errors import explain, no_key


def _answer(status: int, body: bytes, **headers: str) -> requests.Response:
    answer = requests.Response()
    answer.status_code, answer._content = status, body
    answer.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    return answer


@pytest.mark.parametrize(
    ("body", "headers", "wait"),
    [
        (b'{"detail": "Request was throttled. Your rate limit resets in ~30s."}', {}, 30.0),
        (b'{"detail": "resets in ~30s."}', {"Retry_After": "4"}, 4.0),
        (b"{}", {"ratelimit_reset": "9"}, 9.0),
        (b"<html>", {}, None),
    ],
)
def test_how_long_to_wait_stands_in_the_header_or_in_the_words(
    body: bytes, headers: dict[str, str], wait: float | None
) -> None:
    error = explain(_answer(429, body, **headers))
    assert isinstance(error, RateLimited)
    assert error.retry_after == wait


@pytest.mark.parametrize("status", [401, 404, 500])
def test_what_the_status_says_well_enough_is_left_to_it(status: int) -> None:
    assert explain(_answer(status, b"{}")) is None


def test_a_long_detail_is_cut_and_on_one_line() -> None:
    error = explain(_answer(422, b'{"detail": "- input: a\\n- input: b\\n%s"}' % (b"x" * 2_000)))
    assert error is not None
    assert "- input: a - input: b" in error.message
    assert len(error.message) < 700


def test_a_missing_key_is_told_with_where_to_get_one() -> None:
    assert no_key("Drawing").message == (
        "Drawing on Replicate needs a key, and costs money there. Add a key (REPLICATE_API_TOKEN, from "
        "replicate.com/account/api-tokens)."
    )
