"""Trainings on Replicate: what they are, what one costs, which are under way, and what one made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hub_ui.widgets.render import Renderer


@dataclass(frozen=True, kw_only=True)
class Row:
    id: str
    line: str


def intro_html(render: Renderer) -> str:
    return render("training_intro")


def price_html(render: Renderer, price: str, notes: Sequence[str]) -> str:
    return render("training_price", price=price, notes=notes)


def list_html(render: Renderer, rows: Sequence[Row], *, problem: str = "") -> str:
    return render("training_list", rows=rows, problem=problem)


def made_html(render: Renderer, ref: str) -> str:
    """The new LoRA, to be opened or tried at once."""
    return render("training_made", ref=ref)
