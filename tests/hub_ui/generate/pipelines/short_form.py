"""Which rows of a table `make test` has. The others are for `make exact`."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytest


def one_of_each(rows: Sequence[Any], *properties: Callable[[Any], object]) -> list[Any]:
    """So few rows that each value of each property is still that of one of them."""
    has = [{(number, of(row)) for number, of in enumerate(properties)} for row in rows]
    missing = set[object]().union(*has)
    kept = set[int]()
    while missing:
        best = max(range(len(rows)), key=lambda at: len(has[at] & missing))
        kept.add(best)
        missing -= has[best]
    return _marked(rows, kept)


def every_third(rows: Sequence[Any], start: int) -> list[Any]:
    """Three tests of the same rows, with 0, 1 and 2, have each of them once."""
    return _marked(rows, set(range(start, len(rows), 3)))


def only(rows: Iterable[Any], *kept: Any) -> list[Any]:
    """These of the rows, each of which is one argument or a tuple of several."""
    every = list(rows)
    return _marked(every, {every.index(row) for row in kept})


def _marked(rows: Sequence[Any], kept: set[int]) -> list[Any]:
    arguments = [row if isinstance(row, tuple) else (row,) for row in rows]
    return [
        rows[at] if at in kept else pytest.param(*each, marks=pytest.mark.exact) for at, each in enumerate(arguments)
    ]
