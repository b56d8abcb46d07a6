"""What a safetensors header proves about the adapter in the file: what it is, for which network, how strong.

Sources of the rules: the code that writes such files (kohya-ss/sd-scripts, LyCORIS, PEFT, diffusers, ai-toolkit,
OneTrainer, musubi-tuner). What tensors show is believed over what metadata says (see training.py).
"""

import math
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from connectors.claims.base_models import architecture_label, architecture_labels
from connectors.http.json_fields import autov3, text
from connectors.record import SEVERAL, Claim, Source, Value
from connectors.weights import training_metadata
from connectors.weights.file_type import WORDS, Alpha, Structure, What, structure_of
from connectors.weights.header import SCALAR_FORMATS, Header, Tensor
from connectors.weights.training_metadata import Metadata

# The bytes of the file from one place up to another.
ReadBytes = Callable[[int, int], bytes]
_TENSORS = "tensor names and shapes"
# Numbers that are the upper half of one twice as long, which struct reads so.
_UPPER_HALVES = {"BF16": "<f", "F8_E5M2": "<e"}


@dataclass(frozen=True, kw_only=True, slots=True)
class LoraFacts:
    """Everything but `what`, `tensors` and `warnings` is empty for a file that is no LoRA.

    An architecture `is_assumed` if the layers fit the `alternatives` as well, or a network that generates no images.
    `ranks` counts layers by rank, and `rank` is the one most layers have; both are empty for algorithms without a rank.
    `scale` is alpha / rank, the factor the file itself brings at weight 1. `tags` are training tags, most used first.
    `autov3` is what the training script found (see WeightFile).
    """

    what: What
    architecture: str | None = None
    is_assumed: bool = False
    alternatives: tuple[str, ...] = ()
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
    autov3: str | None = None

    @property
    def is_lora(self) -> bool:
        return self.what == "lora"

    @property
    def is_packed(self) -> bool:
        """Whether its values stand in an order that only one program can read."""
        return self.format == "nunchaku"

    @property
    def doubt(self) -> str | None:
        """What is to be said of an architecture that is assumed."""
        if self.architecture is None or not self.is_assumed:
            return None
        others = architecture_labels(self.alternatives) if self.alternatives else "a language model"
        return f"Probably {architecture_label(self.architecture)}: the tensors also fit {others}."

    @property
    def remarks(self) -> tuple[str, ...]:
        """The doubt, then the warnings."""
        return (*filter(None, (self.doubt,)), *self.warnings)


def read(header: Header, read_bytes: ReadBytes | None = None) -> LoraFacts:
    """The facts of one file. With `read_bytes`, one alpha tensor is read too: a header doesn't hold its value."""
    return from_structure(structure_of(header.tensors), header, read_bytes)


def from_structure(structure: Structure, header: Header, read_bytes: ReadBytes | None = None) -> LoraFacts:
    """Combines a known structure with this file's metadata and alpha."""
    if structure.what != "lora":
        warning = f"This is no LoRA for images or videos: it is {WORDS[structure.what]}."
        return LoraFacts(what=structure.what, tensors=structure.tensors, warnings=(warning,))
    metadata = header.metadata
    architecture, where, is_assumed = _architecture(structure, metadata)
    left = structure.architectures if is_assumed else ()
    base, base_where = _base_model(structure, metadata, architecture)
    algorithm = refine_algorithm(structure.algorithm, structure.norms, metadata)
    rank = next(iter(structure.ranks), None)
    strength = strength_of(header, read_bytes, structure.alpha, rank)
    words, words_where = training_metadata.words(metadata) or ((), "")
    words = _printable(words)
    values: Mapping[str, tuple[Value, str]] = {
        SEVERAL: (left, _TENSORS),
        "architecture": (None if is_assumed else architecture, where),
        "base_model": (base if base and training_metadata.is_telling(base, base_where) else None, base_where),
        "algorithm": (algorithm, "tensor names"),
        "rank": (rank, "tensor shapes"),
        "alpha": (strength.alpha, strength.source or ""),
        "trigger_words": (words, words_where),
        "weight": (training_metadata.default_weight(metadata), "metadata: modelspec.lora_default_weight"),
        "license": (training_metadata.license(metadata), "metadata: modelspec.license"),
    }
    assumed = {"architecture": (architecture if is_assumed else None, f"{_TENSORS}, which fit other architectures too")}
    return LoraFacts(
        what="lora",
        architecture=architecture,
        is_assumed=is_assumed,
        alternatives=tuple(name for name in left if name != architecture),
        base_model=base,
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
        trigger_words=words,
        tags=_printable(training_metadata.tags(metadata)),
        claims=(*_claims(values, "header"), *_claims(assumed, "probably")),
        warnings=(*_warnings(structure, header, None if is_assumed else architecture), *strength.warnings),
        autov3=autov3(metadata.get("sshs_model_hash")),
    )


def refine_algorithm(algorithm: str | None, norms: bool, metadata: Metadata) -> str | None:
    """Names LyCORIS's LoCon without convolutions, which adds norms, and DyLoRA, which can be cut to a lower rank."""
    name = training_metadata.json_object(metadata, "ss_network_args").get("algo")
    if name == "dylora" and algorithm == "locon":
        return "lora"
    return "locon" if norms and algorithm == "lora" and name == "locon" else algorithm


