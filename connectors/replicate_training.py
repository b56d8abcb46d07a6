"""A Replicate training: what its owner asked for is the surest word on the LoRA it made. Only the owner can see it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from connectors.facts.base_models import base_claims
from connectors.facts.trigger_words import listed_claims
from connectors.record import Claim
from connectors.ref import PINNED
from connectors.wire import Table, address, table, text, whole

# The trainers call the word by different names.
_WORDS = ("trigger_word", "token_string")
_RANKS = ("lora_rank", "rank")
# What only the trainer of one base model asks.
_ASKED: tuple[tuple[frozenset[str], str], ...] = (
    (frozenset({"autocaption", "trigger_word"}), "flux.1-dev"),
    (frozenset({"token_string"}), "sdxl-1.0"),
    (frozenset({"use_face_detection_instead"}), "sdxl-1.0"),
    (frozenset({"input_videos", "timestep_sampling"}), "hunyuan-video"),
)
_MADE = re.compile(r"(?P<owner>[^/\s:]{1,100})/(?P<name>[^/\s:]{1,100}):(?P<version>[0-9a-f]{64})")


def model_of(training: Table) -> dict[str, object] | None:
    """The model that a finished training made, as far as the training tells of it; None for one that made none."""
    made = _MADE.fullmatch(text(table(training.get("output")).get("version"), 300) or "")
    if made is None:
        return None
    version = {"id": made["version"], "created_at": training.get("completed_at")}
    return {"owner": made["owner"], "name": made["name"], "latest_version": version, "training": training}


def training_of(wire: Table, trainings: Iterable[Table]) -> Table | None:
    """The training that made a model's version."""
    version = text(table(wire.get("latest_version")).get("id")) or ""
    if not PINNED["replicate"].fullmatch(version):
        return None
    made = (training for training in trainings if str(table(training.get("output")).get("version")).endswith(version))
    return next(made, None)


def claims(training: Table) -> Iterator[Claim]:
    asked = table(training.get("input"))
    for key in _WORDS:
        for claim in listed_claims([word] if (word := text(asked.get(key), 300)) else [], ""):
            yield Claim(field=claim.field, value=claim.value, source="hub", where=f"training.input.{key}")
    for key in _RANKS:
        if (rank := whole(asked.get(key))) is not None and 0 < rank <= 1024:
            yield Claim(field="rank", value=rank, source="hub", where=f"training.input.{key}")
    yield from _base(asked)
    if weights := address(table(training.get("output")).get("weights")):
        yield Claim(field="weights_url", value=weights, source="hub", where="training.output.weights")


def _base(asked: Table) -> Iterator[Claim]:
    base = next((base for keys, base in _ASKED if keys <= set(asked)), None)
    if text(asked.get("model_type")) == "schnell" and base == "flux.1-dev":
        base = "flux.1-schnell"
    if base:
        yield from (c for c in base_claims(base, "hub", "training.input") if c.field != "raw_base_model")
