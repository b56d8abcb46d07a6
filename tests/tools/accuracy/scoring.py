"""What was read from a header against what it is: the judgement of one case, and the counts over all."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from connectors.weights.lora_facts import LoraFacts

Verdict = Literal["right", "null", "wrong", "not judged"]
FIELDS = ("architecture", "rank", "format", "algorithm", "what")
# The corpus's words where they are others than ours.
_FORMATS = {"diffusers-peft": "diffusers", "comfy": "ai-toolkit"}
# A layout that no writer of ours is known by.
_UNNAMED = "diffusers-bare-kohya-suffix"
_KINDS = {
    "textual_inversion": "embedding",
    "controlnet_lllite": "controlnet",
    "checkpoint_fragment": "checkpoint",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Miss:
    case: str
    field: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.case}: {self.field} should be {self.expected}, was read as {self.found}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Score:
    """One case. `architecture` is the true one; a negative has a verdict on `what` alone."""

    case: str
    positive: bool
    architecture: str
    verdicts: Mapping[str, Verdict]
    misses: tuple[Miss, ...]


def score(name: str, truth: Mapping[str, Any], found: LoraFacts) -> Score:
    positive = bool(truth["is_lora"])
    expected = _positive(truth) if positive else {"what": [_kind(truth)]}
    said = {field: _found(field, getattr(found, field)) for field in FIELDS}
    verdicts = {field: _verdict(allowed, said[field]) for field, allowed in expected.items()}
    misses = tuple(
        Miss(case=name, field=field, expected=_allowed(expected[field]), found=str(getattr(found, field)))
        for field, verdict in verdicts.items()
        if verdict in ("null", "wrong")
    )
    where = str(truth["arch"]) if positive else _kind(truth)
    return Score(case=name, positive=positive, architecture=where, verdicts=verdicts, misses=misses)


def _positive(truth: Mapping[str, Any]) -> dict[str, list[Any]]:
    """What may be read, by field; nothing for what the corpus does not judge."""
    known = truth["format"] not in (None, _UNNAMED)
    return {
        "what": ["lora"],
        "architecture": _architectures(truth),
        "rank": [truth["rank"]] if truth["rank"] is not None else [],
        "format": [_found("format", truth["format"])] if known else [],
        "algorithm": [_found("algorithm", truth["algorithm"])] if truth["algorithm"] is not None else [],
    }


def _architectures(truth: Mapping[str, Any]) -> list[str | None]:
    """Where the tensors leave several, each is right, and so is not to say."""
    several = list(truth.get("acceptable_bases") or ())
    return [truth["arch"], *several, None] if len(several) > 1 else [truth["arch"]]


def _kind(truth: Mapping[str, Any]) -> str:
    return _KINDS.get(truth["kind"], str(truth["kind"]).replace("_", "-"))


def _found(field: str, value: Any) -> Any:
    """Comparable: of "kohya+diffusers" the order says nothing."""
    if field not in ("format", "algorithm") or value is None:
        return value
    return frozenset(_FORMATS.get(part, part) for part in str(value).split("+"))


def _verdict(allowed: list[Any], said: Any) -> Verdict:
    if not allowed:
        return "not judged"
    if said in allowed:
        return "right"
    return "null" if said is None else "wrong"


def _allowed(allowed: list[Any]) -> str:
    return " or ".join("+".join(sorted(one)) if isinstance(one, frozenset) else str(one) for one in allowed)


def share(scores: Iterable[Score], field: str) -> float:
    """The part of the judged cases that were read right; 1 where none is judged."""
    judged = [verdict for each in scores if (verdict := each.verdicts.get(field, "not judged")) != "not judged"]
    return sum(verdict == "right" for verdict in judged) / len(judged) if judged else 1.0


def count(scores: Iterable[Score], field: str, verdict: Verdict) -> int:
    return sum(each.verdicts.get(field) == verdict for each in scores)


def shortfalls(scores: Iterable[Score]) -> list[str]:
    """What is below the figures that this project promises; empty when all is well."""
    every = list(scores)
    positives, negatives = [s for s in every if s.positive], [s for s in every if not s.positive]
    wanted = {"what": 1.0, "architecture": 0.99, "rank": 0.98, "format": 0.98, "algorithm": 0.98}
    found = [
        f"{field}: {share(positives, field):.1%} of positives right, {least:.0%} wanted"
        for field, least in wanted.items()
        if share(positives, field) < least
    ]
    if wrong := count(positives, "architecture", "wrong"):
        found.append(f"architecture: {wrong} confidently wrong, none wanted")
    if share(negatives, "what") < 1:
        found.append(f"negatives: {share(negatives, 'what'):.1%} refused as what they are, all wanted")
    return found
