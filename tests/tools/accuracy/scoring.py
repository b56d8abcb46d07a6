"""The recorded headers: each becomes a file again, is read like anybody's, and is held against what it is."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from connectors.weights import lora_facts
from connectors.weights.header import read_header
from connectors.weights.lora_facts import LoraFacts
from hub_ui.demo.hubs.folder import Content, generate_safetensors
from tests.corpus import HEADERS

Verdict = Literal["right", "null", "wrong"]
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
class Score:
    """One case: a verdict on each field that is judged, of a negative on `what` alone, and a sentence for each miss."""

    positive: bool
    verdicts: Mapping[str, Verdict]
    misses: tuple[str, ...]


def score(name: str, truth: Mapping[str, Any], found: LoraFacts) -> Score:
    positive = bool(truth["is_lora"])
    kind = str(truth["kind"])
    expected = _positive(truth) if positive else {"what": [_KINDS.get(kind, kind.replace("_", "-"))]}
    said = {field: getattr(found, field) for field in expected}
    verdicts = {field: _verdict(allowed, _found(field, said[field])) for field, allowed in expected.items()}
    misses = tuple(
        f"{name}: {field} should be {_allowed(expected[field])}, was read as {said[field]}"
        for field, verdict in verdicts.items()
        if verdict != "right"
    )
    return Score(positive=positive, verdicts=verdicts, misses=misses)


def _positive(truth: Mapping[str, Any]) -> dict[str, list[Any]]:
    """What may be read, by field; without what the corpus does not judge."""
    known = {name: truth[name] for name in ("rank", "format", "algorithm") if truth[name] not in (None, _UNNAMED)}
    alone = {name: [_found(name, value)] for name, value in known.items()}
    # Where the tensors leave several, each is right, and so is not to say.
    several = list(truth.get("acceptable_bases") or ())
    architectures = [truth["arch"], *several, None] if len(several) > 1 else [truth["arch"]]
    return {"what": ["lora"], "architecture": architectures, **alone}


def _found(field: str, value: Any) -> Any:
    """Comparable: of "kohya+diffusers" the order says nothing."""
    if field not in ("format", "algorithm") or value is None:
        return value
    return frozenset(_FORMATS.get(part, part) for part in str(value).split("+"))


def _verdict(allowed: list[Any], said: Any) -> Verdict:
    if said in allowed:
        return "right"
    return "null" if said is None else "wrong"


def _allowed(allowed: list[Any]) -> str:
    return " or ".join("+".join(sorted(one)) if isinstance(one, frozenset) else str(one) for one in allowed)


def share(scores: Iterable[Score], field: str) -> float:
    """The part of the judged cases that were read right; 1 where none is judged."""
    judged = [each.verdicts[field] for each in scores if field in each.verdicts]
    return sum(verdict == "right" for verdict in judged) / len(judged) if judged else 1.0


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
    if wrong := sum(each.verdicts["architecture"] == "wrong" for each in positives):
        found.append(f"architecture: {wrong} confidently wrong, none wanted")
    if share(negatives, "what") < 1:
        found.append(f"negatives: {share(negatives, 'what'):.1%} refused as what they are, all wanted")
    return found


def cases() -> list[Path]:
    return sorted(HEADERS.glob("*.json"))


def judge(path: Path) -> Score:
    case = json.loads(path.read_text(encoding="utf-8"))
    content = content_of(case)
    return score(path.stem, case["truth"], lora_facts.read(read_header(content), content.read))


def content_of(case: Mapping[str, Any]) -> Content:
    """A recorded header has no values: its alphas are the true one where that is known, else 1."""
    value = case["truth"].get("alpha")
    return generate_safetensors(
        {
            "tensors": {name: (entry["dtype"], entry["shape"]) for name, entry in case["tensors"].items()},
            "metadata": case["metadata"],
            "scalars": {"*.alpha": float(value) if isinstance(value, int | float) else 1.0},
        }
    )
