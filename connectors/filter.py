"""Filters a hub's answer by the parts of a query that the hub can't apply itself."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime

from connectors.claims.availability import moment
from connectors.claims.base_models import matches
from connectors.claims.resolve import best, flatten
from connectors.query import Query
from connectors.record import Claim, Lora, Nsfw, may_list, within


def filter_loras(loras: Iterable[Lora], query: Query) -> tuple[Lora, ...]:
    """The LoRAs that match. Versions for one of the bases come first, since a card shows the first version."""
    found = []
    for lora in limit_nsfw(loras, query.nsfw):
        if query.kinds and flatten(lora).kind not in query.kinds:
            continue
        if query.bases:
            on_base = {v.ref: _is_on_base((*v.claims, *lora.claims), query) for v in lora.versions}
            if not any(on_base.values()) and not _is_on_base(lora.claims, query):
                continue
            lora = replace(lora, versions=tuple(sorted(lora.versions, key=lambda v: not on_base[v.ref])))
        found.append(lora)
    return tuple(found)


def limit_nsfw(loras: Iterable[Lora], ceiling: Nsfw) -> tuple[Lora, ...]:
    """The LoRAs, and of their images those, that a person may see who asked for at most `ceiling`."""
    return tuple(
        replace(
            lora,
            versions=tuple(
                replace(version, examples=tuple(e for e in version.examples if within(e.nsfw, ceiling)))
                for version in lora.versions
            ),
        )
        for lora in loras
        if may_list(lora.nsfw, ceiling)
    )


def is_past(query: Query, updates: Iterable[str | None]) -> bool:
    """Whether a page of a hub's list, newest first, is older than `query.age` as a whole: so is all that follows.

    `updates` are the times of everything on the page, LoRA or not. All of them must be older, since hubs don't keep
    the order to the second.
    """
    if query.sort != "newest" or query.age is None or query.age.most is None:
        return False
    now = datetime.now(UTC)
    ages = [(now - at).total_seconds() for at in map(moment, updates) if at is not None]
    return bool(ages) and min(ages) > query.age.most


def _is_on_base(claims: tuple[Claim, ...], query: Query) -> bool:
    base, architecture, raw = (best(claims, name) for name in ("base_model", "architecture", "raw_base_model"))
    return matches(base, architecture, raw, query.bases)
