"""What a safetensors header proves about the adapter in the file: what it is, for which network, how strong.

Sources of the rules: the code that writes such files (kohya-ss/sd-scripts, LyCORIS, PEFT, diffusers, ai-toolkit,
OneTrainer, musubi-tuner). What tensors show is believed over what metadata says (see training.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from connectors.http.json_fields import text
from connectors.record import Claim, Value
from connectors.weights import training_metadata
from connectors.weights.algorithm import EffectiveScale, as_trained, strength_of
from connectors.weights.file_type import WORDS, What
from connectors.weights.header import Header, Readable
from connectors.weights.structure import Structure, structure_of

_OWN_WORDS = "tensor names and shapes"


@dataclass(frozen=True, kw_only=True, slots=True)
class LoraFacts:
    """Everything but `what`, `tensors` and `warnings` is empty for a file that is no LoRA.

    `ranks` counts layers by rank, and `rank` is the one most layers have; both are empty for algorithms without a rank.
    `scale` is alpha / rank, the factor the file itself brings at weight 1. `tags` are training tags, most used first.
    """

    what: What
    architecture: str | None = None
    base_model: str | None = None
    format: str | None = None
    algorithm: str | None = None
    rank: int | None = None
    ranks: Mapping[int, int] = field(default_factory=dict)
    alpha: float | None = None
    alpha_source: str | None = None
    scale: float | None = None
    text_encoder: bool = False
    control: bool = False
    tensors: int = 0
    trigger_words: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    claims: tuple[Claim, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def is_lora(self) -> bool:
        return self.what == "lora"

    def to_json(self) -> dict[str, Any]:
        """The part of FACTS (see DESIGN's contracts) that is about the adapter."""
        return {
            "is_lora": self.is_lora,
            "what": self.what,
            "architecture": self.architecture,
            "base_model": self.base_model,
            "format": self.format,
            "algorithm": self.algorithm,
            "rank": self.rank,
            "ranks": {str(rank): layers for rank, layers in self.ranks.items()},
            "alpha": self.alpha,
            "alpha_source": self.alpha_source,
            "scale": self.scale,
            "text_encoder": self.text_encoder,
            "control": self.control,
            "tensors": self.tensors,
            "trigger_words": list(self.trigger_words),
            "warnings": list(self.warnings),
        }


def read(header: Header, source: Readable | None = None) -> LoraFacts:
    """The facts of one file. With `source`, the value of one alpha tensor is read too, which no header holds."""
    return described(structure_of(header.tensors), header, source)


def described(structure: Structure, header: Header, source: Readable | None = None) -> LoraFacts:
    """A known structure, and what this file's metadata and alpha add to it."""
    if structure.what != "lora":
        return _refused(structure)
    architecture, where = _architecture(structure, header)
    base = _base_model(structure, header, architecture)
    algorithm = as_trained(structure.algorithm, structure.norms, header.metadata)
    rank = next(iter(structure.ranks), None)
    strength = strength_of(header, source, structure.alpha, rank)
    words = training_metadata.words(header.metadata)
    said: list[tuple[str, Value, str]] = [
        ("architecture", architecture, where),
        ("base_model", base[0] if base and training_metadata.is_telling(*base) else None, base[1] if base else ""),
        ("algorithm", algorithm, "tensor names"),
        ("rank", rank, "tensor shapes"),
        ("alpha", strength.alpha, strength.source or ""),
        ("trigger_words", _clean(words[0]) if words else (), words[1] if words else ""),
        ("weight", training_metadata.default_weight(header.metadata), "metadata: modelspec.lora_default_weight"),
        ("license", text(header.metadata.get("modelspec.license"), 300), "metadata: modelspec.license"),
    ]
    return LoraFacts(
        what="lora",
        architecture=architecture,
        base_model=base[0] if base else None,
        format=structure.format,
        algorithm=algorithm,
        rank=rank,
        ranks=structure.ranks,
        alpha=strength.alpha,
        alpha_source=text(strength.source, 300),
        scale=strength.scale,
        text_encoder=structure.text_encoder,
        control=structure.control,
        tensors=structure.tensors,
        trigger_words=_clean(words[0]) if words else (),
        tags=_clean(training_metadata.tags(header.metadata)),
        claims=tuple(_claims(said)),
        warnings=tuple(_warnings(structure, header, architecture, strength)),
    )


def _refused(structure: Structure) -> LoraFacts:
    return LoraFacts(
        what=structure.what,
        tensors=structure.tensors,
        warnings=(f"This is no LoRA for pictures or films: it is {WORDS[structure.what]}.",),
    )


def _architecture(structure: Structure, header: Header) -> tuple[str | None, str]:
    """Of several that the tensors leave, the metadata may pick one."""
    if len(structure.architectures) < 2:
        return structure.usual, _OWN_WORDS
    return training_metadata.chosen(header.metadata, structure.architectures) or (structure.usual, _OWN_WORDS)


def _base_model(structure: Structure, header: Header, architecture: str | None) -> tuple[str, str] | None:
    """Widths prove the size; the metadata may name a variant of that size ("flux.2-klein-9b-base")."""
    said = training_metadata.base_model(header.metadata, architecture)
    if structure.size is None or (said is not None and said[0].startswith(structure.size)):
        return said
    return structure.size, _OWN_WORDS


def _clean(written: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(found for word in written if (found := text(word, 300)))


def _claims(said: Iterable[tuple[str, Value, str]]) -> Iterator[Claim]:
    for field_name, value, where in said:
        if value not in (None, "", ()):
            yield Claim(field=field_name, value=value, source="header", where=text(where, 300) or _OWN_WORDS)


def _warnings(
    structure: Structure, header: Header, architecture: str | None, strength: EffectiveScale
) -> Iterator[str]:
    if architecture is None:
        yield "The layers fit no network known here, or several: the base model has to be found out otherwise."
    elif (said := training_metadata.contradiction(header.metadata, architecture)) is not None:
        yield f"The file's own {text(said, 200)} does not fit its tensors, which are for {architecture}."
    if structure.halves:
        yield f"Layers that have only one of their two halves: {structure.halves}. They can't take effect."
    if structure.others:
        yield f"Tensors that belong to no LoRA layer: {structure.others}."
    yield from strength.warnings
