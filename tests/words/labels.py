"""The labels of `connectors`, which know no languages: the page translates them where it shows them."""

from __future__ import annotations

from collections.abc import Iterator


def labels() -> Iterator[str]:
    yield from ()
