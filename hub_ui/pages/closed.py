"""A page that is not for whoever looks: what it would be, and where there is one for them."""

from __future__ import annotations

from hub_ui.policy import PAGES, REFUSALS, Action, Policy
from hub_ui.widgets.render import Renderer
from hub_ui.widgets.widget import widget


def build(render: Renderer, action: Action) -> None:
    widget(render("said", text=REFUSALS[action]), elem_id=f"closed-{PAGES[action]}")


def names(policy: Policy) -> tuple[str, ...]:
    return tuple(page for action, page in PAGES.items() if not policy.allows(action))
