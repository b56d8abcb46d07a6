"""Is it a safetensors file? Checked on the first bytes to stop early, and on the whole file before it is kept."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from connectors.errors import BadHeader, NotWeights
from connectors.facts.header import header_length, read_header
from connectors.facts.ranges import FileRanges


def check_start(head: bytes) -> None:
    """Raises NotWeights when a file that begins with these (at least 9) bytes can't be safetensors."""
    with _not_kept():
        header_length(head)


def check_file(path: Path) -> None:
    """Raises NotWeights unless the header can be read and describes exactly the bytes that follow it."""
    with _not_kept(), path.open("rb") as file:
        read_header(FileRanges(file))


@contextmanager
def _not_kept() -> Iterator[None]:
    try:
        yield
    except (NotWeights, BadHeader) as error:
        raise NotWeights(f"{error.message} It was not kept.") from error
