"""Before gigabytes are fetched: what, how big, under which licence; and the two buttons."""

from __future__ import annotations

from dataclasses import dataclass

from hub_ui.widgets.render import Renderer


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


def html(render: Renderer, need: Need) -> str:
    return render("fetching", n=need)
