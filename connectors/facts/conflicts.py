"""Where claims contradict each other, and the sentence that says who says what."""

from __future__ import annotations

from collections.abc import Iterable

from connectors.facts import base_models
from connectors.facts.contents import WORDS
from connectors.facts.trust import TRUST, believed
from connectors.record import Claim
from connectors.ref import HUB_LABELS, Origin

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