@dataclass(frozen=True, kw_only=True, slots=True)
class EffectiveScale:
    """`source` is where alpha was read; `scale` is None only where alpha exists but can't be read."""

    alpha: float | None = None
    source: str | None = None
    scale: float | None = 1.0
    warnings: tuple[str, ...] = ()


def strength_of(header: Header, read_bytes: ReadBytes | None, stored: Alpha | None, rank: int | None) -> EffectiveScale:
    """Of a file whose alpha, a tensor of each layer whose value is in the body, was `stored`; or of its metadata's.

    A layer without alpha has the scale 1. Raises what `read_bytes` raises.
    """
    alpha, where = training_metadata.alpha(header.metadata) or (None, None)
    if stored is not None:
        layer, tensor = stored
        value = _read_scalar(header, tensor, read_bytes) if read_bytes is not None else None
        if value is not None and value > 0:
            where = f"tensor {layer}.alpha"[:200]
            return EffectiveScale(alpha=value, source=where, scale=value / rank if rank else 1.0)
        if rank is not None and alpha is None:
            return EffectiveScale(
                scale=None, warnings=("The file's alpha could not be read, so its strength is not known.",)
            )
    scale = 1.0
    # LoKr with two whole factors has no rank: its alpha tensor is set so that the scale is 1.
    if alpha is not None and stored is not None:
        scale = alpha / rank if rank is not None else 1.0
    elif alpha is not None and where is not None and "lora_adapter_metadata" in where:
        # Without alpha tensors only PEFT leaves its alpha to be applied: other tools have multiplied it in.
        scale = alpha / (training_metadata.peft_divisor(header.metadata, rank) or alpha)
    return EffectiveScale(alpha=alpha, source=where, scale=scale)


def _read_scalar(header: Header, tensor: Tensor, read_bytes: ReadBytes) -> float | None:
    """The value of a tensor with one element; None where it can't be read or is no finite number."""
    start, end = tensor.data_offsets
    if math.prod(tensor.shape) != 1 or not 0 < end - start <= 8:
        return None
    data = read_bytes(header.data_start + start, header.data_start + end)
    letter, factor = SCALAR_FORMATS.get(tensor.dtype, ""), 1.0
    if tensor.dtype in _UPPER_HALVES:
        data, letter = bytes(len(data)) + data, _UPPER_HALVES[tensor.dtype]
    elif tensor.dtype == "F8_E4M3":
        # As a half float that lacks a bit of the exponent: read as one, it is 256 times as small.
        bits = int.from_bytes(data, "little")
        data, letter, factor = ((bits & 0x80) << 8 | (bits & 0x7F) << 7).to_bytes(2, "little"), "<e", 256.0
    if not letter or len(data) != struct.calcsize(letter):
        return None
    value = float(struct.unpack(letter, data)[0]) * factor
    return value if math.isfinite(value) else None


def _architecture(structure: Structure, metadata: Metadata) -> tuple[str | None, str, bool]:
    """The architecture, where it stands, and whether it is only assumed."""
    if len(structure.architectures) == 1:
        return structure.usual, _TENSORS, False
    # Of several that the tensors leave, the metadata may pick one.
    left = structure.architectures or tuple(filter(None, (structure.usual,)))
    named = training_metadata.find_architecture(metadata, left)
    return (*named, False) if named else (structure.usual, _TENSORS, bool(left))


def _base_model(structure: Structure, metadata: Metadata, architecture: str | None) -> tuple[str | None, str]:
    """Widths prove the size; the metadata may name a variant of that size ("flux.2-klein-9b-base")."""
    base, where = training_metadata.base_model(metadata, architecture) or (None, "")
    if structure.size is None or (base is not None and base.startswith(structure.size)):
        return base, where
    return structure.size, _TENSORS


def _claims(values: Mapping[str, tuple[Value, str]], source: Source) -> tuple[Claim, ...]:
    return tuple(
        Claim(field=field, value=value, source=source, where=text(where, 300) or _TENSORS)
        for field, (value, where) in values.items()
        if value not in (None, "", ())
    )


def _printable(words: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(found for word in words if (found := text(word, 300)))


def _warnings(structure: Structure, header: Header, architecture: str | None) -> Iterator[str]:
    if structure.format == "nunchaku":
        yield "Its values are packed for Nunchaku's kernels: no other program can apply them."
    if structure.usual is None and architecture is None:
        fit = architecture_labels(structure.architectures) if structure.architectures else "no network known here"
        yield f"The tensors fit {fit}: the base model has to be found out otherwise."
    elif architecture and (field := training_metadata.contradiction(header.metadata, architecture)) is not None:
        yield f"The file's own {text(field, 200)} does not fit its tensors, which are for {architecture}."
    if structure.halves:
        yield f"Layers that have only one of their two halves: {structure.halves}. They can't take effect."
    if structure.others:
        yield f"Tensors that belong to no LoRA layer: {structure.others}."
