"""What the tensors of a file prove without its metadata: the slow part of an inspection.

Files of one trainer, rank and base have identical tables of tensors, and a folder holds many of them.
`Layouts` keeps the structure of each table, so that the next such file costs a hash.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from connectors.weights.algorithm import Alpha, algorithm_of, alpha_of, ranks_of
from connectors.weights.architectures import Rule, rule_for
from connectors.weights.file_type import What, despite_lora, of_another_model, what_it_is
from connectors.weights.header import Header, Tensor, parse, table_of
from connectors.weights.key_formats import Layers, Named, Part, format_of, name, sort
from connectors.weights.layers import LayerShapes
from connectors.weights.networks import size_of

# A few hundred bytes each.
_MOST_LAYOUTS = 2048


@dataclass(frozen=True, kw_only=True, slots=True)
class Structure:
    """`architectures` are those that the layers fit, `usual` the one to assume where the metadata names none of them.

    `size` is the base model whose width the layers have. `norms`: norm layers are trained too, which only LyCORIS does.
    `halves` counts layers with only one of two factors, `others` tensors that belong to no layer.
    """

    what: What
    tensors: int
    architectures: tuple[str, ...] = ()
    usual: str | None = None
    size: str | None = None
    format: str | None = None
    algorithm: str | None = None
    norms: bool = False
    ranks: Mapping[int, int] = field(default_factory=dict)
    alpha: Alpha | None = None
    text_encoder: bool = False
    control: bool = False
    halves: int = 0
    others: int = 0


# Every layer has one of these, whatever the algorithm.
_LAYER_PARTS: tuple[Part, ...] = (
    "down", "up", "hada_w1_b", "hada_w1_a", "lokr_w1", "lokr_w1_b", "lokr_w2", "lokr_w2_b", "oft", "ia3", "a2", "diff",
    "diff_b", "set", "alpha",
)  # fmt: skip


def structure_of(tensors: Mapping[str, Tensor]) -> Structure:
    layers = sort(tensors)
    names: dict[str, Tensor] = {}
    for part in _LAYER_PARTS:
        if not layers.of(part).keys() <= names.keys():
            names.update(layers.of(part))
    named = name(tuple(names))
    seen = LayerShapes(named, layers)
    rule = rule_for(seen)
    what = _what(tensors, layers, named, rule)
    if what != "lora":
        return Structure(what=what, tensors=len(tensors))
    ranks = ranks_of(layers)
    architectures = rule.architectures if rule else ()
    return Structure(
        what="lora",
        tensors=len(tensors),
        architectures=architectures,
        usual=rule.usual if rule else None,
        size=size_of(architectures[0], seen) if len(architectures) == 1 else None,
        format=format_of(named, layers),
        algorithm=algorithm_of(layers),
        norms=layers.has("w_norm", "b_norm"),
        ranks=ranks,
        alpha=alpha_of(layers, next(iter(ranks), None)),
        text_encoder=bool(named.encoders),
        # A control LoRA of FLUX widens the image input from 64 to 128 channels, for the control image beside it.
        control="flux1" in architectures and 128 in seen.widths(last="img_in,x_embedder"),
        halves=0 if layers.has("expert") else len(layers.of("down").keys() ^ layers.of("up").keys()),
        others=len(layers.others),
    )


def _what(tensors: Mapping[str, Tensor], layers: Layers, named: Named, rule: Rule | None) -> What:
    """Most tensors of a LoRA are layers; merged checkpoints may contain a few of them too."""
    if layers.has("vision") and not layers.has("down", "up"):
        return "vision-lora"
    if layers.parts.keys() == {"alpha"}:
        return "other"
    if (not named.model and not named.encoders) or len(layers.others) > layers.tensors:
        return what_it_is(tensors)
    return despite_lora(tensors, named) or (of_another_model(named) if rule is None else None) or "lora"


class Layouts:
    """A cache of structures by table of tensors. Thread-safe."""

    def __init__(self, most: int = _MOST_LAYOUTS) -> None:
        self._most = most
        # By a table's hash: its structure, and the extent of the tensors.
        self._known: dict[bytes, tuple[Structure, int]] = {}

    def read(self, raw: bytes, size: int | None) -> tuple[Structure, Header]:
        """The structure and, of the header, all but the tensors. Raises what `parse` raises."""
        table = table_of(raw)
        start = 8 + len(raw)
        if table.metadata is None:
            header = parse(raw, size)
            return structure_of(header.tensors), header
        key = hashlib.sha256(table.text).digest()
        structure, extent = self._known.get(key, (None, 0))
        if structure is not None and size in (None, start + extent):
            return structure, Header(tensors={}, metadata=table.metadata, data_start=start, size=size)
        header = parse(raw, size)
        structure = structure_of(header.tensors)
        while len(self._known) >= self._most:
            self._known.pop(next(iter(self._known), b""), None)
        self._known[key] = structure, header.extent
        return structure, header
