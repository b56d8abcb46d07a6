"""What the Settings page shows. No key is ever among it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from platformdirs import user_data_path

from connectors.record import NSFW_LEVELS
from connectors.registry import HUBS, Hub
from hub_ui import saved_settings
from hub_ui.hosting.visitor import current_visitor
from hub_ui.i18n import LANGUAGES, N_, _
from hub_ui.keys import KeyPlace, Keys, key_place
from hub_ui.saved_settings import hide_password
from hub_ui.services import Services
from hub_ui.widgets.facets import NSFW_WORDS

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
