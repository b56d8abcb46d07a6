"""Twenty visitors of a shared page at once, against the same number of requests one after the other."""

from __future__ import annotations

import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.benchmarks.figures import Figure, interleaved, report
from tests.hub_ui.web.raw import Visitor, served
from tests.hub_ui.web.test_load import browse

VISITORS = 20
TARGET = 1.2


def seconds(visitor: Visitor, *, visitors: int, at_once: int) -> float:
    """How long so many visitors take who each search, open a card and go to try it. Raises where one gets an error."""
    start = time.perf_counter()
    with ThreadPoolExecutor(at_once) as people:
        visits = [people.submit(browse, visitor) for _ in range(visitors)]
        failed = [error for visit in visits for error in visit.result()]
    if failed:
        raise AssertionError(f"{len(failed)} requests failed: {failed[0]}")
    return time.perf_counter() - start


def figures(*, visitors: int = VISITORS, runs: int = 3) -> list[Figure]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home, served(Path(home), hosted=True) as visitor:
        together, alone = interleaved(
            lambda: seconds(visitor, visitors=visitors, at_once=visitors),
            lambda: seconds(visitor, visitors=visitors, at_once=1),
            runs=runs,
        )
    name = f"{visitors} visitors at once"
    return [Figure(name=name, ours=together, other=alone, against="one after the other", target=TARGET)]


if __name__ == "__main__":
    sys.exit(report(figures()))
