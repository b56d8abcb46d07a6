"""Claims -> values: which statement about a LoRA is believed, and which ones contradict it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from connectors.errors import NotFound
from connectors.facts import base_models
from connectors.facts.adapter import Adapter
from connectors.facts.conflicts import conflicts, sentences
from connectors.facts.trust import TRUST, believed, best
from connectors.record import CLAIMED_FIELDS, Claim, Lora, Record, Version, WeightFile
from connectors.ref import Origin, Ref

__all__ = ["TRUST", "believed", "best", "conflicts"]


def with_header(lora: Lora, ref: Ref, adapter: Adapter) -> Lora:
    """`lora` with what its file says in front of what was said about it; `ref` means a file as `flatten` does.

    A second reading takes the place of the first. A `ref` that names no file of `lora` changes nothing.
    """
    version = lora.version(ref.version if ref.pinned else None)
    file = file_of(version, ref)
    if version is None or file is None:
        return lora
    others = (claim for claim in file.claims if claim.source != "header")
    read = replace(file, claims=(*_proved(adapter), *others))
    changed = replace(version, files=tuple(read if one is file else one for one in version.files))
    return replace(lora, versions=tuple(changed if one is version else one for one in lora.versions))


def file_of(version: Version | None, ref: Ref) -> WeightFile | None:
    """The file `ref` names, the version's main one where it names none."""
    if version is None or ref.file is None:
        return version.file if version else None
    return next((file for file in version.files if file.ref.file == ref.file), None)


def possible(claims: tuple[Claim, ...]) -> tuple[Claim, ...]:
    """Without the base models that the file can't be for: their architecture is not the one its header proves."""
    proved = best((claim for claim in claims if claim.source == "header"), "architecture")
    return tuple(claim for claim in claims if claim.field != "base_model" or _stands_on(claim, proved))


def _stands_on(claim: Claim, architecture: str | None) -> bool:
    known = base_models.by_id(str(claim.value))
    return architecture is None or known is None or known.architecture in (None, architecture)


def flatten(lora: Lora, version: Version | None = None, file: WeightFile | None = None) -> Record:
    """The Record of one file of one version; by default the default version's main file.

    A LoRA may have neither (an archived CivitAI model, a Replicate model without versions): it is still a Record.
    """
    version = version or lora.version(None)
    file = file or (version.file if version else None)
    claims = (
        *(file.claims if file else ()),
        *(version.claims if version else ()),
        *lora.claims,
    )
    ref = file.ref if file else version.ref if version else lora.ref
    return Record(
        ref=ref,
        hub=lora.hub,
        title=lora.title,
        creator=lora.creator,
        url=lora.url,
        file=file,
        nsfw=lora.nsfw,
        downloads=lora.downloads,
        likes=lora.likes,
        updated_at=(version.updated_at if version else None) or lora.updated_at,
        images=version.examples if version else (),
        access=version.access if version and lora.access == "open" else lora.access,
        **_from_claims(claims, lora.hub),
    )


def record_of(lora: Lora, ref: Ref) -> Record:
    """The Record of the version and file that `ref` names; of the default ones where it names none."""
    version = lora.version(ref.version if ref.pinned else None)
    if version is None:
        if ref.version:
            raise NotFound(f"“{lora.title}” has no version {ref.version}.", hub=lora.hub)
        return flatten(lora)
    if ref.file is None:
        return flatten(lora, version)
    named = next((file for file in version.files if file.ref.file == ref.file), None)
    if named is None:
        raise NotFound(f"“{lora.title}” has no file {ref.file} in version {version.name}.", hub=lora.hub)
    return flatten(lora, version, named)


def record_with_header(record: Record, adapter: Adapter) -> Record:
    """What `with_header` does, for a record made without it."""
    others = (claim for claim in record.claims if claim.source != "header")
    return replace(record, **_from_claims((*_proved(adapter), *others), record.hub))


def _proved(adapter: Adapter) -> tuple[Claim, ...]:
    """A file that is no LoRA proves nothing but what it is."""
    if adapter.is_lora:
        return adapter.claims
    return (Claim(field="what", value=adapter.what, source="header", where="tensor names and shapes"),)


def _weight_range(claims: tuple[Claim, ...]) -> tuple[float, float] | None:
    """The range that the recommended weight, its low end, was said in: the high one is claimed beside it."""
    low = believed(claims, "weight")
    beside = (c for c in claims if c.field == "weight_high" and low and (c.source, c.where) == (low.source, low.where))
    high = next(beside, None)
    if low is None or high is None or not isinstance(low.value, float) or not isinstance(high.value, float):
        return None
    return low.value, high.value


def _from_claims(claims: tuple[Claim, ...], hub: Origin) -> dict[str, Any]:
    """Every field of a Record that is somebody's claim, the claims, and where they contradict each other."""
    kept = possible(claims)
    fields = {name: best(kept, name) for name in CLAIMED_FIELDS}
    return {
        **fields,
        "trigger_words": fields["trigger_words"] or (),
        "weight_range": _weight_range(claims),
        "claims": claims,
        "conflicts": conflicts(claims),
        "conflict_sentences": sentences(claims, hub),
    }
