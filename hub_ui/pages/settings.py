"""Settings: which hubs, which keys, which folders. Read-only: keys come from the environment, never from the page."""

from __future__ import annotations

from dataclasses import dataclass

from hub_ui.services import Services
from hub_ui.settings import TOKEN_VARIABLES
from hub_ui.widgets import format
from hub_ui.widgets.render import Renderer

KEY_PAGES: dict[str, str] = {
    "civitai": "https://civitai.com/user/account",
    "huggingface": "https://huggingface.co/settings/tokens",
    "replicate": "https://replicate.com/account/api-tokens",
}
WITHOUT: dict[str, str] = {
    "civitai": "Searching works without; most downloads want one.",
    "huggingface": "Works without; gated LoRAs want one.",
    "replicate": "Replicate answers nothing without one.",
}


@dataclass(frozen=True, kw_only=True)
class HubRow:
    label: str
    endpoint: str
    variable: str
    has_key: bool
    without: str
    where: str


def html(services: Services, render: Renderer) -> str:
    settings = services.settings
    rows = [
        HubRow(
            label=format.HUB_LABELS[hub],
            endpoint=endpoint,
            variable=TOKEN_VARIABLES[hub],
            has_key=hub in settings.tokens,
            without=WITHOUT[hub],
            where=KEY_PAGES[hub],
        )
        for hub, endpoint in sorted(settings.endpoints.items())
    ]
    # Visitors of a shared page have no business with its owner's folders.
    own = settings.policy.allows("open paths")
    places = (("Library", settings.library), ("Lock file", settings.lock), ("Catalog", settings.catalog)) if own else ()
    return render("settings", rows=rows, places=places, keys=settings.policy.allows("use keys"))
