"""The Settings page as HTML: the hubs with their keys, addresses and folders, how the page looks, and kept images."""

from collections.abc import Sequence
from dataclasses import dataclass

from connectors.record import NSFW_LEVELS, Nsfw
from connectors.registry import Hub
from hub_ui.i18n import N_, _
from hub_ui.keys import KeyPlace
from hub_ui.widgets.facets import NSFW_WORDS
from hub_ui.widgets.render import Renderer

KEY_PLACES: dict[KeyPlace, str] = {
    "given": N_("set in {variable}"),
    "keyring": N_("in this computer’s keyring"),
    "file": N_("in a file that only you can read"),
    "visit": N_("for this visit"),
}
THEMES = {"": N_("as the system says"), "light": N_("light"), "dark": N_("dark")}


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
    """A text field of the form. `is_fixed`: the environment decides."""

    name: str
    label: str
    value: str
    usual: str
    is_fixed: bool = False


@dataclass(frozen=True, kw_only=True)
class SettingsView:
    """On a shared page `keys` are the visitor's own, and `fields` and `places` are empty.

    `can_sign_in` is about Hugging Face, where `account` is the visitor's name once they have. `said` is what came of
    the last change.
    """

    keys: Sequence[HubKey] = ()
    fields: Sequence[Setting] = ()
    places: Sequence[tuple[str, str]] = ()
    images: int = 0
    budget: int = 0
    level: Nsfw = "soft"
    is_shared: bool = False
    can_sign_in: bool = False
    account: str = ""
    said: str = ""

    @property
    def can_save(self) -> bool:
        return not all(field.is_fixed for field in self.fields)


def settings_html(render: Renderer, view: SettingsView) -> str:
    return render(
        "settings",
        s=view,
        themes=[(value, _(label)) for value, label in THEMES.items()],
        levels=[(value, _(NSFW_WORDS[value])) for value in NSFW_LEVELS],
    )
