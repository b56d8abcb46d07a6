"""The pair: without and with the LoRAs, one over the other, with a slider between them and a line of proof."""

from __future__ import annotations

from dataclasses import dataclass

from hub_ui.widgets.render import Renderer


@dataclass(frozen=True, kw_only=True)
class Shown:
    """`without` and `with_loras` are addresses of pictures of the same size."""

    without: str
    with_loras: str
    label: str
    proof: str
    detail: str
    width: int
    height: int


def html(render: Renderer, shown: Shown) -> str:
    return render("pair", p=shown)


def empty_html(render: Renderer) -> str:
    return render("pair_empty")


def progress_html(render: Renderer, text: str, fraction: float | None) -> str:
    """`fraction` in 0..1, or None while the length is unknown."""
    return render("progress", text=text, percent=None if fraction is None else round(100 * fraction))
