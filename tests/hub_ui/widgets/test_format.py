from __future__ import annotations

from datetime import datetime

import pytest

from hub_ui.widgets import format


@pytest.mark.parametrize(
    ("number", "text"), [(None, "–"), (0, "0"), (999, "999"), (12_400, "12.4k"), (120_000, "120k"), (2_000_000, "2M")]
)
def test_counts_are_short(number: int | None, text: str) -> None:
    assert format.count(number) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [(None, ""), (900, "900 B"), (876_000, "876 kB"), (38_000_000, "38 MB"), (1_234_000_000, "1.2 GB")],
)
def test_sizes_have_decimal_units(size: int | None, text: str) -> None:
    assert format.size(size) == text


@pytest.mark.parametrize(
    ("then", "text"),
    [
        ("2026-01-01T00:00:00Z", "1 month ago"),
        ("2026-02-01T11:00:00.123456789Z", "1 hour ago"),
        ("2026-02-01T12:00:00+00:00", "just now"),
        ("yesterday", ""),
        (None, ""),
    ],
)
def test_times_are_told_as_ages(then: str | None, text: str) -> None:
    assert format.ago(then, datetime(2026, 2, 1, 12)) == text


def test_direction_overrides_and_control_characters_are_not_shown() -> None:
    assert format.visible("safe\u202egnp.exe\x00\x1b[31m") == "safegnp.exe[31m"
