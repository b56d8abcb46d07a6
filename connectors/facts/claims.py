"""Claims -> values: which statement about a LoRA is believed, and which ones contradict it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from connectors.facts import base_models
from connectors.facts.adapter import Adapter
from connectors.record import CLAIMED_FIELDS, Claim, Lora, Record, Source, Version, WeightFile
from connectors.ref import Ref

# Falling trust for what a file *is* (DESIGN, "Claim"). Earlier claims win among equals: connectors emit in trust order.
TRUST: tuple[Source, ...] = ("header", "hub", "card", "tag", "size", "example")
# What its author means by it is no matter of what the file is: a trainer's folder name is not the author's word.
_OF_THE_AUTHOR = frozenset({"trigger_words", "weight", "kind", "license"})
_AUTHOR_TRUST: tuple[Source, ...] = ("hub", "card", "header", "tag", "size", "example")
# A conflict is only worth telling where two values exclude each other; two lists of trigger words do not.
EXCLUSIVE: tuple[str, ...] = ("architecture", "rank", "algorithm")


def best(claims: Iterable[Claim], field: str) -> Any:
    """The most trusted non-empty value, None if nothing was said."""
    claim = believed(claims, field)
    return claim.value if claim else None


def believed(claims: Iterable[Claim], field: str) -> Claim | None:
    """The claim that `best` takes its value from."""
    said = (claim for claim in claims if claim.field == field and claim.value not in (None, "", ()))
    order = _AUTHOR_TRUST if field in _OF_THE_AUTHOR else TRUST
    return min(said, key=lambda claim: order.index(claim.source), default=None)


def conflicts(claims: Iterable[Claim]) -> tuple[str, ...]:
    """Fields where a claim from another source contradicts the believed one."""
    kept = tuple(claims)
    return tuple(field for field in EXCLUSIVE if _contradicted(kept, field))


def _contradicted(claims: tuple[Claim, ...], field: str) -> bool:
    """One source alone contradicts nobody: a card may list two bases that a LoRA was tried on."""
    top = believed(claims, field)
    return top is not None and any(
        claim.field == field
        and claim.value not in (None, top.value)
        and claim.source != top.source
        and claim.source in ("header", "hub", "card")
        for claim in claims
    )


def with_header(lora: Lora, ref: Ref, adapter: Adapter) -> Lora:
    """`lora` with what its file says in front of what was said about it; `ref` means a file as `flatten` does.

    A second reading takes the place of the first. A `ref` that names no file of `lora` changes nothing.
    """
    version = lora.version(ref.version if ref.pinned else None)
    file = file_of(version, ref)
    if version is None or file is None:
        return lora
    read = replace(file, claims=(*adapter.claims, *(claim for claim in file.claims if claim.source != "header")))
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
        **_from_claims(claims),
    )


def record_with_header(record: Record, adapter: Adapter) -> Record:
    """What `with_header` does, for a record made without it."""
    others = (claim for claim in record.claims if claim.source != "header")
    return replace(record, **_from_claims((*adapter.claims, *others)))


def _from_claims(claims: tuple[Claim, ...]) -> dict[str, Any]:
    """Every field of a Record that is somebody's claim, the claims, and where they contradict each other."""
    kept = possible(claims)
    fields = {name: best(kept, name) for name in CLAIMED_FIELDS}
    return {
        **fields,
        "trigger_words": fields["trigger_words"] or (),
        "claims": claims,
        "conflicts": conflicts(claims),
    }
