"""A line about what is going on, how far it is, and a first rough look at what is coming."""

from __future__ import annotations

from hub_ui.widgets.render import Renderer


def html(render: Renderer, text: str, fraction: float | None, *, preview: str = "", left: str = "") -> str:
    """`fraction` in 0..1, or None while the length is unknown. `preview` is a picture's address."""
    percent = None if fraction is None else round(100 * fraction)
    return render("progress", text=text, percent=percent, preview=preview, left=left)
