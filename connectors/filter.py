"""Filters a hub's answer by the parts of a query that the hub can't apply itself."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime

from connectors.claims.base_models import matches
from connectors.claims.resolve import best, flatten
from connectors.errors import Withheld
from connectors.http.json_fields import moment
from connectors.query import Query
from connectors.record import Claim, Lora, Nsfw, Version, WeightFile, is_marked, within
from connectors.registry import origin_label


def filter_loras(loras: Iterable[Lora], query: Query) -> tuple[Lora, ...]:
    """The LoRAs that match. Versions for one of the bases come first, since a card shows the first version.

    A runner, which is no LoRA, is found by asking for its kind, and what is neither by its ref alone.
    """
    found = []
    for lora in limit_nsfw(loras, query.nsfw):
        if best(lora.claims, "is_lora") is False:
            continue
        kind = flatten(lora).kind
        if kind not in query.kinds if query.kinds else kind == "runner":
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
    shown = (lora for lora in loras if within(lora.nsfw, ceiling) and not lora.is_withheld)
    return tuple(_limit_images(lora, ceiling) for lora in shown)


def _limit_images(lora: Lora, ceiling: Nsfw) -> Lora:
    versions = (
        replace(version, examples=tuple(example for example in version.examples if within(example.nsfw, ceiling)))
        for version in lora.versions
    )
    return replace(lora, versions=tuple(versions))


def keep_permitted(lora: Lora) -> Lora:
    """What its hub lets anyone be shown, whatever they choose.

    Without images above soft where it is marked as showing a minor or as safe for work only. Of one that is withheld,
    the level, the mark and the hashes of its files are left, so that its copies are known.
    """
    if lora.is_withheld:
        marks = tuple(claim for claim in lora.claims if claim.field == "minor")
        versions = tuple(map(_keep_hashes, lora.versions))
        return Lora(ref=lora.ref, title=lora.ref.id, url=lora.url, nsfw=lora.nsfw, versions=versions, claims=marks)
    is_limited = is_marked(lora.claims, "minor") or is_marked(lora.claims, "sfw_only")
    return _limit_images(lora, "soft") if is_limited else lora


def _keep_hashes(version: Version) -> Version:
    files = (
        WeightFile(ref=file.ref, name="", sha256=file.sha256, autov3=file.autov3, format=file.format)
        for file in version.files
    )
    return Version(ref=version.ref, name="", files=tuple(files))


def check_shown(lora: Lora) -> Lora:
    """The LoRA itself. Raises Withheld."""
    if lora.is_withheld:
        raise Withheld(
            f"{origin_label(lora.hub)} marks {lora.ref} as showing a minor, and its content is above soft: it is not "
            "shown, opened or downloaded here, at any level. Choose another LoRA.",
            hub=lora.hub,
        )
    return lora


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
