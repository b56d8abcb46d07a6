"""The keys and the settings of the Settings page, and their changes. No key is ever among what is shown."""

from dataclasses import dataclass
from typing import Literal

from connectors.errors import HubUiError, KeyRequired, UsageError
from connectors.http.session import Endpoint, account_name
from connectors.registry import HUBS, Hub, HubName
from hub_ui.hosting.visitor import Visitor, current_visitor
from hub_ui.i18n import N_, _
from hub_ui.services import Services
from hub_ui.settings import Settings, saved_settings
from hub_ui.settings.keys import KeyPlace, check_key, key_place, require_keys
from hub_ui.settings.saved_settings import SavedSettings, hide_password

KEY_PLACES: dict[KeyPlace | None, str] = {
    None: N_("none"),
    "given": N_("set in {variable}"),
    "keyring": N_("in this computer’s keyring"),
    "file": N_("in a file that only you can read"),
    "visit": N_("for this visit"),
}
KeyAct = Literal["save", "check", "remove"]


@dataclass(frozen=True, kw_only=True)
class HubKey:
    """`is_read`: the key can be used; a keyring may be locked."""

    hub: Hub
    place: KeyPlace | None
    is_read: bool

    @property
    def state(self) -> str:
        return _(KEY_PLACES[self.place]).format(variable=self.hub.token_variable)


def hub_keys(services: Services) -> list[HubKey]:
    """A visitor's own are of the hubs that they don't sign in to."""
    visitor, hubs = current_visitor(), [HUBS[name] for name in services.settings.endpoints]
    if visitor is None:
        keys = services.settings.tokens
        return [HubKey(hub=hub, place=key_place(keys, hub.name), is_read=hub.name in keys) for hub in hubs]
    typed = [(hub, hub.name in visitor.keys) for hub in hubs if not hub.signs_in]
    return [HubKey(hub=hub, place="visit" if has_key else None, is_read=has_key) for hub, has_key in typed]


def change_key(services: Services, hub: HubName, act: KeyAct, text: str) -> str:
    """`text` is the key as it was typed. Returns what came of it."""
    visitor = current_visitor()
    if visitor is None:
        return change_own_key(services.settings, hub, act, text)
    return change_visitors_key(services, visitor, hub, act, text)


def change_own_key(settings: Settings, hub: HubName, act: KeyAct, text: str) -> str:
    keys = require_keys(settings.tokens)
    if act == "remove":
        keys.remove(hub)
        return _("The key of {hub} is removed.").format(hub=HUBS[hub].label)
    unchecked = _("The key is kept, and could not be checked: {reason}")
    if act == "check":
        if hub not in keys:
            raise UsageError(_("The key can't be read just now. Unlock the keyring, or type the key again."))
        return ask_account(settings, hub, keys[hub], _("The key works. Its account at {hub}: {name}."), unchecked)
    key = read_key(text)
    said = ask_account(settings, hub, key, _("The key works and is kept. Its account at {hub}: {name}."), unchecked)
    keys.put(hub, key)
    return said


def change_visitors_key(services: Services, visitor: Visitor, hub: HubName, act: KeyAct, text: str) -> str:
    """In memory for this visit; the settings stay the owner's."""
    if act == "remove":
        visitor.put_key(hub, "")
        return _("Your key of {hub} is removed, and what it opened is forgotten.").format(hub=HUBS[hub].label)
    key = read_key(text if act == "save" else visitor.keys.get(hub, ""))
    # Its hub is asked, as for a LoRA that is opened.
    services.quotas.spend("opens")
    works = _("The key works for this visit. Its account at {hub}: {name}.")
    unchecked = _("The key is kept for this visit, and could not be checked: {reason}")
    said = ask_account(services.settings, hub, key, works, unchecked)
    visitor.put_key(hub, key)
    return said


def read_key(text: str) -> str:
    key = check_key(text)
    if not key:
        raise UsageError(_("This is empty. Paste the key."))
    return key


def ask_account(settings: Settings, hub: HubName, key: str, works: str, unchecked: str) -> str:
    """One of the two sentences: who is offline may keep a key too. Raises KeyRequired for one that the hub refuses."""
    endpoint = Endpoint(hub=hub, label=HUBS[hub].label, url=settings.endpoints[hub])
    try:
        return works.format(hub=endpoint.label, name=account_name(endpoint, key))
    except KeyRequired:
        raise
    except HubUiError as error:
        return unchecked.format(reason=error.message)


def setting_values(settings: Settings) -> SavedSettings:
    """What is saved, which the next start uses; where the environment decides, what is in use."""
    saved, fixed = saved_settings.read(settings.home), settings.fixed
    own = {hub: url if hub in fixed else saved.endpoints.get(hub, "") for hub, url in settings.endpoints.items()}
    return SavedSettings(
        endpoints=own,
        proxy=hide_password(saved.proxy),
        library=str(settings.library) if "library" in fixed else saved.library,
        home="" if settings.home == saved_settings.usual_home() else str(settings.home),
    )
