"""What is changed on the Settings page: keys, one's own or a visitor's, and what the next start of hub-ui uses.

Each change returns a sentence about it, or raises one of our errors. Neither holds a key.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Literal

from platformdirs import user_data_path

from connectors.account import account_name
from connectors.errors import HubUiError, KeyRequired, UsageError
from connectors.http.session import Endpoint
from connectors.registry import HUBS, HubName
from hub_ui import saved_settings
from hub_ui.hosting.visitor import Visitor, current_visitor
from hub_ui.i18n import _
from hub_ui.keys import check_key, require_keys
from hub_ui.saved_settings import SavedSettings, hide_password
from hub_ui.services import Services
from hub_ui.settings import Settings

KeyAct = Literal["save", "check", "remove"]


def change_key(services: Services, hub: HubName, act: KeyAct, text: str) -> str:
    """`text` is the key as it was typed."""
    if services.policy.allows("use keys"):
        return change_own_key(services.settings, hub, act, text)
    visitor = current_visitor()
    if visitor is None:
        raise UsageError(_("Visitors add keys of their own. Load the page again."))
    return change_visitors_key(services, visitor, hub, act, text)


def change_own_key(settings: Settings, hub: HubName, act: KeyAct, text: str) -> str:
    keys, label, endpoint = require_keys(settings.tokens), HUBS[hub].label, endpoint_of(settings, hub)
    if act == "remove":
        keys.remove(hub)
        return _("The key of {hub} is removed.").format(hub=label)
    if act == "check":
        key = keys.get(hub, "")
        if not key:
            raise UsageError(_("The key can't be read just now. Unlock the keyring, or type the key again."))
        return _("The key works. Its account at {hub}: {name}.").format(hub=label, name=account_name(endpoint, key))
    key = check_key(text)
    kept = (
        _("The key works and is kept. Its account at {hub}: {name}."),
        _("The key is kept, and could not be checked: {reason}"),
    )
    return keep_key(endpoint, key, lambda: keys.put(hub, key), kept)


def change_visitors_key(services: Services, visitor: Visitor, hub: HubName, act: KeyAct, text: str) -> str:
    """The keys are the visitor's own, in memory for this visit; the settings stay the owner's."""
    label = HUBS[hub].label
    if act == "remove":
        visitor.put_key(hub, "")
        return _("Your key of {hub} is removed, and what it opened is forgotten.").format(hub=label)
    key = check_key(text if act == "save" else visitor.keys.get(hub, ""))
    if not key:
        raise UsageError(_("This is empty. Paste the key."))
    # Its hub is asked, as for a LoRA that is opened.
    services.quotas.spend("opens")
    kept = (
        _("The key works for this visit. Its account at {hub}: {name}."),
        _("The key is kept for this visit, and could not be checked: {reason}"),
    )
    return keep_key(endpoint_of(services.settings, hub), key, lambda: visitor.put_key(hub, key), kept)


def keep_key(endpoint: Endpoint, key: str, keep: Callable[[], None], kept: tuple[str, str]) -> str:
    """Who is offline may type a key all the same; one that its hub refuses is not kept."""
    try:
        name = account_name(endpoint, key) if key else ""
    except KeyRequired:
        raise
    except HubUiError as error:
        keep()
        return kept[1].format(reason=error.message)
    keep()
    return kept[0].format(hub=endpoint.label, name=name)


def endpoint_of(settings: Settings, hub: HubName) -> Endpoint:
    return Endpoint(hub=hub, label=HUBS[hub].label, url=settings.endpoints[hub])


def change_settings(settings: Settings, values: Mapping[str, str]) -> str:
    """For the next start. `values` are the fields of the form; an address is named by its hub."""
    settings.policy.check("change settings")
    endpoints = {hub: url for hub, url in values.items() if hub in HUBS}
    fixed, saved = settings.fixed, SavedSettings.of({**values, "endpoints": endpoints})
    before = saved_settings.read(settings.home)
    # What the environment decides stays as it was saved.
    given = {hub: url for hub, url in saved.endpoints.items() if hub not in fixed}
    kept = {hub: url for hub, url in before.endpoints.items() if hub in fixed}
    # The page shows it without its password.
    is_shown = saved.proxy == hide_password(before.proxy)
    here = replace(
        saved,
        endpoints={**given, **kept},
        proxy=before.proxy if "proxy" in fixed or is_shown else saved.proxy,
        library=before.library if "library" in fixed else saved.library,
        home=before.home,
    )
    saved_settings.write(settings.home, here)
    if "home" not in fixed:
        usual = user_data_path("hub-ui", appauthor=False)
        home = "" if saved.home == str(usual) else saved.home
        saved_settings.write(usual, replace(saved_settings.read(usual), home=home))
    return _("Saved. It counts from the next start of hub-ui.")
