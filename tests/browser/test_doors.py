"""doors.tsv: each way in that the page, the documentation and the command line promise, and the tests that walk it."""

import ast
from functools import cache
from pathlib import Path

from tests.corpus import rows_of
from tests.suites import ROOT

ROWS = rows_of(Path(__file__).with_name("doors.tsv"))


@cache
def read_names(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef))


def test_each_door_has_a_test_that_exists() -> None:
    assert [row["door"] for row in ROWS if not row["test"]] == []
    tests = {test for row in ROWS for test in row["test"].split()}
    missing = [test for test in tests if test.partition("::")[2] not in read_names(test.partition("::")[0])]
    assert missing == []


def test_each_door_stands_once() -> None:
    doors = [row["door"] for row in ROWS]
    assert sorted(set(doors)) == sorted(doors)
