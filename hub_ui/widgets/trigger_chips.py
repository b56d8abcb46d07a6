"""The trigger words that go into the prompt by themselves, and the way to leave them out."""

from __future__ import annotations

from collections.abc import Sequence

from hub_ui.widgets.render import Renderer


def html(render: Renderer, found: Sequence[str], *, used: bool) -> str:
    return render("trigger_chips", found=found, used=used)
