"""Threads and processes on one catalog."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from connectors.query import Query
from hub_ui.catalog.catalog import Catalog
from tests.hub_ui.catalog.builders import catalog, lora, titles

ADD = """
import sys
from pathlib import Path
from connectors.query import Query
from hub_ui.catalog.catalog import Catalog
from tests.hub_ui.catalog.builders import lora

start = int(sys.argv[2])
with Catalog.open(Path(sys.argv[1])) as opened:
    for number in range(start, start + 20, 4):
        opened.add([lora(each) for each in range(number, number + 4)])
        assert opened.search(Query(text="ink")).total >= number - start + 4
"""


def test_threads_add_while_others_search(tmp_path: Path) -> None:
    with catalog(tmp_path) as opened, ThreadPoolExecutor(8) as pool:

        def add(start: int) -> int:
            return sum(opened.add([lora(number)]) for number in range(start, start + 10))

        def search(_: int) -> int:
            return max(opened.search(Query(text="ink")).total for _ in range(10))

        added, seen = pool.map(add, (0, 100, 200, 300)), pool.map(search, range(4))
        assert sum(added) == 40
        assert max(seen) <= 40
        assert opened.search(Query(text="ink")).total == 40


def test_one_process_sees_what_another_added(tmp_path: Path) -> None:
    with catalog(tmp_path, lora(1)) as one, Catalog.open(tmp_path / "catalog.sqlite") as other:
        assert titles(other, "ink") == ["Ink 1"]
        one.add([lora(2)])
        assert titles(other, "ink") == ["Ink 1", "Ink 2"]
        other.add([lora(3)])
        assert titles(one, "ink") == ["Ink 1", "Ink 2", "Ink 3"]


def test_three_processes_open_a_new_catalog_and_fill_it_at_once(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite"
    command = [sys.executable, "-W", "error", "-c", ADD, str(path)]
    running = [subprocess.Popen([*command, str(start)], stderr=subprocess.PIPE) for start in (100, 200, 300)]
    errors = [process.communicate(timeout=60)[1].decode() for process in running]
    assert errors == ["", "", ""]
    with Catalog.open(path) as opened:
        assert opened.search(Query(text="ink")).total == 60
    assert list(tmp_path.glob("*damaged*")) == []
