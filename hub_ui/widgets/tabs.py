"""What is compared with what: one tab for each kind of sheet."""

from __future__ import annotations

from collections.abc import Mapping

from hub_ui.preview.sheets import SheetKind
from hub_ui.widgets.render import Renderer

LABELS: dict[SheetKind, str] = {
    "pair": "Without / with",
    "strip": "Weights",
    "trigger": "Trigger on / off",
    "both": "A · B · both",
    "grid": "Grid",
}


def html(render: Renderer, current: SheetKind, *, closed: Mapping[SheetKind, str] | None = None) -> str:
    """`closed` says of a kind why it can't be made from the LoRAs at hand."""
    return render("tabs", labels=LABELS, current=current, closed=closed or {})
