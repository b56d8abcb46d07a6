"""Applies to a hub's answer whatever part of the query the hub itself can't."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from connectors.claims.base_models import matches
from connectors.claims.resolve import best, flatten
from connectors.query import Query
from connectors.record import Lora, Nsfw, Version, may_list, within


def sift(loras: Iterable[Lora], query: Query) -> tuple[Lora, ...]:
    return tuple(_arranged(lora, query) for lora in loras if _wanted(lora, query))


def tamed(loras: Iterable[Lora], ceiling: Nsfw) -> tuple[Lora, ...]:
    """Those that may be listed for a person who asked for at most `ceiling`, with the pictures that may be shown."""
    return tuple(_with_pictures(lora, ceiling) for lora in loras if may_list(lora.nsfw, ceiling))


def _wanted(lora: Lora, query: Query) -> bool:
    if not may_list(lora.nsfw, query.nsfw):
        return False
    if query.kinds and flatten(lora).kind not in query.kinds:
        return False
    return not query.bases or _on_base(lora, None, query) or any(_on_base(lora, v, query) for v in lora.versions)


def _on_base(lora: Lora, version: Version | None, query: Query) -> bool:
    claims = (*(version.claims if version else ()), *lora.claims)
    base, architecture, raw = (best(claims, name) for name in ("base_model", "architecture", "raw_base_model"))
    return matches(base, architecture, raw, query.bases)


def _arranged(lora: Lora, query: Query) -> Lora:
    """Versions on an asked base first, since the first is the one a card shows; too strong pictures left out."""
    shown = _with_pictures(lora, query.nsfw)
    if not query.bases:
        return shown
    return replace(
        shown, versions=tuple(sorted(shown.versions, key=lambda version: not _on_base(lora, version, query)))
    )


def _with_pictures(lora: Lora, ceiling: Nsfw) -> Lora:
    versions = (
        replace(version, examples=tuple(e for e in version.examples if within(e.nsfw, ceiling)))
        for version in lora.versions
    )
    return replace(lora, versions=tuple(versions))
