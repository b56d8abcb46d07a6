"""The words between a file's names and a model's: layers on one side, targets on the other. Knows no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from connectors.facts.suffixes import Part
from hub_ui.preview.coverage import Missed

Shape = tuple[int, ...]
# Component of a pipeline ("unet", "transformer", "text_encoder_2") -> name of a parameter ("a.b.weight") -> its shape.
Model = Mapping[str, Mapping[str, Shape]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Layer:
    """One adapted layer of a file. `name` is what its tensors' names share, `keys` their whole names by part.

    `algorithm` is lora, loha, lokr, oft, boft, ia3, glora, diff, norm or set; `dora` when there is a magnitude.
    """

    name: str
    algorithm: str
    keys: Mapping[Part, str]
    dora: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """A module of the model. `rows` are the outputs of the file's layer that belong to it, None for all of them.

    A file's fused layer (q, k and v in one) has several targets, each with its own rows.
    `module` is without ".weight"; a bare parameter (a table of positions) is named as it is.
    """

    component: str
    module: str
    rows: tuple[int, int] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Placed:
    layer: Layer
    targets: tuple[Target, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Placement:
    """Where a file's layers go, and the tensors that go nowhere, grouped by reason."""

    placed: tuple[Placed, ...]
    missed: tuple[Missed, ...]
