from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import spread
from tests.suites import ROOT


@dataclass(frozen=True)
class Item:
    path: Path
    name: str


def items(*tests: str) -> list[Any]:
    return [Item(ROOT / "tests" / test.partition("::")[0], test) for test in tests]


QUICK = [f"connectors/test_a.py::{number}" for number in range(4)]
WEB = ["hub_ui/web/test_b.py::1", "hub_ui/web/test_b.py::2"]
BROWSER = ["browser/test_c.py::1", "browser/test_d.py::1"]


@pytest.mark.parametrize(
    ("workers", "found"),
    [
        (1, [*BROWSER, *WEB, *QUICK]),
        # Each begins with a half of these: both with a browser's test, the first with the other slow module too.
        (2, [BROWSER[0], *WEB, QUICK[0], BROWSER[1], *QUICK[1:]]),
    ],
)
def test_each_worker_begins_with_its_share_of_the_slow_modules(workers: int, found: list[str]) -> None:
    assert [test.name for test in spread(items(*QUICK, *WEB, *BROWSER), workers)] == found
