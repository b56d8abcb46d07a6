"""Settings: which hubs, which keys, which folders. Read-only: keys come from the environment, never from the page."""

from __future__ import annotations

from dataclasses import dataclass

from connectors.registry import HUBS, Hub
from hub_ui.services import Services
from hub_ui.widgets.render import Renderer


@dataclass(frozen=True, kw_only=True)
class HubRow:
    hub: Hub
    endpoint: str
    has_key: bool


def html(services: Services, render: Renderer) -> str:
    settings = services.settings
    rows = [
        HubRow(hub=HUBS[name], endpoint=endpoint, has_key=name in settings.tokens)
        for name, endpoint in sorted(settings.endpoints.items())
    ]
    # Visitors of a shared page have no business with its owner's folders.
    own = settings.policy.allows("open paths")
    places = (("Library", settings.library), ("Lock file", settings.lock), ("Catalog", settings.catalog)) if own else ()
    return render("settings", rows=rows, places=places, keys=settings.policy.allows("use keys"))
