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
    """A module of the model. `rows` are the outputs of the file's layer that are the module's, one range after another.

    None means all of them, in order. A file's fused layer (q, k and v in one) has several targets, each with its own
    rows; a layer whose halves stand the other way round in the model has one target with two ranges.
    `module` is without ".weight"; a bare parameter (a table of positions) is named as it is.
    `inputs`: so many the module has to have for this layer, and has fewer. A control LoRA widens FLUX's x_embedder.
    """

    component: str
    module: str
    rows: tuple[tuple[int, int], ...] | None = None
    inputs: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Placed:
    layer: Layer
    targets: tuple[Target, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Placement:
    """Where a file's layers go, and the tensors that go nowhere, grouped by reason."""

    placed: tuple[Placed, ...]
    missed: tuple[Missed, ...]
