"""Which of several claims about one field is believed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from connectors.record import Claim, Source

# Falling trust for what a file *is* (DESIGN, "Claim"). Earlier claims win among equals: connectors emit in trust order.
TRUST: tuple[Source, ...] = ("header", "hub", "card", "tag", "size", "example")
# What its author means by it is no matter of what the file is: a trainer's folder name is not the author's word.
_OF_THE_AUTHOR = frozenset({"trigger_words", "weight", "kind", "license"})
_AUTHOR_TRUST: tuple[Source, ...] = ("hub", "card", "header", "tag", "size", "example")


def best(claims: Iterable[Claim], field: str) -> Any:
    """The most trusted non-empty value, None if nothing was said."""
    claim = believed(claims, field)
    return claim.value if claim else None


def believed(claims: Iterable[Claim], field: str) -> Claim | None:
    """The claim that `best` takes its value from."""
    said = (claim for claim in claims if claim.field == field and claim.value not in (None, "", ()))
    order = _AUTHOR_TRUST if field in _OF_THE_AUTHOR else TRUST
    return min(said, key=lambda claim: order.index(claim.source), default=None)
