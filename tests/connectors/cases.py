"""Cases that are data: beside the tests of a module, in a file of its name."""

import json
from pathlib import Path
from typing import Any

import pytest


def read_cases(tests: str) -> dict[str, list[Any]]:
    """By what is read in them, which is also the name of the test."""
    path = Path(tests)
    file = path.with_name(f"{path.stem.removeprefix('test_')}.json")
    cases: dict[str, list[Any]] = json.loads(file.read_text(encoding="utf-8"))
    return cases


def named(cases: list[Any]) -> list[Any]:
    """Parameters of which the first is a sentence, the name of the case."""
    return [pytest.param(*case[1:], id=case[0]) for case in cases]
