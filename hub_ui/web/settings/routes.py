"""The addresses of the Settings page. A key goes in by one of them, and comes out of none."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Annotated, Any

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from connectors.errors import HubUiError, UsageError
from connectors.query import BY_KEY, Query
from hub_ui.hosting.visitor import current_visitor
from hub_ui.i18n import LANGUAGES, _
from hub_ui.locales import COOKIE as LANGUAGE_COOKIE
from hub_ui.locales import read_choice
from hub_ui.settings import saved_settings
from hub_ui.settings.saved_settings import SavedSettings
from hub_ui.web.browse.facets import NSFW_WORDS
from hub_ui.web.layout.pages import LEVEL_COOKIE, THEME_COOKIE, THEMES, Pages, Preview, is_part, keep_choice, own_view
from hub_ui.web.settings.parts import KeyAct, change_key, hub_keys, setting_values
from hub_ui.web.view import LONGEST_ADDRESS, View

# Keys that a hub is asked about just now.
MOST_CHECKS = 20
Text = Annotated[str, Form(max_length=2000)]
Word = Annotated[str, Form(max_length=40)]
Address = Annotated[str, Form(max_length=LONGEST_ADDRESS)]
# One of each hub whose address may be changed.
Hubs = Annotated[Sequence[Word], Form(max_length=100)]
Texts = Annotated[Sequence[Text], Form(max_length=100)]


@dataclass(frozen=True, kw_only=True)
class Said:
    """What came of the last change, said where it was made: a hub's name, "settings" or "images"."""

    place: str = ""
    text: str = ""
    is_problem: bool = False


@dataclass(frozen=True, kw_only=True)
class SettingsRoutes:
    pages: Pages
    limiter: CapacityLimiter = field(default_factory=partial(CapacityLimiter, MOST_CHECKS))

    def router(self) -> APIRouter:
        router = self.pages.router()
        router.add_api_route("/settings", self.show, methods=["GET"])
        router.add_api_route("/settings/key", self.key, methods=["POST"])
        router.add_api_route("/settings/values", self.change, methods=["POST"])
        router.add_api_route("/settings/images", self.clear_images, methods=["POST"])
        router.add_api_route("/settings/look", self.look, methods=["POST"])
        return router

    def show(self, request: Request) -> Response:
        return self.page(request, own_view("settings", request.url.query))

    async def key(
        self, request: Request, hub: Word, do: Annotated[KeyAct, Form()], key: Text = "", back: Address = ""
    ) -> Response:
        services = self.pages.services
        if hub not in [each.hub.name for each in hub_keys(services)]:
            raise UsageError(_("There is no such hub. Load the page again."))
        change = partial(change_key, services, hub, do, key)
        said = await to_thread.run_sync(sentence_of, change, hub, limiter=self.limiter)
        # A key that was only looked at has changed nothing, so its sentence needs a page of its own.
        return self.answer(request, back, said, is_done=do != "check")

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
        settings = self.pages.services.settings
        settings.policy.check("change settings")
        endpoints = dict(zip(hub, address, strict=False))
        values = {"endpoints": endpoints, "proxy": proxy, "library": library, "home": home}

        def save() -> str:
            saved_settings.change(settings.home, SavedSettings.of(values), settings.fixed)
            return _("Saved. It counts from the next start of hub-ui.")

        return self.answer(request, back, sentence_of(save, "settings"))

    def clear_images(self, request: Request, back: Address = "") -> Response:
        services = self.pages.services
        services.policy.check("change settings")
        services.media.clear()
        return self.answer(request, back, Said(place="images", text=_("The images are cleared.")))

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

    def answer(self, request: Request, back: str, said: Said, *, is_done: bool = True) -> Response:
        """The page as it is now, with the sentence in its place; without JavaScript the page anew."""
        view = own_view("settings", back)
        if is_part(request):
            return self.pages.part("settings/body", **self.values(request, view, said))
        if said.is_problem or not is_done:
            return self.page(request, view, said, status=422 if said.is_problem else 200)
        return RedirectResponse(f"../{view.place('settings')}#{said.place}", 303)

    def page(self, request: Request, view: View, said: Said | None = None, *, status: int = 200) -> Response:
        values, preview = self.values(request, view, said or Said()), Preview(title=_("Settings"))
        return self.pages.whole(request, "settings/page", view, preview=preview, status=status, **values)

    def values(self, request: Request, view: View, said: Said) -> dict[str, Any]:
        services, cookies = self.pages.services, request.cookies
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
            "levels": [(value, _(label)) for value, label in NSFW_WORDS.items()],
        }


def sentence_of(change: Callable[[], str], place: str) -> Said:
    try:
        return Said(place=place, text=change())
    except HubUiError as error:
        return Said(place=place, text=error.message, is_problem=True)
