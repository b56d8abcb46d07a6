"""What a safetensors header proves about the adapter in the file: what it is, for which network, how strong.

Sources of the rules: the code that writes such files (kohya-ss/sd-scripts, LyCORIS, PEFT, diffusers, ai-toolkit,
OneTrainer, musubi-tuner). What tensors show is believed over what metadata says (see training.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from connectors.facts import training
from connectors.facts.algorithm import algorithm_of, common, ranks_of
from connectors.facts.architectures import Rule, rule_for, size_of
from connectors.facts.contents import WORDS, What, despite_lora, of_another_model, what_it_is
from connectors.facts.evidence import Evidence
from connectors.facts.header import Header, Readable
from connectors.facts.naming import Named, format_of, name
from connectors.facts.strength import Strength, strength_of
from connectors.facts.suffixes import Layers, Part, sort
from connectors.record import Claim, Value
from connectors.wire import text

_OWN_WORDS = "tensor names and shapes"


@dataclass(frozen=True, kw_only=True, slots=True)
class Adapter:
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


@dataclass(frozen=True, kw_only=True, slots=True)
class _File:
    """A header taken apart: its tensors by layer, the layers' plain names, and the rule that holds for them."""

    header: Header
    layers: Layers
    named: Named
    seen: Evidence
    rule: Rule | None


def read(header: Header, source: Readable | None = None) -> Adapter:
    """The facts of one file. With `source`, the value of one alpha tensor is read too, which no header holds."""
    layers = sort(header.tensors)
    named = name(_layer_names(layers))
    seen = Evidence(named, layers)
    file = _File(header=header, layers=layers, named=named, seen=seen, rule=rule_for(seen))
    what = _what(file)
    return _described(file, source) if what == "lora" else _refused(what, header)


# Every layer has one of these, whatever the algorithm.
_TELLING: tuple[Part, ...] = (
    "down", "up", "hada_w1_b", "hada_w1_a", "lokr_w1", "lokr_w1_b", "lokr_w2", "lokr_w2_b", "oft", "ia3", "a2", "diff",
    "alpha",
)  # fmt: skip


def _layer_names(layers: Layers) -> tuple[str, ...]:
    return tuple(dict.fromkeys(layer for part in _TELLING for layer in layers.of(part)))


def _what(file: _File) -> What:
    """A LoRA has layers of the suffix grammar, and they are most of the file: merged checkpoints carry strays."""
    layers, named, tensors = file.layers, file.named, file.header.tensors
    if layers.has("vision") and not layers.has("down", "up"):
        return "vision-lora"
    if (not named.model and not named.encoders) or len(layers.others) > layers.tensors:
        return what_it_is(tensors)
    return despite_lora(tensors, named) or (of_another_model(named) if file.rule is None else None) or "lora"


def _refused(what: What, header: Header) -> Adapter:
    return Adapter(
        what=what,
        tensors=len(header.tensors),
        warnings=(f"This is no LoRA for pictures or films: it is {WORDS[what]}.",),
    )


def _described(file: _File, source: Readable | None) -> Adapter:
    header, layers, named = file.header, file.layers, file.named
    architecture, where = _architecture(file)
    base = _base_model(file.seen, header, architecture)
    algorithm = algorithm_of(layers, header.metadata)
    ranks = ranks_of(layers)
    strength = strength_of(header, source, layers, common(ranks))
    words = training.words(header.metadata)
    said: list[tuple[str, Value, str]] = [
        ("architecture", architecture, where),
        ("base_model", base[0] if base and training.is_telling(*base) else None, base[1] if base else ""),
        ("algorithm", algorithm, "tensor names"),
        ("rank", common(ranks), "tensor shapes"),
        ("alpha", strength.alpha, strength.source or ""),
        ("trigger_words", _clean(words[0]) if words else (), words[1] if words else ""),
        ("weight", training.default_weight(header.metadata), "metadata: modelspec.lora_default_weight"),
        ("license", text(header.metadata.get("modelspec.license"), 300), "metadata: modelspec.license"),
    ]
    return Adapter(
        what="lora",
        architecture=architecture,
        base_model=base[0] if base else None,
        format=format_of(named, layers),
        algorithm=algorithm,
        rank=common(ranks),
        ranks=ranks,
        alpha=strength.alpha,
        alpha_source=strength.source,
        scale=strength.scale,
        text_encoder=bool(named.encoders),
        control=_is_control(file.seen, architecture),
        tensors=len(header.tensors),
        trigger_words=_clean(words[0]) if words else (),
        tags=_clean(training.tags(header.metadata)),
        claims=tuple(_claims(said)),
        warnings=tuple(_warnings(file, architecture, strength)),
    )


def _architecture(file: _File) -> tuple[str | None, str]:
    """Of several that the tensors leave, the metadata may pick one."""
    if file.rule is None:
        return None, ""
    if len(file.rule.architectures) == 1:
        return file.rule.usual, _OWN_WORDS
    picked = training.chosen(file.header.metadata, file.rule.architectures)
    return picked or (file.rule.usual, _OWN_WORDS)


def _base_model(seen: Evidence, header: Header, architecture: str | None) -> tuple[str, str] | None:
    """Widths prove the size; the metadata may name a variant of that size ("flux.2-klein-9b-base")."""
    proven, said = size_of(architecture, seen), training.base_model(header.metadata, architecture)
    if proven is None or (said is not None and said[0].startswith(proven)):
        return said
    return proven, _OWN_WORDS


def _is_control(seen: Evidence, architecture: str | None) -> bool:
    """A control LoRA of FLUX widens the picture input from 64 to 128 channels, for the control picture beside it."""
    return architecture == "flux1" and 128 in seen.widths(last="img_in,x_embedder")


def _clean(written: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(found for word in written if (found := text(word, 300)))


def _claims(said: Iterable[tuple[str, Value, str]]) -> Iterator[Claim]:
    for field_name, value, where in said:
        if value not in (None, "", ()):
            yield Claim(field=field_name, value=value, source="header", where=text(where, 300) or _OWN_WORDS)


def _warnings(file: _File, architecture: str | None, strength: Strength) -> list[str]:
    layers, found = file.layers, []
    if architecture is None:
        found.append("The layers fit no network known here, or several: the base model has to be found out otherwise.")
    elif (said := training.contradiction(file.header.metadata, architecture)) is not None:
        found.append(f"The file's own {text(said, 200)} does not fit its tensors, which are for {architecture}.")
    halves = len(layers.of("down").keys() ^ layers.of("up").keys())
    if halves:
        found.append(f"Layers that have only one of their two halves: {halves}. They can't take effect.")
    if layers.others:
        found.append(f"Tensors that belong to no LoRA layer: {len(layers.others)}.")
    return [*found, *strength.warnings]
