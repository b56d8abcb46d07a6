"""The LoRAs on the try page, each with its weight; one that does not fit says why in place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hub_ui.generate.comparison import SheetKind
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


def stack_html(render: Renderer, layers: Sequence[Layer]) -> str:
    return render("stack", layers=layers, high=any(layer.weight > 1 for layer in layers))


def trigger_chips_html(render: Renderer, found: Sequence[str], *, used: bool) -> str:
    return render("trigger_chips", found=found, used=used)


LABELS: dict[SheetKind, str] = {
    "pair": "Without / with",
    "strip": "Weights",
    "trigger": "Trigger on / off",
    "both": "A · B · both",
    "grid": "Grid",
}


def tabs_html(render: Renderer, current: SheetKind, *, closed: Mapping[SheetKind, str] | None = None) -> str:
    """`closed` says of a kind why it can't be made from the LoRAs at hand."""
    return render("tabs", labels=LABELS, current=current, closed=closed or {})


@dataclass(frozen=True, kw_only=True)
class Need:
    """`size` and `free` are in words; `link` leads to the base's page on its hub. A click sends `subject` back."""

    subject: str
    label: str
    repo: str
    size: str
    license: str
    free: str
    link: str


def fetching_html(render: Renderer, need: Need) -> str:
    return render("fetching", n=need)
