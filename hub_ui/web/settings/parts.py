"""What the Settings page shows. No key is ever among it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from platformdirs import user_data_path

from connectors.account import account_name
from connectors.errors import HubUiError, KeyRequired, UsageError
from connectors.http.session import Endpoint
from connectors.record import NSFW_LEVELS
from connectors.registry import HUBS, Hub, HubName
from hub_ui import saved_settings
from hub_ui.hosting.visitor import Visitor, current_visitor
from hub_ui.i18n import LANGUAGES, N_, _
from hub_ui.keys import KeyPlace, Keys, check_key, key_place, require_keys
from hub_ui.saved_settings import SavedSettings, hide_password
from hub_ui.services import Services
from hub_ui.settings import Settings
from hub_ui.web.browse.facets import NSFW_WORDS

KEY_PLACES: dict[KeyPlace, str] = {
    "given": N_("set in {variable}"),
    "keyring": N_("in this computer’s keyring"),
    "file": N_("in a file that only you can read"),
    "visit": N_("for this visit"),
}
THEMES = {"": N_("System"), "light": N_("Light"), "dark": N_("Dark")}


@dataclass(frozen=True, kw_only=True)
class HubKey:
    """`place` None: it has none. `may_type`: a key can be typed here. `is_read`: the key can be used."""

    hub: Hub
    place: KeyPlace | None
    is_read: bool
    may_type: bool

    @property
    def state(self) -> str:
        if self.place is None:
            return _("none")
        return _(KEY_PLACES[self.place]).format(variable=self.hub.token_variable)


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A text field of the form. `is_fixed`: how hub-ui was started decides. `is_hub`: the address of the hub `name`."""

    name: str
    label: str
    value: str
    usual: str
    is_fixed: bool = False
    is_hub: bool = False


@dataclass(frozen=True, kw_only=True)
class SettingsView:
    """On a shared page `keys` are the visitor's own, and `fields` and `places` are empty.

    `can_sign_in` is about Hugging Face, where `account` is the visitor's name once they have.
    """

    keys: Sequence[HubKey] = ()
    fields: Sequence[Setting] = ()
    places: Sequence[tuple[str, str]] = ()
    images: int = 0
    budget: int = 0
    is_shared: bool = False
    can_sign_in: bool = False
    account: str = ""

    @property
    def can_save(self) -> bool:
        return not all(field.is_fixed for field in self.fields)


@dataclass(frozen=True, kw_only=True)
class Said:
    """What came of the last change, said where it was made: a hub's name, "settings" or "images"."""

    place: str = ""
    text: str = ""
    is_problem: bool = False


def theme_choices() -> list[tuple[str, str]]:
    return [(value, _(label)) for value, label in THEMES.items()]


def language_choices() -> list[tuple[str, str]]:
    return [("", _("Browser")), *LANGUAGES.items()]


def level_choices() -> list[tuple[str, str]]:
    return [(value, _(NSFW_WORDS[value])) for value in NSFW_LEVELS]


def settings_view(services: Services) -> SettingsView:
    if not services.policy.allows("change settings"):
        return visitor_view(services)
    settings = services.settings
    # The address may have a password.
    catalog = _("the database of HUB_UI_DATABASE") if settings.database else str(settings.catalog)
    return SettingsView(
        keys=tuple(hub_keys(services)),
        fields=tuple(fields(services)),
        places=(
            (_("Home"), str(settings.home)),
            (_("Library"), str(settings.library)),
            (_("Lock file"), str(settings.lock)),
            (_("Catalog"), catalog),
        ),
        images=services.media.size(),
        budget=services.media.budget,
    )


def visitor_view(services: Services) -> SettingsView:
    visitor = current_visitor()
    keys = visitor.keys if visitor else {}
    return SettingsView(
        keys=tuple(
            HubKey(hub=HUBS[hub], place="visit" if hub in keys else None, is_read=hub in keys, may_type=True)
            for hub in services.settings.endpoints
            if not HUBS[hub].signs_in
        ),
        is_shared=True,
        can_sign_in=services.settings.sign_in,
        account=visitor.account if visitor else "",
    )


def hub_keys(services: Services) -> Iterator[HubKey]:
    keys = services.settings.tokens
    for name in services.settings.endpoints:
        place = key_place(keys, name)
        yield HubKey(
            hub=HUBS[name], place=place, is_read=name in keys, may_type=isinstance(keys, Keys) and place != "given"
        )


def fields(services: Services) -> Iterator[Setting]:
    """With what is saved, which the next start uses; where the environment decides, with what is in use."""
    settings = services.settings
    saved, fixed = saved_settings.read(settings.home), settings.fixed
    for hub, endpoint in settings.endpoints.items():
        value = endpoint if hub in fixed else saved.endpoints.get(hub, "")
        label = _("{hub} address").format(hub=HUBS[hub].label)
        yield Setting(name=hub, label=label, value=value, usual=HUBS[hub].endpoint, is_fixed=hub in fixed, is_hub=True)
    usual = user_data_path("hub-ui", appauthor=False)
    library = str(settings.library) if "library" in fixed else saved.library
    rows = (
        ("proxy", _("Proxy"), hide_password(saved.proxy), "http://10.0.0.1:3128"),
        ("library", _("Library folder"), library, str(settings.home / "loras")),
        ("home", _("Folder of everything else"), "" if settings.home == usual else str(settings.home), str(usual)),
    )
    for name, label, value, usual_value in rows:
        yield Setting(name=name, label=label, value=value, usual=usual_value, is_fixed=name in fixed)


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
