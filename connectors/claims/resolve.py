"""Claims -> values: which statement about a LoRA is believed, and which ones contradict it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from connectors.claims import base_models
from connectors.errors import NotFound
from connectors.record import CLAIMED_FIELDS, Claim, Lora, Record, Source, Version, WeightFile
from connectors.ref import HUB_LABELS, Origin, Ref
from connectors.weights.file_type import WORDS
from connectors.weights.lora_facts import LoraFacts

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


# A conflict is only worth telling where two values exclude each other; two lists of trigger words do not. "what" is
# what the file is at all: claimed by a file that is no LoRA, though a hub lists it as one.
EXCLUSIVE: tuple[str, ...] = ("what", "architecture", "base_model", "rank", "algorithm")
# What hubs and training scripts call everything on an architecture; a narrower name beside it is no contradiction.
_GENERAL = frozenset(
    (
        "sd-1.4", "sd-1.5", "sd-2.0", "sd-2.1", "sdxl-0.9", "sdxl-1.0", "sd-3", "sd-3.5", "flux.1-dev", "wan",
        "hunyuan-video", "qwen-image", "z-image", "auraflow",
    )
)  # fmt: skip
# Lineages that grew out of another: authors name either.
_PARENTS = {"noobai": "illustrious"}
_FILES: dict[str, str] = {what: word for what, word in WORDS.items()}
_FILE_VERBS = {"rank": "has rank", "base_model": "says"}


def conflicts(claims: Iterable[Claim]) -> tuple[str, ...]:
    """Fields where a claim from another source contradicts the believed one."""
    kept = tuple(claims)
    return tuple(field for field in EXCLUSIVE if _is_in_conflict(kept, field))


def sentences(claims: Iterable[Claim], hub: Origin) -> tuple[str, ...]:
    """ "CivitAI says SDXL 1.0, the file is FLUX.1." One for each of `conflicts`, in its order."""
    kept = tuple(claims)
    return tuple(_sentence(kept, field, hub) for field in EXCLUSIVE if _is_in_conflict(kept, field))


def contradicting(claims: Iterable[Claim], field: str) -> tuple[Claim, ...]:
    """The claims that contradict the believed one, most trusted first.

    A source that says the believed value too contradicts nobody: a card may list two bases that a LoRA was tried on.
    Nor do hints: a tag is somebody's shorthand, and an example shows one use of many.
    """
    kept = tuple(claims)
    top = believed(kept, field)
    if top is None:
        return ()
    agreed = {claim.source for claim in kept if claim.field == field and claim.value == top.value}
    against = (
        claim
        for claim in kept
        if claim.field == field
        and claim.source not in agreed
        and claim.source in ("header", "hub", "card")
        and claim.value is not None
        and not _fit(field, top, claim)
    )
    return tuple(sorted(against, key=lambda claim: TRUST.index(claim.source)))


def _is_in_conflict(claims: tuple[Claim, ...], field: str) -> bool:
    if field == "what":
        return believed(claims, field) is not None
    if field == "base_model" and _is_in_conflict(claims, "architecture"):
        return False
    return bool(contradicting(claims, field))


def _fit(field: str, top: Claim, other: Claim) -> bool:
    """Whether two values can both be true. Only names of base models can be narrower and wider."""
    if field != "base_model":
        return False
    one, two = base_models.by_id(str(top.value)), base_models.by_id(str(other.value))
    if one is None or two is None or one.architecture != two.architecture:
        # An unlisted name may be anything, and two architectures are a contradiction of their own.
        return True
    related = one.id in (two.id, _PARENTS.get(two.id)) or two.id == _PARENTS.get(one.id)
    variant = one.id.startswith(two.id) or two.id.startswith(one.id)
    return related or variant or not _GENERAL.isdisjoint((one.id, two.id))


def _sentence(claims: tuple[Claim, ...], field: str, hub: Origin) -> str:
    top = believed(claims, field)
    label = HUB_LABELS.get(hub, hub)
    if top is None:
        return ""
    if field == "what":
        return f"{label} lists it as a LoRA, the file is {_FILES.get(str(top.value), 'something else')}."
    said = [_statement(claims, claim, hub) for claim in contradicting(claims, field)]
    sentence = f"{' and '.join(dict.fromkeys(said))}, {_statement(claims, top, hub)}."
    return sentence[:1].upper() + sentence[1:]


def _statement(claims: tuple[Claim, ...], claim: Claim, hub: Origin) -> str:
    """What a source says, in its own words for a base: "SDXL 1.0" is what a person reads on the hub's page."""
    if claim.source == "header":
        return f"the file {_FILE_VERBS.get(claim.field, 'is')} {_shown(claim)}"
    card = "the description" if hub in ("civitai", "replicate") else "the model card"
    who = card if claim.source == "card" else HUB_LABELS.get(hub, hub) if claim.source == "hub" else "a tag"
    beside = (c for c in claims if c.field == "raw_base_model" and c.source == claim.source and c.where == claim.where)
    raw = next(beside, None) if claim.field in ("architecture", "base_model") else None
    return f"{who} says {'rank ' if claim.field == 'rank' else ''}{raw.value if raw else _shown(claim)}"


def _shown(claim: Claim) -> str:
    if claim.field == "architecture":
        return base_models.architecture_label(str(claim.value))
    if claim.field == "base_model":
        return base_models.label(str(claim.value))
    return f"{claim.value:g}" if isinstance(claim.value, float) else str(claim.value)


__all__ = ["TRUST", "believed", "best", "conflicts"]


def with_header(lora: Lora, ref: Ref, adapter: LoraFacts) -> Lora:
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


def record_with_header(record: Record, adapter: LoraFacts) -> Record:
    """What `with_header` does, for a record made without it."""
    others = (claim for claim in record.claims if claim.source != "header")
    return replace(record, **_from_claims((*_proved(adapter), *others), record.hub))


def _proved(adapter: LoraFacts) -> tuple[Claim, ...]:
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
