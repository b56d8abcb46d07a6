"""The library as a list: what is on disk, pinned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hub_ui.widgets.render import Renderer


@dataclass(frozen=True, kw_only=True)
class Item:
    ref: str
    title: str
    base: str
    size: str
    trigger_words: str
    missing: bool = False


def html(render: Renderer, items: Sequence[Item], *, folder: str, lock: str, total: str, can_remove: bool) -> str:
    return render("shelf", items=items, folder=folder, lock=lock, total=total, can_remove=can_remove)
