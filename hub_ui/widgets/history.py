"""What was made before: a click brings it back, settings and pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hub_ui.widgets.render import Renderer


@dataclass(frozen=True, kw_only=True)
class Past:
    """`id` is what a click sends back, `thumbnail` an address on this page's own server."""

    id: str
    title: str
    line: str
    thumbnail: str


def html(render: Renderer, pasts: Sequence[Past]) -> str:
    return render("history", pasts=pasts)
