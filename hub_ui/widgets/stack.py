"""The LoRAs on the try page, each with its weight; one that does not fit says why in place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hub_ui.widgets.render import Renderer


@dataclass(frozen=True, kw_only=True)
class Layer:
    """`problem` is a sentence when the LoRA can't be used with the others."""

    ref: str
    title: str
    line: str
    weight: float
    image: str = ""
    problem: str = ""


def html(render: Renderer, layers: Sequence[Layer]) -> str:
    return render("stack", layers=layers, high=any(layer.weight > 1 for layer in layers))
