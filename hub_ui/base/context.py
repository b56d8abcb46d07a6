"""Set a context variable for the length of a block."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

Value = TypeVar("Value")


@contextmanager
def use(variable: ContextVar[Value], value: Value) -> Iterator[None]:
    """Set `variable` to `value` until the block ends, in this thread and in copies of its context."""
    token = variable.set(value)
    try:
        yield
    finally:
        variable.reset(token)
