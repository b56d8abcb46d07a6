"""The Settings page: its addresses, its keys and values, and their changes.

A key goes in by one of the addresses, and comes out of none.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Any, Literal

from anyio import CapacityLimiter
from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from connectors.errors import HubUiError, KeyRequired, UsageError
from connectors.http.session import Endpoint, account_name
from connectors.query import BY_KEY, Query
from connectors.registry import HUBS, Hub, HubName
from hub_ui.hosting.visitor import Visitor, current_visitor
from hub_ui.i18n import LANGUAGES, _
from hub_ui.locales import COOKIE as LANGUAGE_COOKIE
from hub_ui.locales import read_choice
from hub_ui.services import Services
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
    in_threads,
    is_part,
    keep_choice,
    own_view,
)
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


# What came of the last change.
NOTHING = {"place": "", "text": "", "is_problem": False}
# Keys that a hub is asked about just now.
MOST_CHECKS = 20
Text = Annotated[str, Form(max_length=2000)]
Word = Annotated[str, Form(max_length=40)]
# One of each hub whose address may be changed.
Hubs = Annotated[Sequence[Word], Form(max_length=100)]
Texts = Annotated[Sequence[Text], Form(max_length=100)]


@dataclass(frozen=True, kw_only=True)
class SettingsRoutes(Room):
    def add_to(self, router: APIRouter) -> None:
        router.get("/settings")(self.show)
        router.post("/settings/key")(in_threads(CapacityLimiter(MOST_CHECKS))(self.key))
        router.post("/settings/values")(self.change)
        router.post("/settings/images")(self.clear_images)
        router.post("/settings/look")(self.look)

    def show(self, request: Request) -> Response:
        return self.page(request, own_view("settings", request.url.query))

    def key(
        self, request: Request, hub: Word, do: Annotated[KeyAct, Form()], key: Text = "", back: Address = ""
    ) -> Response:
        services, visitor = self.services, current_visitor()
        if hub not in [each.name for each, _place, _is_read in hub_keys(services)]:
            raise UsageError(_("There is no such hub. Load the page again."))
        change = partial(change_own_key, services.settings, hub, do, key)
        if visitor is not None:
            change = partial(change_visitors_key, services, visitor, hub, do, key)
        # A key that was only looked at has changed nothing, so its sentence needs a page of its own.
        return self.answer(request, back, hub, change, is_done=do != "check")

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
        settings.policy.check("change settings")
        endpoints = dict(zip(hub, address, strict=False))
        values = {"endpoints": endpoints, "proxy": proxy, "library": library, "home": home}

        def save() -> str:
            saved_settings.change(settings.home, SavedSettings.of(values), settings.fixed)
            return _("Saved. It counts from the next start of hub-ui.")

        return self.answer(request, back, "settings", save)

    def clear_images(self, request: Request, back: Address = "") -> Response:
        self.services.policy.check("change settings")
        self.services.media.clear()
        return self.answer(request, back, "images", lambda: _("The images are cleared."))

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
