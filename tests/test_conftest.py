import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from gradio import http_server

from tests.conftest import spread
from tests.corpus import absence, check
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


def test_a_slow_folder_in_another_slow_folder_runs_once() -> None:
    cluster = ["hub_ui/generate/backends/cluster/test_e.py::1"]
    assert [test.name for test in spread(items(*cluster, *QUICK), 1)] == [*cluster, *QUICK]


def test_each_process_of_a_run_looks_for_free_ports_of_its_own() -> None:
    first = http_server.INITIAL_PORT_VALUE
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw-1")
    assert first == 7960 + 100 * int(worker.removeprefix("gw"))


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    there, absent = tmp_path / "there", tmp_path / "absent"
    there.mkdir()
    (there / "a.json").touch()
    assert absence(there, there) is None
    assert absence(there, absent) == f"There are no recordings at {absent}."
    assert absence(absent, absent) == f"There are no recordings at {absent} and {absent}."


def test_in_ci_its_absence_is_an_error() -> None:
    with pytest.raises(pytest.UsageError, match="no recordings"):
        check({"CI": "true"}, "There are no recordings.")
    check({"CI": "true"}, None)
    check({}, "There are no recordings.")
