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
from connectors.query import Query
from connectors.registry import HUBS
from hub_ui.i18n import LANGUAGES, _
from hub_ui.locales import COOKIE as LANGUAGE_COOKIE
from hub_ui.locales import read_choice
from hub_ui.web.layout.pages import LEVEL_COOKIE, THEME_COOKIE, Pages, Preview, is_part, keep_choice
from hub_ui.web.settings import parts
from hub_ui.web.settings import parts as changes
from hub_ui.web.settings.parts import KeyAct, Said
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
        return self.page(request, view_of(request.url.query))

    async def key(
        self, request: Request, hub: Word, do: Annotated[KeyAct, Form()], key: Text = "", back: Address = ""
    ) -> Response:
        services = self.pages.services
        # Visitors sign in to some.
        is_typed = hub in HUBS and (services.policy.allows("use keys") or not HUBS[hub].signs_in)
        if hub not in services.settings.endpoints or not is_typed:
            raise UsageError(_("There is no such hub. Load the page again."))
        change = partial(changes.change_key, services, hub, do, key)
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
        given = {**dict(zip(hub, address, strict=False)), "proxy": proxy, "library": library, "home": home}
        return self.answer(request, back, sentence_of(partial(changes.change_settings, settings, given), "settings"))

    def clear_images(self, request: Request, back: Address = "") -> Response:
        services = self.pages.services
        services.policy.check("change settings")
        services.media.clear()
        return self.answer(request, back, Said(place="images", text=_("The images are cleared.")))

    def look(
        self, request: Request, theme: Word = "", language: Word = "", nsfw: Word = "", back: Address = ""
    ) -> Response:
        view = view_of(back)
        level = Query.of(nsfw=nsfw or view.query.nsfw).nsfw
        # The address that leads here may have named another level.
        place = replace(view, query=replace(view.query, nsfw=Query().nsfw)).place("settings")
        answer: Response = RedirectResponse(f"../{place}", 303)
        if is_part(request):
            answer = Response(headers={"HX-Redirect": place})
        keep_choice(request, answer, THEME_COOKIE, theme if theme in parts.THEMES else "")
        keep_choice(request, answer, LANGUAGE_COOKIE, language if language in LANGUAGES else "")
        keep_choice(request, answer, LEVEL_COOKIE, level)
        return answer

    def answer(self, request: Request, back: str, said: Said, *, is_done: bool = True) -> Response:
        """The page as it is now, with the sentence in its place; without JavaScript the page anew."""
        view = view_of(back)
        if is_part(request):
            return self.pages.part("settings/body", **self.values(request, view, said))
        if said.is_problem or not is_done:
            return self.page(request, view, said, status=422 if said.is_problem else 200)
        return RedirectResponse(f"../{view.place('settings')}#{said.place}", 303)

    def page(self, request: Request, view: View, said: Said | None = None, *, status: int = 200) -> Response:
        values = self.values(request, view, said or Said())
        return self.pages.whole(
            request, "settings/page", view, preview=Preview(title=_("Settings")), status=status, **values
        )

    def values(self, request: Request, view: View, said: Said) -> dict[str, Any]:
        level = Query.of(nsfw=request.cookies.get(LEVEL_COOKIE, view.query.nsfw)).nsfw
        return {
            "s": parts.settings_view(self.pages.services),
            "said": said,
            "back": view.to_address(),
            "themes": (parts.theme_choices(), request.cookies.get(THEME_COOKIE, "")),
            "languages": (parts.language_choices(), read_choice(request.headers)),
            "levels": (parts.level_choices(), level),
        }


def view_of(query: str) -> View:
    """What was looked at before goes along, so that the other places lead back to it."""
    return replace(View.from_address(query), page="settings", open="")


def sentence_of(change: Callable[[], str], place: str) -> Said:
    try:
        return Said(place=place, text=change())
    except HubUiError as error:
        return Said(place=place, text=error.message, is_problem=True)
