"""What a set of LoRAs permits: per entry what its licence and its base model's say, together the strictest of all.

A summary to choose by, and no legal advice. What nobody said stays unknown: it is no permission.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from connectors.claims import base_models
from connectors.claims.license import terms
from connectors.claims.resolve import best
from connectors.record import Claim
from hub_ui.library.lockfile import Entry

Question = Literal["sell_images", "run_as_service", "sell", "merge", "no_credit"]
Answer = Literal["yes", "no", "unknown"]

QUESTIONS: Mapping[Question, str] = {
    "sell_images": "sell the images",
    "run_as_service": "run it as a paid service",
    "sell": "sell the LoRA itself",
    "merge": "merge it with others",
    "no_credit": "leave out the credit",
}
_STRICTEST: tuple[Answer, ...] = ("no", "unknown", "yes")
# What licences are told in (connectors.claims.license and license_terms); the first phrase found answers.
_PHRASES: Mapping[Question, tuple[tuple[str, Answer], ...]] = {
    "sell_images": (("images may not be sold", "no"), ("images may be sold", "yes")),
    "run_as_service": (("no paid generation services", "no"), ("paid generation services may run it", "yes")),
    "sell": (("not for sale", "no"), ("it may be sold", "yes")),
    "merge": (("no merges", "no"), ("merges allowed", "yes")),
    "no_credit": (("credit not needed", "yes"), ("credit ", "no")),
}
_CONDITIONS = (
    "CivitAI's own generator may run it",
    "free below 1 million US dollars of revenue a year",
    "harmful uses forbidden",
    "merges keep these terms",
    "non-commercial and research use only",
    "not licensed in the European Union, the United Kingdom and South Korea",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Permit:
    """`license` in the hub's words, `terms` in ours. `base` is the base model's own licence, which binds too."""

    entry: Entry
    license: str | None
    terms: str | None
    base: str | None
    base_terms: str | None
    answers: Mapping[Question, Answer]
    conditions: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """`because` are the entries that give this answer, where it isn't "yes"."""

    answer: Answer
    because: tuple[Entry, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class LicenseSummary:
    each: tuple[Permit, ...]
    together: Mapping[Question, Verdict]
    conditions: tuple[str, ...]


def permits(entries: Iterable[Entry], claims: Callable[[Entry], Iterable[Claim]]) -> LicenseSummary:
    """`claims` gives what is known of an entry beyond its lock file's words; nothing is as good."""
    each = tuple(_permit(entry, tuple(claims(entry))) for entry in entries)
    return LicenseSummary(
        each=each,
        together={question: _verdict(question, each) for question in QUESTIONS},
        conditions=_merged(permit.conditions for permit in each),
    )


def _permit(entry: Entry, claims: tuple[Claim, ...]) -> Permit:
    words = entry.license or best(claims, "license")
    own = best(claims, "license_terms") or _terms(entry, words)
    base = best(claims, "base_license") or _base_license(entry)
    base_terms = terms(base) if base else None
    return Permit(
        entry=entry,
        license=words,
        terms=own,
        base=base,
        base_terms=base_terms,
        answers={question: _of_both(question, own, base_terms, entry) for question in QUESTIONS},
        conditions=_merged([_conditions(own), _conditions(base_terms)]),
    )


def _terms(entry: Entry, words: str | None) -> str | None:
    """CivitAI's boxes are told in these terms to begin with; elsewhere authors write what they like."""
    if words is None:
        return None
    return words if entry.ref.hub == "civitai" else terms(words)


def _base_license(entry: Entry) -> str | None:
    known = base_models.by_id(entry.base_model) if entry.base_model else None
    return known.license if known else None


def _of_both(question: Question, own: str | None, base: str | None, entry: Entry) -> Answer:
    answers = [_answer(question, own)]
    # A LoRA for no base that is known has only its own licence to ask.
    if entry.base_model:
        answers.append(_answer(question, base))
    return strictest(answers)


def _answer(question: Question, said: str | None) -> Answer:
    if said is None:
        return "unknown"
    found: Answer = next((answer for phrase, answer in _PHRASES[question] if phrase in said), "unknown")
    if found == "unknown" and question == "run_as_service":
        return _service(said)
    return found


def _service(said: str) -> Answer:
    """Known licences speak of selling at large: who may sell it all may serve it, and who may sell nothing may not."""
    sell, images = _answer("sell", said), _answer("sell_images", said)
    return sell if sell == images else "unknown"


def strictest(answers: Iterable[Answer]) -> Answer:
    return min(answers, key=_STRICTEST.index, default="unknown")


def _verdict(question: Question, each: tuple[Permit, ...]) -> Verdict:
    answer = strictest(permit.answers[question] for permit in each)
    because = tuple(permit.entry for permit in each if permit.answers[question] == answer)
    return Verdict(answer=answer, because=() if answer == "yes" else because)


def _conditions(said: str | None) -> tuple[str, ...]:
    return tuple(condition for condition in _CONDITIONS if said is not None and condition in said)


def _merged(several: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    found = {condition for conditions in several for condition in conditions}
    return tuple(condition for condition in _CONDITIONS if condition in found)
