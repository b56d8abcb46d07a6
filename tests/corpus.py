"""What hubs have answered and how LoRA files begin, recorded. It is other people's, so it lies beside the repository.

Tests that need it are skipped without it, but in CI its absence is an error.
"""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

_FOLDER = Path(__file__).resolve().parents[2] / "shared" / "corpus"
HEADERS = _FOLDER / "headers"
RESPONSES = _FOLDER / "responses"


def absence(headers: Path = HEADERS, responses: Path = RESPONSES) -> str | None:
    """A sentence about what is not there."""
    folders = [str(folder) for folder in (headers, responses) if not any(folder.glob("*.json"))]
    return f"There are no recordings at {' and '.join(folders)}." if folders else None


def check(environment: Mapping[str, str], absent: str | None) -> None:
    if absent and "CI" in environment:
        raise pytest.UsageError(f"{absent} In CI their tests must run.")


def rows_of(table: Path) -> list[dict[str, str]]:
    """Of a table with tabs, by the names of its head."""
    with table.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def or_skip(found: Sequence[Any]) -> Sequence[Any]:
    """For `parametrize`: a test of no recordings is one that is skipped, with the reason."""
    return found or [pytest.param(None, marks=pytest.mark.skip(reason=absence() or "no recording of that name"))]
