"""What is typed on the Settings page: plain requests, because Gradio keeps and logs the inputs of its events.

No answer holds a key, and neither does a message.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from platformdirs import user_data_path
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from connectors.account import account_name
from connectors.errors import HubUiError, KeyRequired, UsageError
from connectors.http.session import Endpoint
from connectors.registry import HUBS
from hub_ui import saved_settings
from hub_ui.i18n import _
from hub_ui.keys import check_key, require_keys
from hub_ui.saved_settings import SavedSettings, hide_password
from hub_ui.settings import Settings
from hub_ui.web.requests import KEYS_ROUTE, SETTINGS_ROUTE

# A header that no form and no other site's script can send without being allowed to.
HEADER, VALUE = "x-hub-ui", "settings"


@dataclass(frozen=True, kw_only=True)
class SettingsRoutes:
    settings: Settings

    def routes(self) -> list[BaseRoute]:
        return [
            Route(KEYS_ROUTE, self.answer_key, methods=["POST"]),
            Route(SETTINGS_ROUTE, self.answer_settings, methods=["POST"]),
        ]

    async def answer_key(self, request: Request) -> Response:
        return await answer(request, self.change_key)

    async def answer_settings(self, request: Request) -> Response:
        return await answer(request, self.change_settings)

    def change_key(self, values: Mapping[str, Any]) -> str:
        """Keeps, checks or removes a key; returns a sentence about it. Raises one of our errors."""
        self.settings.policy.check("use keys")
        keys, hub = require_keys(self.settings.tokens), str(values.get("hub"))
        if hub not in HUBS:
            raise UsageError(_("There is no such hub. Load the page again."))
        label = HUBS[hub].label
        endpoint = Endpoint(hub=hub, label=label, url=self.settings.endpoints[hub])
        if values.get("do") == "remove":
            keys.remove(hub)
            return _("The key of {hub} is removed.").format(hub=label)
        if values.get("do") == "check":
            key = keys.get(hub, "")
            if not key:
                raise UsageError(_("The key can't be read just now. Unlock the keyring, or type the key again."))
            return _("The key works. Its account at {hub}: {name}.").format(hub=label, name=account_name(endpoint, key))
        text = values.get("key")
        key = check_key(text if isinstance(text, str) else "")
        try:
            name = account_name(endpoint, key) if key else ""
        except KeyRequired:
            raise
        # Who is offline may type a key all the same.
        except HubUiError as error:
            keys.put(hub, key)
            return _("The key is kept, and could not be checked: {reason}").format(reason=error.message)
        keys.put(hub, key)
        return _("The key works and is kept. Its account at {hub}: {name}.").format(hub=label, name=name)

    def change_settings(self, values: Mapping[str, Any]) -> str:
        """For the next start. Raises one of our errors."""
        self.settings.policy.check("change settings")
        fixed, saved = self.settings.fixed, SavedSettings.of(values)
        before = saved_settings.read(self.settings.home)
        # What the environment decides stays as it was saved.
        endpoints = {hub: url for hub, url in saved.endpoints.items() if hub not in fixed}
        kept = {hub: url for hub, url in before.endpoints.items() if hub in fixed}
        # The page shows it without its password.
        is_shown = saved.proxy == hide_password(before.proxy)
        here = replace(
            saved,
            endpoints={**endpoints, **kept},
            proxy=before.proxy if "proxy" in fixed or is_shown else saved.proxy,
            library=before.library if "library" in fixed else saved.library,
            home=before.home,
        )
        saved_settings.write(self.settings.home, here)
        if "home" not in fixed:
            usual = user_data_path("hub-ui", appauthor=False)
            home = "" if saved.home == str(usual) else saved.home
            saved_settings.write(usual, replace(saved_settings.read(usual), home=home))
        return _("Saved. It counts from the next start of hub-ui.")


async def answer(request: Request, change: Callable[[Mapping[str, Any]], str]) -> Response:
    """Only the page's own script is listened to. Where it comes from is checked before (middleware.py)."""
    headers = {"Cache-Control": "no-store"}
    if request.headers.get(HEADER) != VALUE:
        return JSONResponse({"detail": _("This is no request of the page. Load the page again.")}, 403, headers)
    try:
        values = await request.json()
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        return JSONResponse({"detail": _("This is no request of the page. Load the page again.")}, 400, headers)
    try:
        return JSONResponse({"said": await run_in_threadpool(change, values)}, headers=headers)
    except HubUiError as error:
        # No status of an error: the request itself is right, and browsers would log it as a fault of the page.
        return JSONResponse({"detail": error.message}, headers=headers)
