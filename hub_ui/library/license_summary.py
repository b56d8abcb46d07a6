"""What a set of LoRAs and their base models permit at most; the unknown is not permitted. No legal advice."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from connectors.claims import base_models
from connectors.claims.license import Permissions, Use, permissions_of
from connectors.claims.resolve import best
from connectors.record import Claim
from hub_ui.library.lockfile import Entry

Answer = Literal["yes", "no", "unknown"]

QUESTIONS: Mapping[Use, str] = {
    "sell_images": "sell the images",
    "run_as_service": "run it as a paid service",
    "sell": "sell the LoRA itself",
    "merge": "merge it with others",
    "no_credit": "leave out the credit",
}
_STRICTEST: tuple[Answer, ...] = ("no", "unknown", "yes")
_ANSWERS: Mapping[bool | None, Answer] = {True: "yes", False: "no", None: "unknown"}


@dataclass(frozen=True, kw_only=True, slots=True)
class EntryLicense:
    """`license` in the hub's words, `terms` in ours. `base` is the base model's own licence, which binds too."""

    entry: Entry
    license: str | None
    terms: str | None
    base: str | None
    base_terms: str | None
    answers: Mapping[Use, Answer]
    conditions: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """`because` are the entries that give this answer, where it isn't "yes"."""

    answer: Answer
    because: tuple[Entry, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class LicenseSummary:
    each: tuple[EntryLicense, ...]
    together: Mapping[Use, Verdict]
    conditions: tuple[str, ...]


def summarize_licenses(entries: Iterable[Entry], claims: Callable[[Entry], Iterable[Claim]]) -> LicenseSummary:
    """`claims` returns the claims of an entry beyond its lock file; there may be none."""
    each = tuple(_entry_license(entry, tuple(claims(entry))) for entry in entries)
    together: dict[Use, Verdict] = {}
    for use in QUESTIONS:
        answer = _strictest(one.answers[use] for one in each)
        because = tuple(one.entry for one in each if one.answers[use] == answer != "yes")
        together[use] = Verdict(answer=answer, because=because)
    conditions = {condition for one in each for condition in one.conditions}
    return LicenseSummary(each=each, together=together, conditions=tuple(sorted(conditions)))


def _entry_license(entry: Entry, claims: tuple[Claim, ...]) -> EntryLicense:
    known = base_models.by_id(entry.base_model) if entry.base_model else None
    license = entry.license or best(claims, "license")
    terms = best(claims, "license_terms")
    # The lock file holds what CivitAI's boxes permit; elsewhere authors name a licence, or write what they like.
    if terms is None and license is not None:
        terms = license if entry.ref.hub == "civitai" else _text(permissions_of(license))
    base = known.license if known else None
    base_permissions = permissions_of(base) if base else None
    licenses = [Permissions.parse(terms) if terms else None]
    # Without a known base model only the LoRA's own licence counts.
    if entry.base_model:
        licenses.append(base_permissions)
    return EntryLicense(
        entry=entry,
        license=license,
        terms=terms,
        base=base,
        base_terms=_text(base_permissions),
        answers={use: _strictest(_ANSWERS[one.allows(use) if one else None] for one in licenses) for use in QUESTIONS},
        conditions=tuple(sorted({text for one in (*licenses, base_permissions) if one for text in one.conditions})),
    )


def _text(permissions: Permissions | None) -> str | None:
    return str(permissions) if permissions else None


def _strictest(answers: Iterable[Answer]) -> Answer:
    return min(answers, key=_STRICTEST.index, default="unknown")
