"""The Settings page: its addresses, its keys and values, and their changes.

A key goes in by one of the addresses, and comes out of none.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import Form, Request, Response
from fastapi.responses import RedirectResponse

from connectors.errors import HubUiError, KeyRequired, UsageError
from connectors.http.session import Endpoint, account_name
from connectors.query import BY_KEY, Query
from connectors.registry import HUBS, Hub
from hub_ui.access.visitor import current_visitor
from hub_ui.app.services import Services
from hub_ui.base.i18n import LANGUAGES, _
from hub_ui.locales import COOKIE as LANGUAGE_COOKIE
from hub_ui.locales import read_choice
from hub_ui.settings import Settings, saved_settings
from hub_ui.settings.saved_settings import KeyPlace, SavedSettings, check_key, hide_password, key_place, require_keys
from hub_ui.web.browse.facets import level_words
from hub_ui.web.layout.pages import (
    LEVEL_COOKIE,
    THEME_COOKIE,
    THEMES,
    Address,
    Preview,
    Room,
    is_part,
    keep_choice,
    own_view,
    route,
)
from hub_ui.web.layout.render import WORDS
from hub_ui.web.view import View

KeyAct = Literal["save", "check", "remove"]


def hub_keys(services: Services) -> list[tuple[Hub, KeyPlace | None, bool]]:
    """Each hub, where its key is, and whether that can be used: a keyring may be locked.

    A visitor's own are of the hubs that they don't sign in to.
    """
    visitor, hubs = current_visitor(), [HUBS[name] for name in services.settings.endpoints]
    if visitor is None:
        keys = services.settings.tokens
        return [(hub, key_place(keys, hub.name), hub.name in keys) for hub in hubs]
    typed = [(hub, hub.name in visitor.keys) for hub in hubs if not hub.signs_in]
    return [(hub, "visit" if has_key else None, has_key) for hub, has_key in typed]


def change_key(services: Services, hub: Hub, act: KeyAct, text: str) -> str:
    """What came of it, in words: who is offline may keep a key too. Raises KeyRequired for one that its hub refuses.

    A visitor's is in memory, for this visit; the settings' keys stay the owner's.
    """
    settings, visitor = services.settings, current_visitor()
    put: Callable[[str, str], None]
    if visitor is None:
        own = require_keys(settings.tokens)
        said, known, put, remove = WORDS["own_key"], own.get(hub.name, ""), own.put, own.remove
    else:
        said, known, put = WORDS["visitors_key"], visitor.keys.get(hub.name, ""), visitor.put_key
        remove = partial(visitor.put_key, key="")
    if act == "remove":
        remove(hub.name)
        return _(said["removed"]).format(hub=hub.label)
    key = check_key(text if act == "save" else known)
    if not key:
        raise UsageError(_(said["missing"]) if act == "check" else _("This is empty. Paste the key."))
    # Its hub is asked, as for a LoRA that is opened.
    services.quotas.spend("opens")
    try:
        name = account_name(Endpoint(hub=hub.name, url=settings.endpoints[hub.name]), key)
        outcome = _(said["works" if act == "check" else "kept"]).format(hub=hub.label, name=name)
    except KeyRequired:
        raise
    except HubUiError as error:
        outcome = _(said["unchecked"]).format(reason=error.message)
    if act == "save":
        put(hub.name, key)
    return outcome


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


# What came of the last change.
NOTHING = {"place": "", "text": "", "is_problem": False}
Text = Annotated[str, Form(max_length=2000)]
Word = Annotated[str, Form(max_length=40)]
# One of each hub whose address may be changed.
Hubs = Annotated[Sequence[Word], Form(max_length=100)]
Texts = Annotated[Sequence[Text], Form(max_length=100)]


@dataclass(frozen=True, kw_only=True)
class SettingsRoutes(Room):
    # Keys that a hub is asked about just now.
    most_at_once = 20

    @route("GET /settings")
    def show(self, request: Request) -> Response:
        return self.page(request, own_view("settings", request.url.query))

    @route("POST /settings/key", waits=True)
    def key(
        self, request: Request, hub: Word, do: Annotated[KeyAct, Form()], key: Text = "", back: Address = ""
    ) -> Response:
        known = next((each for each, _place, _is_read in hub_keys(self.services) if each.name == hub), None)
        if known is None:
            raise UsageError(_("There is no such hub. Load the page again."))
        change = partial(change_key, self.services, known, do, key)
        # A key that was only looked at has changed nothing, so its sentence needs a page of its own.
        return self.answer(request, back, hub, change, is_done=do != "check")

    @route("POST /settings/values", may="change settings")
    def change(
        self,
        request: Request,
        hub: Hubs = (),
        address: Texts = (),
        proxy: Text = "",
        library: Text = "",
        home: Text = "",
        back: Address = "",
    ) -> Response:
        settings = self.services.settings
        endpoints = dict(zip(hub, address, strict=False))
        values = {"endpoints": endpoints, "proxy": proxy, "library": library, "home": home}

        def save() -> str:
            saved_settings.change(settings.home, SavedSettings.of(values), settings.fixed)
            return _("Saved. It counts from the next start of hub-ui.")

        return self.answer(request, back, "settings", save)

    @route("POST /settings/images", may="change settings")
    def clear_images(self, request: Request, back: Address = "") -> Response:
        self.services.media.clear()
        return self.answer(request, back, "images", lambda: _("The images are cleared."))

    @route("POST /settings/look")
    def look(
        self, request: Request, theme: Word = "", language: Word = "", nsfw: Word = "", back: Address = ""
    ) -> Response:
        view = own_view("settings", back)
        level = BY_KEY["nsfw"].read(nsfw or view.query.nsfw)
        # The address that leads here may have named another level.
        place = replace(view, query=replace(view.query, nsfw=Query().nsfw)).place("settings")
        answer: Response = RedirectResponse(f"../{place}", 303)
        if is_part(request):
            answer = Response(headers={"HX-Redirect": place})
        keep_choice(request, answer, THEME_COOKIE, theme if theme in THEMES else "")
        keep_choice(request, answer, LANGUAGE_COOKIE, language if language in LANGUAGES else "")
        keep_choice(request, answer, LEVEL_COOKIE, level)
        return answer

    def answer(
        self, request: Request, back: str, place: str, change: Callable[[], str], *, is_done: bool = True
    ) -> Response:
        """The page after a change, which is told in its `place`: a hub's name, "settings" or "images"."""
        is_problem = False
        try:
            text = change()
        except HubUiError as error:
            text, is_problem = error.message, True
        view, said = own_view("settings", back), {"place": place, "text": text, "is_problem": is_problem}
        if is_part(request):
            return self.pages.part("settings/body", **self.values(request, view, said))
        if is_problem or not is_done:
            return self.page(request, view, said, status=422 if is_problem else 200)
        return RedirectResponse(f"../{view.place('settings')}#{place}", 303)

    def page(self, request: Request, view: View, said: Mapping[str, Any] = NOTHING, *, status: int = 200) -> Response:
        values, preview = self.values(request, view, said), Preview(title=_("Settings"))
        return self.pages.whole(request, "settings/page", view, preview=preview, status=status, **values)

    def values(self, request: Request, view: View, said: Mapping[str, Any]) -> dict[str, Any]:
        services, cookies = self.services, request.cookies
        settings, is_shared = services.settings, not services.policy.allows("change settings")
        return {
            "said": said,
            "back": view.to_address(),
            "keys": hub_keys(services),
            "visitor": current_visitor(),
            "is_shared": is_shared,
            "settings": settings,
            "saved": None if is_shared else setting_values(settings),
            "can_save": not {*settings.endpoints, "proxy", "library", "home"} <= settings.fixed,
            "usual_home": saved_settings.usual_home(),
            "images": services.media,
            "theme": cookies.get(THEME_COOKIE, ""),
            "language": read_choice(request.headers),
            "level": BY_KEY["nsfw"].read(cookies.get(LEVEL_COOKIE, view.query.nsfw)),
            "levels": list(level_words(None).items()),
        }
