"""The facts that a safetensors header proves about an adapter: its type, its network and its strength.

The rules follow the code that writes such files (kohya-ss/sd-scripts, LyCORIS, PEFT, diffusers, ai-toolkit, OneTrainer,
musubi-tuner). Tensors are trusted more than metadata (see training_metadata.py).
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

# A function that returns the bytes of the file from one position to another.
ReadBytes = Callable[[int, int], bytes]
_TENSORS = "tensor names and shapes"
# Dtypes that are the upper half of a longer one, with struct's format of the longer one.
_UPPER_HALVES = {"BF16": "<f", "F8_E5M2": "<e"}


@dataclass(frozen=True, kw_only=True, slots=True)
class LoraFacts:
    """The facts of one file. All fields except `what`, `tensors` and `warnings` are empty if the file is not a LoRA.

    `is_assumed`: the layers also fit the `alternatives`, or a network that doesn't generate images. `ranks` counts
    layers by rank, and `rank` is the most common rank; both are empty for algorithms without a rank. `scale` is alpha /
    rank, the factor of the file at weight 1. `tags` are training tags, most used first. `autov3` is the hash that the
    training script wrote (see WeightFile).
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
        """Whether the values are in an order that only one program can read."""
        return self.format == "nunchaku"

    @property
    def doubt(self) -> str | None:
        """A sentence about an architecture that is only assumed, otherwise None."""
        if self.architecture is None or not self.is_assumed:
            return None
        others = architecture_labels(self.alternatives) if self.alternatives else "a language model"
        return f"Probably {architecture_label(self.architecture)}: the tensors also fit {others}."

    @property
    def remarks(self) -> tuple[str, ...]:
        """The doubt, then the warnings."""
        return (*filter(None, (self.doubt,)), *self.warnings)


def read(header: Header, read_bytes: ReadBytes | None = None) -> LoraFacts:
    """Return the facts of one file.

    `read_bytes` is used to read one alpha tensor, because its value is not in the header.
    """
    return from_structure(structure_of(header.tensors), header, read_bytes)


def from_structure(structure: Structure, header: Header, read_bytes: ReadBytes | None = None) -> LoraFacts:
    """Combine a known structure with the metadata and alpha of this file."""
    if structure.what != "lora":
        warning = f"This is no LoRA for images or videos: it is {WORDS[structure.what]}."
        return LoraFacts(what=structure.what, tensors=structure.tensors, warnings=(warning,))
    metadata = header.metadata
    architecture, where, is_assumed = _architecture(structure, metadata)
    candidates = structure.architectures if is_assumed else ()
    base, base_where = _base_model(structure, metadata, architecture)
    algorithm = refine_algorithm(structure.algorithm, structure.norms, metadata)
    rank = next(iter(structure.ranks), None)
    strength = scale_of(header, read_bytes, structure.alpha, rank)
    words, words_where = training_metadata.words(metadata) or ((), "")
    words = _printable(words)
    values: Mapping[str, tuple[Value, str]] = {
        SEVERAL: (candidates, _TENSORS),
        "architecture": (None if is_assumed else architecture, where),
        "base_model": (base if base and training_metadata.is_specific(base, base_where) else None, base_where),
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
        alternatives=tuple(name for name in candidates if name != architecture),
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
    """Return the algorithm, corrected by the metadata of LyCORIS.

    The tensors of DyLoRA look like a LoCon. A LoCon without convolutions looks like a LoRA that trains norms too.
    """
    name = training_metadata.json_object(metadata, "ss_network_args").get("algo")
    if name == "dylora" and algorithm == "locon":
        return "lora"
    return "locon" if norms and algorithm == "lora" and name == "locon" else algorithm


@dataclass(frozen=True, kw_only=True, slots=True)
class EffectiveScale:
    """The alpha and scale of a file. `source` is the place of alpha; `scale` is None only if alpha can't be read."""

    alpha: float | None = None
    source: str | None = None
    scale: float | None = 1.0
    warnings: tuple[str, ...] = ()


def scale_of(header: Header, read_bytes: ReadBytes | None, stored: Alpha | None, rank: int | None) -> EffectiveScale:
    """Return the scale from the `stored` alpha tensor of one layer, or from the metadata.

    The scale is 1 without an alpha. Raises the errors of `read_bytes`.
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
    # LoKr with two whole factors has no rank. LyCORIS then sets alpha so that the scale is 1.
    if alpha is not None and stored is not None:
        scale = alpha / rank if rank is not None else 1.0
    elif alpha is not None and where is not None and "lora_adapter_metadata" in where:
        # Without alpha tensors, only PEFT leaves alpha to the loader; other tools have multiplied it into the weights.
        scale = alpha / (training_metadata.peft_divisor(header.metadata, rank) or alpha)
    return EffectiveScale(alpha=alpha, source=where, scale=scale)


def _read_scalar(header: Header, tensor: Tensor, read_bytes: ReadBytes) -> float | None:
    """Return the value of a tensor with one element. Return None if it is unreadable or not finite."""
    start, end = tensor.data_offsets
    if math.prod(tensor.shape) != 1 or not 0 < end - start <= 8:
        return None
    data = read_bytes(header.data_start + start, header.data_start + end)
    letter, factor = SCALAR_FORMATS.get(tensor.dtype, ""), 1.0
    if tensor.dtype in _UPPER_HALVES:
        data, letter = bytes(len(data)) + data, _UPPER_HALVES[tensor.dtype]
    elif tensor.dtype == "F8_E4M3":
        # F8_E4M3 has one exponent bit less than a half float, so its bits read as a half float are 256 times too small.
        bits = int.from_bytes(data, "little")
        data, letter, factor = ((bits & 0x80) << 8 | (bits & 0x7F) << 7).to_bytes(2, "little"), "<e", 256.0
    if not letter or len(data) != struct.calcsize(letter):
        return None
    value = float(struct.unpack(letter, data)[0]) * factor
    return value if math.isfinite(value) else None


def _architecture(structure: Structure, metadata: Metadata) -> tuple[str | None, str, bool]:
    """Return the architecture, its place, and whether it is only assumed."""
    if len(structure.architectures) == 1:
        return structure.usual, _TENSORS, False
    # The metadata may choose one of several architectures that the tensors allow.
    candidates = structure.architectures or tuple(filter(None, (structure.usual,)))
    named = training_metadata.find_architecture(metadata, candidates)
    return (*named, False) if named else (structure.usual, _TENSORS, bool(candidates))


def _base_model(structure: Structure, metadata: Metadata, architecture: str | None) -> tuple[str | None, str]:
    """Return the base model and its place.

    Widths prove the size, and the metadata may name a variant of that size ("flux.2-klein-9b-base").
    """
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
    return tuple(printable for word in words if (printable := text(word, 300)))


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
